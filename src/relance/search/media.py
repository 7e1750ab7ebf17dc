"""Asking an index for images and videos, by words or by a picture."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from relance.search.candidate import Candidate
from relance.search.grouping import grouped
from relance.search.highlight import highlights
from relance.search.hit import Explained, Explanation, Span, plain
from relance.search.hits import Hits
from relance.search.hybrid_query import HybridQuery
from relance.search.mode import Mode
from relance.search.rows import read_rows

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector

__all__ = ["MediaHit", "search_media"]

_COLUMNS = ["uri", "url", "kind", "title", "heading_path", "text", "width", "height", "duration_s", "content_hash",
            "media_type", "metadata"]  # fmt: skip
# The same picture may stand in a folder, a table and three documents: so many rows are read for each hit at first.
_SPARE = 3


@dataclass(slots=True, frozen=True)
class MediaHit:
    """An image or video that answers.

    Attributes:
        url: its address, or its path from the spec's folder.
        kind: image | video | images.
        caption: what its table or document says about it.
        heading_path: of the document that shows it.
        width: pixels, as `height`; None where unknown.
        duration_s: seconds of a video.
        score: higher is better; as in `Hit`.
        also: uris of further places with the same content.
        id: of its row.
        highlights: spans of `caption` that are words of the question.
        explained: only where asked for.
    """

    uri: str
    url: str
    kind: str
    title: str
    caption: str
    heading_path: list[str]
    width: int | None
    height: int | None
    duration_s: float | None
    score: float
    media_type: str
    metadata: dict[str, Any]
    also: list[str]
    id: str = ""
    highlights: list[Span] = field(default_factory=list)
    explained: Explained | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return plain(asdict(self))


def search_media(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int, offset: int = 0,
                 where: str | None = None, explain: Explanation | None = None) -> Hits[MediaHit]:  # fmt: skip
    """Search a media table; the same content in several places is one hit. Arguments: see `search_table`."""
    began = time.perf_counter()
    hybrid = HybridQuery(table, query, vector, mode=mode, first=(k + 1) * _SPARE, where=where)

    def best(n: int) -> list[Candidate]:
        columns = _COLUMNS if hybrid.alone else ["content_hash"]
        return read_rows(table, hybrid.best(n, columns), columns)

    groups = grouped(best, offset + k + 1, key="content_hash", rows_each=_SPARE)
    page = groups[offset : offset + k]
    there = {each.id for each in read_rows(table, [each for rows in page for each in rows], _COLUMNS)}
    shown = [[each for each in rows if each.id in there] for rows in page]
    hits = [_hit(rows, query, hybrid.language, explained=explain is not None) for rows in shown if rows]
    if explain is not None:
        explain.indexes = hybrid.indexes
        explain.seconds["search"] = time.perf_counter() - began
    return Hits(MediaHit, hits, more=len(groups) > offset + k, explanation=explain)


def _hit(found: list[Candidate], query: str, language: str, *, explained: bool) -> MediaHit:
    best, *others = found
    row = best.row
    same = ("uri", "url", "kind", "width", "height", "duration_s", "media_type")
    return MediaHit(
        **{name: row[name] for name in same},
        title=row["title"] or "",
        caption=row["text"] or "",
        heading_path=list(row["heading_path"] or []),
        score=best.score,
        metadata=json.loads(row["metadata"] or "{}"),
        also=[other.row["uri"] for other in others],
        id=best.id,
        highlights=highlights(query, row["text"] or "", language),
        explained=best.explained() if explained else None,
    )
