"""Documents that are unlike the others, or unlike what is normal elsewhere."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.analysis.points import describe_points, read_points, selection, stream_points
from relance.analysis.results import write_results
from relance.analysis.texts import embed_texts
from relance.errors import ConfigurationError, InputError
from relance.pipeline.normal import Method, Normal
from relance.store import open_store

if TYPE_CHECKING:
    from relance.analysis.points import Level
    from relance.index import Index

__all__ = ["Anomalies", "Anomaly", "Neighbour", "check_texts", "find_anomalies", "read_normal"]


@dataclass(slots=True, frozen=True)
class Neighbour:
    """A normal document near an anomaly; cosine."""

    uri: str
    similarity: float


@dataclass(slots=True, frozen=True)
class Anomaly:
    """A document or text and how strange it is.

    Attributes:
        uri: empty for a text that is in no index.
        score: its distance from what is normal; see `normal`. Above `threshold` it is `anomalous`.
        nearest: the normal documents it is most like.
        reason: all that in a sentence.
    """

    id: str
    uri: str
    title: str
    text: str
    score: float
    threshold: float
    anomalous: bool
    nearest: list[Neighbour]
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(slots=True, frozen=True)
class Anomalies:
    """What was found.

    Attributes:
        method: centroid | knn | lof.
        scored: documents that were looked at; `count` of them are anomalous, and `found` are the strangest of those.
        reference: documents that told what is normal; `median` is their usual score.
        table: the results table, with the score of every document.
    """

    index: str
    level: Level
    method: str
    scored: int
    count: int
    reference: int
    median: float
    threshold: float
    table: str
    found: list[Anomaly] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def find_anomalies(index: Index, *, level: Level = "documents", filter: str | None = None,  # noqa: A002, PLR0913  # by keyword
                   where: str | None = None, reference: Index | None = None, reference_filter: str | None = None,
                   reference_where: str | None = None, method: Method = "auto",
                   neighbours: int = 5, tolerance: float = 3.5, sample: int = 5_000, limit: int = 100,
                   seed: int = 0) -> Anomalies:  # fmt: skip
    """Score every document of an index by its distance from what is normal, into the table `<index>__anomalies`.

    Memory is bounded by `sample` and some 50 bytes a document. So many strange documents that are alike look normal to
    each other; `find_duplicates` finds those.

    Args:
        index: what is looked at.
        level: documents, chunks or media.
        filter: only what fulfils this condition is looked at (docs/search.md).
        where: the same in SQL, on the columns of the table.
        reference: the index that says what is normal; default: the same one.
        reference_filter: only what fulfils this condition is normal.
        reference_where: the same in SQL.
        method: how distance is measured; see `normal`. `auto` is `knn`.
        neighbours: of `knn`, which is blind to groups of so many strange documents; at least 20 for `lof`.
        tolerance: how many scaled median absolute deviations over the median are too far.
        sample: at most so many points are the reference, chosen uniformly.
        limit: anomalies to describe, the strangest first.
        seed: of the choice.
    """
    import pyarrow as pa

    if limit < 0:
        msg = f"limit must be 0 or more, got {limit}"
        raise InputError(msg)
    where = selection(index, level, filter=filter, where=where)
    reference_where = selection(reference or index, level, filter=reference_filter, where=reference_where)
    normal = read_normal(index, level=level, reference=reference, where=reference_where, method=method,
                         neighbours=neighbours, tolerance=tolerance, sample=sample, seed=seed)  # fmt: skip
    # An index that is its own reference knows each document by its id; another one's ids are other documents'.
    other = (reference or index).spec
    own = (other.name, open_store(other).uri) == (index.spec.name, open_store(index.spec).uri)
    strangest: list[tuple[float, str, str, np.ndarray]] = []
    ids, uris, scores = [], [], [np.zeros(0, np.float32)]
    for points in stream_points(index, level=level, where=where):
        scores.append(normal.score(points.vectors, points.ids if own else [""] * len(points)))
        ids += points.ids
        uris += points.uris
        for at in np.flatnonzero(scores[-1] > normal.threshold):
            entry = (float(scores[-1][at]), points.ids[at], points.uris[at], points.vectors[at].copy())
            if len(strangest) < limit:
                heapq.heappush(strangest, entry)
            elif limit:
                heapq.heappushpop(strangest, entry)
    every = np.concatenate(scores)
    rows = pa.table({
        "id": pa.array(ids, pa.string()), "uri": pa.array(uris, pa.string()), "score": pa.array(every),
        "anomalous": pa.array(every > normal.threshold),
    })  # fmt: skip
    told = {"method": normal.method, "threshold": f"{normal.threshold:.6f}", "median": f"{normal.median:.6f}"}
    table = write_results(index, "anomalies", rows.sort_by([("score", "descending")]), told)
    found = sorted(strangest, key=lambda entry: (-entry[0], entry[1]))
    described = describe_points(index, level, [name for _, name, _, _ in found])
    known = [name if own else "" for _, name, _, _ in found]
    nearest = _nearest(normal, [vector for *_, vector in found], known)
    anomalies = []
    for (score, name, uri, _), neighbours_of in zip(found, nearest, strict=True):
        about = described.get(name)
        title, text = (about.title, about.text) if about else ("", "")
        anomalies.append(_anomaly(normal, text, score, neighbours_of, name=name, uri=uri, title=title))
    return Anomalies(
        index=index.spec.name, level=level, method=normal.method, scored=len(ids),
        count=int((every > normal.threshold).sum()), reference=len(normal.points), median=round(normal.median, 6),
        threshold=round(normal.threshold, 6), table=table, found=anomalies,
    )  # fmt: skip


def check_texts(index: Index, texts: Sequence[str], *, level: Level = "documents", filter: str | None = None,  # noqa: A002, PLR0913  # by keyword
                where: str | None = None, method: Method = "auto", neighbours: int = 5, tolerance: float = 3.5,
                sample: int = 5_000, seed: int = 0) -> list[Anomaly]:  # fmt: skip
    """Tell of texts that need not be in the index whether they are unlike it.

    What is normal is what `filter` and `where` leave of the index. The other arguments are those of `find_anomalies`. A
    long text should be split as the index's are: here it has one vector.
    """
    where = selection(index, level, filter=filter, where=where)
    normal = read_normal(index, level=level, where=where, method=method, neighbours=neighbours, tolerance=tolerance,
                         sample=sample, seed=seed)  # fmt: skip
    vectors = embed_texts(index, texts, media=level == "media")
    names = [""] * len(texts)
    scores = normal.score(vectors, names)
    nearest = _nearest(normal, list(vectors), names)
    return [_anomaly(normal, text, float(score), near)
            for text, score, near in zip(texts, scores, nearest, strict=True)]  # fmt: skip


def read_normal(index: Index, *, level: Level = "documents", reference: Index | None = None, where: str | None = None,  # noqa: PLR0913  # by keyword
                method: Method = "auto", neighbours: int = 5, tolerance: float = 3.5, sample: int = 5_000,
                seed: int = 0) -> Normal:  # fmt: skip
    """Read what is normal: of an index itself, or of another one whose vectors can be compared with its own."""
    if sample < 1:
        msg = f"the sample must have at least one document, got {sample}"
        raise InputError(msg)
    other = reference or index
    media = level == "media"
    spaces = [each.table(media=media).name.rpartition("__")[2] for each in (index, other)]
    if spaces[0] != spaces[1]:
        msg = (f"indexes {index.spec.name!r} and {other.spec.name!r} have vectors of different models, "
               "which cannot be compared")  # fmt: skip
        raise ConfigurationError(msg)
    points = read_points(other, level=level, where=where, sample=sample, seed=seed)
    return Normal(points, method=method, neighbours=neighbours, tolerance=tolerance)


def _nearest(normal: Normal, vectors: list[np.ndarray], ids: list[str]) -> list[list[Neighbour]]:
    if not vectors:
        return []
    uris = normal.points.uris
    return [[Neighbour(uris[place], round(similarity, 6)) for place, similarity in found]
            for found in normal.nearest(np.stack(vectors), ids)]  # fmt: skip


def _anomaly(normal: Normal, text: str, score: float, nearest: list[Neighbour], *, name: str = "", uri: str = "",
             title: str = "") -> Anomaly:  # fmt: skip
    far = score > normal.threshold
    what = f"{score:.3f} is {'over' if far else 'within'} {normal.threshold:.3f}, where {normal.median:.3f} is usual"
    reason = f"{what}; nearest: " + ", ".join(each.uri for each in nearest)
    return Anomaly(name, uri, title, text, round(score, 6), round(normal.threshold, 6), far, nearest, reason)
