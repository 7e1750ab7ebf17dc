"""Which of some classes each document belongs to, without training: the nearest label, or none that is near enough."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.analysis.column import check_column, write_column
from relance.analysis.labels import Label, prototypes
from relance.analysis.points import selection, stream_points
from relance.analysis.results import write_results
from relance.analysis.texts import embed_texts
from relance.errors import InputError
from relance.store import open_store
from relance.store.index_tables import part_name
from relance.store.lock import hold

if TYPE_CHECKING:
    from relance.analysis.points import Level
    from relance.index import Index

__all__ = ["Classes", "Classified", "Verdicts", "classify", "classify_texts", "judge", "probabilities"]


@dataclass(slots=True, frozen=True)
class Classified:
    """One text or document and its class.

    Attributes:
        name: its uri, or the text itself.
        label: None: unsure, because `score` or `margin` is too small.
        score: cosine of it and the class.
        margin: how much less `runner_up`, the next best class, has.
        probability: of the best class, where a temperature is known; see `calibration`.
    """

    name: str
    label: str | None
    score: float
    margin: float
    runner_up: str
    probability: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(slots=True, frozen=True)
class Classes:
    """How many of an index belong to each class; each one's is in the results `table`.

    Attributes:
        counts: by label, most frequent first; `unsure` belong to none.
        examples: of each label the documents that are clearest.
        column: of the index's own table, where labels were written to one.
    """

    index: str
    level: Level
    table: str
    column: str
    total: int
    counts: dict[str, int]
    unsure: int
    examples: dict[str, list[str]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(slots=True, frozen=True)
class Verdicts:
    """The best class of each of some points.

    Attributes:
        best: place of the label, int32; `second` that of the runner-up; shape (points,), as the others.
        sure: whether score and margin are large enough.
        probability: NaN where no temperature is known.
    """

    best: NDArray[np.int32]
    second: NDArray[np.int32]
    score: NDArray[np.float32]
    margin: NDArray[np.float32]
    probability: NDArray[np.float32]
    sure: NDArray[np.bool_]


def classify(index: Index, labels: Sequence[Label], *, level: Level = "documents", filter: str | None = None,  # noqa: A002, PLR0913  # by keyword
             where: str | None = None, min_score: float | None = None, min_margin: float | None = 0.0,
             temperature: float | None = None, column: str = "", wait_s: float = 0.0) -> Classes:  # fmt: skip
    """Classify every document of an index, in bounded memory, into the results table `<index>__classes`.

    Args:
        index: what is classified.
        labels: the classes, at least two.
        level: what has a class: documents, chunks or media.
        filter: what people write to limit it (docs/search.md).
        where: SQL condition on the columns of the table; the rest has no class.
        min_score: cosine below which something is unsure; models differ in what that means, so measure first.
        min_margin: distance to the next best class below which it is unsure; None: no distance is enough, all are.
        temperature: of the softmax that gives probabilities; see `calibration`.
        column: write labels to this column of the index's table too, so that searches can be filtered by it; NULL
            where unsure. A document that changes later has none until it is classified again. No run may write then.
        wait_s: seconds to wait for a run, before IndexBusyError.
    """
    import pyarrow as pa
    from pyarrow.compute import field

    _check_limits(min_score, min_margin)
    if wait_s < 0:
        msg = f"seconds to wait must be 0 or more, got {wait_s:g}"
        raise InputError(msg)
    names = [label.name for label in labels]
    where = selection(index, level, filter=filter, where=where)
    places = prototypes(index, labels, level=level)
    with contextlib.ExitStack() as exits:
        if column:
            check_column(index, column, level)
            held = hold(open_store(index.spec), part_name(index.spec.name, media=level == "media"), wait_s=wait_s)
            check_lock = exits.enter_context(held)
        parts = []
        for points in stream_points(index, level=level, where=where):
            found = judge(points.vectors @ places.T, min_score=min_score, min_margin=min_margin,
                          temperature=temperature)  # fmt: skip
            parts.append(_rows(points.ids, points.uris, found, names))
        rows = pa.concat_tables([_rows([], [], judge(np.zeros((0, len(names)), np.float32)), names), *parts])
        if column:
            labelled = rows.filter(rows["label"].is_valid())
            by_id = dict(zip(labelled["id"].to_pylist(), labelled["label"].to_pylist(), strict=True))
            write_column(index, column, by_id, level=level, check_lock=check_lock)
    described = {"labels": json.dumps([asdict(label) for label in labels], ensure_ascii=False), "level": level}
    table = write_results(index, "classes", rows, described)
    counts = {each["values"]: each["counts"] for each in rows["label"].drop_null().value_counts().to_pylist()}
    counts = {name: counts.get(name, 0) for name in sorted(names, key=lambda name: -counts.get(name, 0))}
    examples = {}
    for name in names:
        of_label = rows.filter(field("label") == name).sort_by([("margin", "descending")])
        examples[name] = of_label["uri"][:3].to_pylist()
    return Classes(index.spec.name, level, table, column, rows.num_rows, counts, rows["label"].null_count, examples)


def classify_texts(index: Index, texts: Sequence[str], labels: Sequence[Label], *, level: Level = "documents",
                   min_score: float | None = None, min_margin: float | None = 0.0,
                   temperature: float | None = None) -> list[Classified]:  # fmt: skip
    """Classify texts that need not be in the index, by its model; the arguments as in `classify`."""
    _check_limits(min_score, min_margin)
    if any(not text.strip() for text in texts):
        msg = "a text is empty"
        raise InputError(msg)
    names = [label.name for label in labels]
    near = embed_texts(index, texts, media=level == "media") @ prototypes(index, labels, level=level).T
    found = judge(near, min_score=min_score, min_margin=min_margin, temperature=temperature)
    return [
        Classified(
            text,
            names[found.best[at]] if found.sure[at] else None,
            round(float(found.score[at]), 6),
            round(float(found.margin[at]), 6),
            names[found.second[at]],
            None if temperature is None else round(float(found.probability[at]), 6),
        )
        for at, text in enumerate(texts)
    ]


def judge(near: NDArray[np.float32], *, min_score: float | None = None, min_margin: float | None = 0.0,
          temperature: float | None = None) -> Verdicts:  # fmt: skip
    """Find the best class by similarity; `near` is of shape (points, labels)."""
    order = np.argsort(-near, axis=1, kind="stable")[:, :2]
    at = np.arange(len(near))
    score, margin = near[at, order[:, 0]], near[at, order[:, 0]] - near[at, order[:, 1]]
    sure = margin >= (np.inf if min_margin is None else min_margin)
    if min_score is not None:
        sure &= score >= min_score
    chance = np.full(len(near), np.nan, np.float32)
    if temperature is not None:
        chance = probabilities(near, temperature).max(axis=1).astype(np.float32)
    best, second = order[:, 0].astype(np.int32), order[:, 1].astype(np.int32)
    return Verdicts(best, second, score, margin, chance, sure)


def probabilities(near: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Turn similarities into probabilities by a softmax; both of shape (points, labels)."""
    if not temperature > 0:
        msg = f"the temperature must be more than 0, got {temperature:g}"
        raise InputError(msg)
    logits = near.astype(np.float64) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _check_limits(min_score: float | None, min_margin: float | None) -> None:
    for name, value in (("min_score", min_score), ("min_margin", min_margin)):
        if value is not None and not math.isfinite(value):
            msg = f"{name} must be a number, got {value:g}"
            raise InputError(msg)


def _rows(ids: list[str], uris: list[str], found: Verdicts, names: list[str]) -> Any:
    import pyarrow as pa

    words = np.array(names, dtype=object)
    return pa.table({
        "id": pa.array(ids, pa.string()),
        "uri": pa.array(uris, pa.string()),
        "label": pa.array(words[found.best], pa.string(), mask=~found.sure),
        "best": pa.array(words[found.best], pa.string()),
        "runner_up": pa.array(words[found.second], pa.string()),
        "score": pa.array(found.score, pa.float32()),
        "margin": pa.array(found.margin, pa.float32()),
        "probability": pa.array(found.probability, pa.float32(), from_pandas=True),
    })  # fmt: skip
