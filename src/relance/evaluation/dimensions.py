"""What shorter vectors lose: the stored ones cut and made unit length again, nothing embedded anew.

A model trained for it (Matryoshka representation learning, Kusupati et al. 2022) puts what matters most into the first
components, so that a shorter vector is what the model itself returns for a smaller `dimension`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, InputError
from relance.evaluation.bootstrap import intervals
from relance.evaluation.dataset import Qrels, Queries
from relance.evaluation.footprint import GIB
from relance.evaluation.judged import Judged, find_judged
from relance.evaluation.measures import MEASURES, Measure, ranked

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["DIMENSIONS", "Step", "TradeOff", "check_dense", "trade_off"]

DIMENSIONS = (2048, 1536, 1024, 768, 512, 256, 128, 64)  # the vendor's, of text-embedding-v4
_BATCH_ROWS = 4096
# Models that are trained to be cut, by how their names begin; their makers say so.
_TRAINED = ("wordllama", "text-embedding-v3", "text-embedding-v4", "text-embedding-3-", "qwen3", "jina-embeddings-v3",
            "nomic-embed-text-v1.5", "mxbai-embed-large")  # fmt: skip

Leaders = dict[str, float]  # score by uri, of the best documents of a question so far


@dataclass(slots=True, frozen=True)
class Step:
    """One length of vectors.

    Attributes:
        bytes_per_vector: as float32.
        intervals: bootstrap intervals of the means.
    """

    dimension: int
    bytes_per_vector: int
    ndcg: float
    recall: float
    mrr: float
    map: float
    precision: float
    intervals: dict[Measure, tuple[float, float]]

    @property
    def gib_per_million(self) -> float:
        """GiB that a million such vectors take."""
        return self.bytes_per_vector * 1e6 / GIB


@dataclass(slots=True, frozen=True)
class TradeOff:
    """The curve of an index, longest vectors first.

    Attributes:
        note: how far the model is meant for this.
    """

    index: str
    model: str
    k: int
    queries: int
    steps: list[Step]
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def trade_off(index: Index, queries: Queries, qrels: Qrels, *, dimensions: Sequence[int] = DIMENSIONS,
              k: int = 10, batch_rows: int = _BATCH_ROWS) -> TradeOff:  # fmt: skip
    """Grade exact searches by the first components of the stored vectors.

    The table is read once, `batch_rows` rows at a time. Of `dimensions` those count that are below the table's own,
    which is always there; so the same list serves every model. Queries are embedded once and may cost money.

    Raises InputError for a dimension below 1, and ConfigurationError where there are no dense vectors.
    """
    if not dimensions or min(dimensions) < 1 or k < 1:
        raise InputError("dimensions and k must be at least 1")
    judged = find_judged(index, queries, qrels)
    check_dense(judged)
    own = judged.table.schema.field("vector").type.list_size
    lengths = sorted({own, *(length for length in dimensions if length < own)}, reverse=True)
    asked = _embed(index, judged.table, [queries[query] for query in judged.grades])
    best = _best_documents(judged, asked, lengths, k, batch_rows)
    grades = list(judged.grades.values())
    steps = [_step(length, leaders, grades, k) for length, leaders in zip(lengths, best, strict=True)]
    model = (index.spec.media if judged.media and index.spec.media else index.spec).embedding.model
    return TradeOff(index.spec.name, model, k, len(grades), steps, _note(model))


def check_dense(judged: Judged) -> None:
    """Raise ConfigurationError where there are no dense vectors."""
    if "vector" not in judged.table.schema.names:
        msg = f"index {judged.index.spec.name!r} has no dense vectors to shorten"
        raise ConfigurationError(msg)


def _embed(index: Index, table: Any, questions: Sequence[str]) -> NDArray[np.float32]:
    from relance.search.query_encoder import QueryEncoder
    from relance.store import open_store

    with QueryEncoder(index.spec, open_store(index.spec)) as known:
        vectors = [known.embed(table, question).vector[0] for question in questions]
    return np.stack(vectors)


def _best_documents(judged: Judged, asked: NDArray[np.float32], lengths: Sequence[int], k: int,
                    batch_rows: int) -> list[list[Leaders]]:  # fmt: skip
    """Find the `k` best documents of every question at every length; a document is as good as its best chunk."""
    cut = [_unit(asked[:, :length]) for length in lengths]
    best: list[list[Leaders]] = [[{} for _ in asked] for _ in lengths]
    for uris, vectors in _batches(judged.table, batch_rows):
        names, rows = np.unique([judged.copies.get(uri, uri) for uri in uris], return_inverse=True)
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], np.arange(len(names)))
        for questions, leaders, length in zip(cut, best, lengths, strict=True):
            scores = questions @ _unit(vectors[:, :length])[order].T
            _keep(leaders, names, np.maximum.reduceat(scores, starts, axis=1), k)
    return best


def _keep(leaders: list[Leaders], names: NDArray[Any], scores: NDArray[np.float32], k: int) -> None:
    """Merge a batch's best documents into the best so far: whoever is among them in the end is in its batch, too."""
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k] if scores.shape[1] > k else None
    for question, own in enumerate(leaders):
        places = range(scores.shape[1]) if top is None else top[question]
        for place in places:
            uri, score = str(names[place]), float(scores[question, place])
            own[uri] = max(score, own.get(uri, -math.inf))
        if len(own) > k:
            leaders[question] = {uri: own[uri] for uri in ranked(own)[:k]}


def _step(length: int, leaders: Sequence[Leaders], grades: Sequence[Mapping[str, int]], k: int) -> Step:
    values = np.array([[measure(ranked(found), graded, k) for measure in MEASURES.values()]
                       for found, graded in zip(leaders, grades, strict=True)])  # fmt: skip
    means = dict(zip(MEASURES, values.mean(axis=0).tolist(), strict=True))
    bounds = [(float(low), float(high)) for low, high in intervals(values)]
    return Step(length, 4 * length, **means, intervals=dict(zip(MEASURES, bounds, strict=True)))


def _batches(table: Any, rows: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    for batch in table.search().where("active").select(["uri", "vector"]).limit(None).to_batches(rows):
        column = batch.column("vector")
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        if len(column):
            yield batch.column("uri").to_pylist(), vectors


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)


def _note(model: str) -> str:
    name = model.partition("/")[2]
    if name.startswith(_TRAINED):
        return (
            f"{model} offers shorter vectors itself, so it is taken to be trained to be cut (Matryoshka). Before you "
            "choose a length, build an index with that `dimension`: the service may do more than cut."
        )
    return (
        f"{model} is not known to be trained to be cut: the curve shows what cutting its vectors loses all the same, "
        "which another model of the short dimension may not lose."
    )
