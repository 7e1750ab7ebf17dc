"""How far the classes of an index can be trusted, where the true ones of some documents are known."""

from __future__ import annotations

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.analysis.classify import judge, probabilities
from relance.analysis.labels import Label, prototypes
from relance.analysis.points import read_points
from relance.config.yaml_files import readable
from relance.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from relance.analysis.points import Level
    from relance.index import Index

__all__ = ["Calibration", "Measured", "calibrate", "expected_calibration_error", "fit_temperature", "read_labelled"]

_BINS = 10
_FOLDS = 5
_TEMPERATURES = np.geomspace(1e-4, 1.0, 200)


@dataclass(slots=True, frozen=True)
class Measured:
    """How well one class is recognised, 0 to 1; `support` documents are of it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(slots=True, frozen=True)
class Calibration:
    """What labelled documents tell of a classification.

    Attributes:
        accuracy: share of documents whose best class is the true one.
        macro_f1: mean over the classes that have documents.
        ece: expected calibration error (Guo et al. 2017, 10 bins) of the probabilities at `temperature`, measured on
            documents it was not fitted on; `ece_before` of a bare softmax of cosines.
        min_margin: the smallest margin at which the answers are right as often as `target` asks; None: at none.
        coverage: share of documents that have at least that margin, and `answered_accuracy` how often those are right.
        confusions: true class, class given, how often; most frequent first.
    """

    index: str
    level: Level
    documents: int
    accuracy: float
    macro_f1: float
    labels: dict[str, Measured]
    temperature: float
    ece: float
    ece_before: float
    target: float
    min_margin: float | None
    coverage: float
    answered_accuracy: float
    confusions: list[tuple[str, str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def calibrate(index: Index, labels: Sequence[Label], labelled: Mapping[str, str], *, level: Level = "documents",
              target: float = 0.9) -> Calibration:  # fmt: skip
    """Measure a classification on documents whose class is known, and choose temperature and margin by them.

    Args:
        index: what is classified.
        labels: the classes.
        labelled: label by uri; they should not be the examples the labels were made with.
        level: documents or media.
        target: how often answers have to be right for a margin to be large enough.

    Raises InputError for uris the index does not have, unknown labels, and fewer than two documents.
    """
    names = [label.name for label in labels]
    for uri, label in labelled.items():
        if label not in names:
            close = difflib.get_close_matches(label, names, 1)
            msg = f"{uri}: there is no label {label!r}" + (f"; did you mean {close[0]!r}?" if close else "")
            raise InputError(msg)
    if len(labelled) < 2 or not 0 < target <= 1:
        msg = (f"calibrating takes at least two labelled documents, got {len(labelled)}" if len(labelled) < 2
               else f"the target must be between 0 and 1, got {target:g}")  # fmt: skip
        raise InputError(msg)
    points = read_points(index, level="documents" if level == "chunks" else level, uris=list(labelled))
    truth = np.array([names.index(labelled[uri]) for uri in points.uris])
    near = points.vectors @ prototypes(index, labels, level=level).T
    found = judge(near)
    right = found.best == truth
    measured = {name: _measured(found.best == at, truth == at) for at, name in enumerate(names)}
    present = [each.f1 for each in measured.values() if each.support]
    mixed = Counter(zip(truth[~right].tolist(), found.best[~right].tolist(), strict=True))
    margin, coverage, answered = _margin(found.margin, right, target)
    chances = _held_out(near, truth)
    return Calibration(
        index=index.spec.name, level=level, documents=len(points), accuracy=round(float(right.mean()), 6),
        macro_f1=round(float(np.mean(present)), 6), labels=measured, temperature=fit_temperature(near, truth),
        ece=round(expected_calibration_error(chances.max(axis=1), chances.argmax(axis=1) == truth), 6),
        ece_before=round(expected_calibration_error(probabilities(near, 1.0).max(axis=1), right), 6),
        target=target, min_margin=margin, coverage=coverage, answered_accuracy=answered,
        confusions=[(names[true], names[given], n) for (true, given), n in mixed.most_common()],
    )  # fmt: skip


def fit_temperature(near: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Choose the softmax temperature with the greatest likelihood (Guo et al. 2017), from 0.0001 to 1."""
    at = np.arange(len(truth))
    losses = [-np.log(np.maximum(probabilities(near, t)[at, truth], 1e-12)).mean() for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 6)


def expected_calibration_error(chance: NDArray[np.float64], right: NDArray[np.bool_], bins: int = _BINS) -> float:
    """Weigh the distance of confidence and accuracy over bins of equal width; both of shape (documents,)."""
    place = np.minimum((chance * bins).astype(int), bins - 1)
    gaps = [abs(chance[place == at].mean() - right[place == at].mean()) * (place == at).mean()
            for at in np.unique(place)]  # fmt: skip
    return float(sum(gaps))


def read_labelled(path: Path | str) -> dict[str, str]:
    """Read the true labels of documents from CSV with the columns `uri` and `label`.

    Raises ConfigurationError, with the line, for a row without one of them and for a document with two labels.
    """
    path = Path(path)
    labelled: dict[str, str] = {}
    with readable(path), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            if not row.get("uri") or not row.get("label"):
                msg = f"{path}:{rows.line_num}: is no labelled document; the columns are uri and label"
                raise ConfigurationError(msg)
            known = labelled.setdefault(row["uri"], row["label"])
            if known != row["label"]:
                msg = f"{path}:{rows.line_num}: {row['uri']} is {row['label']!r}, and {known!r} further up; keep one"
                raise ConfigurationError(msg)
    return labelled


def _measured(given: NDArray[np.bool_], true: NDArray[np.bool_]) -> Measured:
    both, n_given, n_true = int((given & true).sum()), int(given.sum()), int(true.sum())
    precision, recall = both / n_given if n_given else 0.0, both / n_true if n_true else 0.0
    f1 = 2 * both / (n_given + n_true) if n_given + n_true else 0.0
    return Measured(round(precision, 6), round(recall, 6), round(f1, 6), n_true)


def _margin(margins: NDArray[np.float32], right: NDArray[np.bool_], target: float) -> tuple[float | None, float, float]:
    """Find the smallest margin that answers rightly often enough; with it how many are answered, and how well."""
    order = np.argsort(-margins, kind="stable")
    ordered = margins[order]
    accuracy = np.cumsum(right[order]) / np.arange(1, len(right) + 1)
    last = np.append(ordered[1:] < ordered[:-1], True)  # of equal margins all are answered or none
    enough = np.flatnonzero(last & (accuracy >= target))
    if not len(enough):
        return None, 0.0, 0.0
    at = int(enough[-1])
    return float(ordered[at]), round((at + 1) / len(right), 6), round(float(accuracy[at]), 6)


def _held_out(near: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each document the probabilities at a temperature that others of the same folds chose."""
    folds = np.random.default_rng(0).permutation(len(truth)) % min(_FOLDS, len(truth))
    chances = np.zeros(near.shape)
    for fold in range(folds.max() + 1):
        held = folds == fold
        chances[held] = probabilities(near[held], fit_temperature(near[~held], truth[~held]))
    return chances
