"""Asking an index questions with known answers, and grading what it finds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.errors import InputError
from relance.evaluation.bootstrap import intervals
from relance.evaluation.dataset import Qrels, Queries
from relance.evaluation.footprint import Footprint, footprint
from relance.evaluation.judged import Judged, find_judged
from relance.evaluation.measures import MEASURES, Measure
from relance.search import Explanation, Hits, Mode

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Answer", "Evaluation", "evaluate"]


@dataclass(slots=True, frozen=True)
class Answer:
    """What one question found: uris, best first, and how good they are.

    Attributes:
        latency_ms: of the search, once the question has its vector.
        embed_ms: of making that; None where none was needed, or it was there already.
        rerank_usd: what sorting its hits cost; None where no price is known.
    """

    id: str
    query: str
    found: list[str]
    ndcg: float
    recall: float
    mrr: float
    map: float
    precision: float
    latency_ms: float
    embed_ms: float | None = None
    rerank_usd: float | None = 0.0


@dataclass(slots=True)
class Evaluation:
    """The means over all questions that have a relevant document.

    Attributes:
        k: documents looked at for each question.
        intervals: for each measure, what its mean lies between in 95 of 100 samples of such questions (bootstrap).
        skipped: questions that were not searched for: no document was judged relevant to them, or they are blank.
        blank: how many of those are blank.
        missing: relevant documents that the index does not have; no search can find them.
        missing_documents: what the dataset calls those.
        latency_ms_p50: of a search, one question at a time; embedding the question comes on top.
        embed_ms_p50: of that; None where nothing was embedded: a full-text search, or all questions were paid for.
        table_version: of the table that was asked, as `fingerprint` its vector space.
        footprint: what it costs to have this index: model, price, sizes.
        label: what sets it apart from those it is compared with.
        media: whether images and videos were asked for, and not texts.
        rerank_usd: what sorting the hits of all questions cost; None where no price is known.
    """

    index: str
    mode: Mode
    k: int
    queries: int
    ndcg: float
    recall: float
    mrr: float
    map: float
    precision: float
    intervals: dict[Measure, tuple[float, float]]
    latency_ms_p50: float
    latency_ms_p95: float
    embed_ms_p50: float | None
    skipped: int
    missing: int
    fingerprint: str
    table_version: int
    footprint: Footprint
    label: str = ""
    blank: int = 0
    media: bool = False
    rerank_usd: float | None = 0.0
    missing_documents: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def as_dict(self, *, answers: bool = False) -> dict[str, Any]:
        """Return plain values; every answer only if asked for."""
        values = asdict(self)
        return values if answers else {name: value for name, value in values.items() if name != "answers"}

    def values(self, measure: Measure) -> NDArray[np.float64]:
        """Return a measure of every question, in the order of their ids; shape (queries,)."""
        ordered = sorted(self.answers, key=lambda answer: answer.id)
        return np.array([getattr(answer, measure) for answer in ordered], dtype=np.float64)


def evaluate(index: Index, queries: Queries, qrels: Qrels, *, mode: Mode = "hybrid", k: int = 10) -> Evaluation:
    """Ask every question that has a relevant document and grade what is found; the documents' uris are the keys.

    Documents are ranked by their best chunk, or as a reranker of the spec sorts them. Where the judged documents are
    images or videos, these are searched; the same content in several places is one document.

    Args:
        index: what is asked; questions may cost money.
        queries: question by id.
        qrels: for each question id the grades of documents, by uri, or by row id where they are rows of a table; a
            grade above 0 is relevant. Media may be named by address, too.
        mode: how it is searched.
        k: documents looked at.

    Raises InputError where the judged documents are texts and media: their scores cannot be compared.
    """
    if k < 1:
        msg = f"k must be at least 1, got {k}"
        raise InputError(msg)
    judged = find_judged(index, queries, qrels)
    # An index of our own: it remembers no question, so that times are the same whatever was asked before.
    with type(index)(index.spec).for_principals(index.principals) as asked:
        search = partial(_ask, asked, judged, mode=mode, k=k)
        first = next(iter(judged.grades))
        search(first, queries[first])  # it waits for the model
        answers = [search(query, queries[query]) for query in judged.grades]
    scores = np.array([[getattr(answer, name) for name in MEASURES] for answer in answers])
    bounds = [(float(low), float(high)) for low, high in intervals(scores)]
    latencies = sorted(answer.latency_ms for answer in answers)
    costs = [answer.rerank_usd for answer in answers if answer.rerank_usd is not None]
    embeddings = sorted(answer.embed_ms for answer in answers if answer.embed_ms is not None)
    return Evaluation(
        index=index.spec.name, mode=mode, k=k, queries=len(answers),
        **dict(zip(MEASURES, (math.fsum(column) / len(answers) for column in scores.T), strict=True)),
        intervals=dict(zip(MEASURES, bounds, strict=True)),
        latency_ms_p50=_percentile(latencies, 50), latency_ms_p95=_percentile(latencies, 95),
        embed_ms_p50=_percentile(embeddings, 50) if embeddings else None,
        skipped=len(queries) - len(answers), blank=sum(not each.strip() for each in queries.values()),
        missing=len(judged.missing), missing_documents=judged.missing,
        fingerprint=judged.table.name.rpartition("__")[2], table_version=judged.table.version, media=judged.media,
        rerank_usd=math.fsum(costs) if len(costs) == len(answers) else None,
        footprint=footprint(index.spec, judged.table, mode, media=judged.media), answers=answers,
    )  # fmt: skip


def _ask(index: Index, judged: Judged, query: str, text: str, *, mode: Mode, k: int) -> Answer:
    """Find the `k` best documents, each as good as its best chunk, and grade them."""
    began = time.perf_counter()
    hits: Hits[Any] = (index.search_media(text, k=k, mode=mode, explain=True) if judged.media
                       else index.search(text, k=k, mode=mode, group=True, explain=True))  # fmt: skip
    took = time.perf_counter() - began
    found = [judged.copies.get(hit.uri, hit.uri) for hit in hits]
    graded = judged.grades[query]
    notes = hits.explanation or Explanation(mode)
    embedding = notes.seconds.get("embed", 0.0)
    return Answer(
        query, text, found, **{name: measure(found, graded, k) for name, measure in MEASURES.items()},
        latency_ms=(took - embedding) * 1000,
        embed_ms=embedding * 1000 if notes.query_vector == "embedded" else None,
        rerank_usd=notes.cost_usd,
    )  # fmt: skip


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Take the smallest value that so many percent do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
