"""What a search finds, and how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Explained", "Explanation", "Hit", "Span", "plain"]

Span = tuple[int, int]


@dataclass(slots=True, frozen=True)
class Explained:
    """Where a hit's place comes from; None and absent: this list has it not among the best.

    Attributes:
        ranks: its place in each list (`dense`, `full-text`, `sparse`); the best is 1.
        cosine: similarity of its vector with the question's, -1 to 1; LanceDB's distance is 1 - cosine.
        bm25: score of the full-text search.
        sparse: inner product of the sparse vectors.
        fused: sum of what each list adds; see `relance.search.fusion`.
        rerank: score of the reranker.
    """

    ranks: dict[str, int]
    cosine: float | None = None
    bm25: float | None = None
    sparse: float | None = None
    fused: float | None = None
    rerank: float | None = None


@dataclass(slots=True, frozen=True)
class Hit:
    """A chunk that answers.

    Attributes:
        score: higher is better; cosine similarity (dense), BM25 (full-text), inner product (sparse), how far it stands
            out in these lists (hybrid; see `relance.search.fusion`), or what the reranker says.
        start: character offset in the document's text, as `end`.
        page: page it begins on, for paged documents.
        id: of the chunk.
        highlights: spans of `text` that are words of the question, in order, not overlapping.
        snippet: the span of `text` around its best passage.
        further: where hits are grouped: how many more chunks of the document were found.
        chunks: the best of those.
        explained: only where asked for.
    """

    uri: str
    title: str
    heading_path: list[str]
    text: str
    start: int
    end: int
    score: float
    page: int | None
    seq: int
    media_type: str
    metadata: dict[str, Any]
    id: str = ""
    highlights: list[Span] = field(default_factory=list)
    snippet: Span = (0, 0)
    further: int = 0
    chunks: list[Hit] = field(default_factory=list)
    explained: Explained | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return plain(asdict(self))


@dataclass(slots=True)
class Explanation:
    """What a search did.

    Attributes:
        mode: how it was searched.
        table: physical table that served it, and its version.
        where: the condition LanceDB was asked with.
        indexes: how each list was made, e.g. `IVF_RQ`, `FTS`, or `exact` where every row was compared.
        model: that made the question's vector; empty where none was needed.
        query_vector: where that comes from: embedded, cached (in this process), stored (paid for before), or the uri
            whose vectors it is the mean of.
        instruct: sent with the question.
        rerank: model that sorted the best hits once more.
        reranked: how many.
        tokens: billed for reranking.
        cost_usd: for reranking; None where no price is known.
        seconds: of each step.
    """

    mode: str
    table: str = ""
    version: int = 0
    where: str | None = None
    indexes: dict[str, str] = field(default_factory=dict)
    model: str = ""
    query_vector: str = ""
    instruct: str = ""
    rerank: str = ""
    reranked: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def plain(value: Any) -> Any:
    """Turn tuples into lists, as JSON does."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
