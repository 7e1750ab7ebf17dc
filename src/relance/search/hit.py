"""What a search finds, and how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Explained", "Explanation", "Hit", "Span", "moment", "pages", "plain"]

Span = tuple[int, int]


@dataclass(slots=True, frozen=True)
class Explained:
    """Where a hit's place comes from; None and absent: this list has it not among the best.

    Attributes:
        ranks: its place in each list (`dense`, `full-text`, `sparse`); the best is 1.
        deviations: standard deviations above the mean of each list; only where several lists, or a floor, need them.
        cosine: similarity of its vector with the question's, -1 to 1; LanceDB's distance is 1 - cosine.
        bm25: score of the full-text search.
        sparse: inner product of the sparse vectors.
        fused: sum of what each list adds; see `relance.search.fusion`.
        rerank: score of the reranker.
    """

    ranks: dict[str, int]
    deviations: dict[str, float] = field(default_factory=dict)
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
        page_end: page it ends on.
        line: line of the file it begins on, from 1; None where the text is not the file's own (a page, a PDF, a row).
        line_end: line it ends on.
        link: page where people see it, with its lines where the place can show them; empty where there is none.
        lead: what the text needs before it to be read alone, and does not hold: the header of a table that it
            continues. No part of `text`, and of no span.
        id: of the chunk.
        highlights: spans of `text` that are words of the question, in order, not overlapping.
        snippet: the span of `text` around its best passage.
        further: where hits are grouped: how many more chunks of the document were found.
        chunks: the best of those.
        relevance: the score on a scale from 0 to 1 (`relance.search.relevance`); hits of one list are in its order.
        found_by: the lists that it stands out of (`dense`, `full-text`, `sparse`), most of all first: one standard
            deviation or more, or the one that it does most.
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
    page_end: int | None
    seq: int
    media_type: str
    metadata: dict[str, Any]
    lead: str = ""
    id: str = ""
    line: int | None = None
    line_end: int | None = None
    link: str = ""
    highlights: list[Span] = field(default_factory=list)
    snippet: Span = (0, 0)
    further: int = 0
    chunks: list[Hit] = field(default_factory=list)
    relevance: float = 0.0
    found_by: list[str] = field(default_factory=list)
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
        together: whether texts and media were reranked in the same requests; `tokens` and `cost_usd` of both are
            with the texts then.
        tokens: billed for reranking.
        cost_usd: for reranking; None where no price is known.
        floor: standard deviations that a hit has to stand out of a list; 0 where it need not.
        cut: how many of the list did not, and are no hits.
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
    together: bool = False
    tokens: int = 0
    cost_usd: float | None = 0.0
    floor: float = 0.0
    cut: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def pages(first: int | None, last: int | None) -> str:
    """Say for people on which pages a chunk stands: `page 3`, `pages 1–3`, or nothing where there are none."""
    if not first:
        return ""
    return f"pages {first}–{last}" if last and last != first else f"page {first}"


def moment(start: float | None, end: float | None = None) -> str:
    """Say for people where in a film something is: `at 0:42`, `0:42–1:05`, or nothing where nobody knows."""
    if start is None:
        return ""
    return f"{_clock(start)}–{_clock(end)}" if end is not None and int(end) > int(start) else f"at {_clock(start)}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def plain(value: Any) -> Any:
    """Turn tuples into lists, as JSON does."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
