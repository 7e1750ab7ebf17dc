"""Asking an index for images and videos, by words or by a picture."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from relance.media.moments import moment_in
from relance.search.candidate import Candidate
from relance.search.highlight import highlights
from relance.search.hit import Explained, Explanation, Span, plain
from relance.search.hits import Hits
from relance.search.hybrid_query import HybridQuery
from relance.search.mode import Mode
from relance.search.moments import at_moments
from relance.search.rows import held, read_rows
from relance.store.schemas import in_lists

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector

__all__ = ["MediaHit", "MediaSearch"]

_COLUMNS = ["uri", "url", "kind", "title", "heading_path", "text", "width", "height", "duration_s", "content_hash",
            "media_type", "metadata", "last_seen", "moment_s", "bytes"]  # fmt: skip


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
        last_seen: ISO time of the last run that found it, where it is gone since; empty where it is there.
        moment_s: where in a film it was found, in seconds; None where the film is one whole, or only its words answer.
        moment_end_s: where that part of the film ends; None where nobody says.
        highlights: spans of `caption` that are words of the question.
        relevance: the score on a scale from 0 to 1; as in `Hit`.
        found_by: the lists that it stands out of; as in `Hit`.
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
    last_seen: str = ""
    moment_s: float | None = None
    moment_end_s: float | None = None
    highlights: list[Span] = field(default_factory=list)
    relevance: float = 0.0
    found_by: list[str] = field(default_factory=list)
    explained: Explained | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return plain(asdict(self))


class MediaSearch:
    """A question to a media table: the best rows, and hits made of them. The same content is one hit.

    Arguments: see `TextSearch`, and `floor` of `HybridQuery`.
    """

    def __init__(self, table: Any, query: str, vector: Vector | None, *, mode: Mode, where: str | None = None,
                 floor: float = 0.0, explain: Explanation | None = None) -> None:  # fmt: skip
        self._began = time.perf_counter()
        self._table, self._query, self._where, self._explain = table, query, where, explain
        self._notes, self._columns = explain or Explanation(mode), held(table, _COLUMNS)
        self._vector = vector[0] if vector is not None else None
        self._hybrid = HybridQuery(table, query, vector, mode=mode, first=1, where=where, same="content_hash",
                                   floor=floor)  # fmt: skip
        self._notes.indexes, self._notes.floor = self._hybrid.indexes, floor

    def best(self, n: int) -> list[Candidate]:
        """Find the `n` best, with what a hit has to say."""
        return read_rows(self._table, self._hybrid.best(n, self._columns), self._columns)

    def page(self, ranked: list[Candidate], *, k: int, offset: int) -> Hits[MediaHit]:
        """Make the hits of a page."""
        shown = ranked[offset : offset + k]
        at_moments(self._table, shown, self._vector, self._where)
        places = self._places([each.row["content_hash"] for each in shown])
        hits = [_hit(each, places[each.row["content_hash"]], self._query, self._hybrid.language,
                     explained=self._explain is not None) for each in shown]  # fmt: skip
        self._notes.cut = self._hybrid.cut
        self._notes.seconds["search"] = time.perf_counter() - self._began - self._notes.seconds.get("rerank", 0.0)
        return Hits(MediaHit, hits, more=len(ranked) > offset + k, explanation=self._explain, cut=self._hybrid.cut)

    def _places(self, contents: list[str]) -> dict[str, list[str]]:
        """Say at which uris contents are."""
        found: dict[str, set[str]] = {content: set() for content in contents}
        for some in in_lists("content_hash", list(found)):
            condition = f"({some.to_sql()}) AND active" + (f" AND ({self._where})" if self._where else "")
            rows = self._table.search().where(condition).select(["uri", "content_hash"]).limit(None).to_list()
            for row in rows:
                found[row["content_hash"]].add(row["uri"])
        return {content: sorted(uris) for content, uris in found.items()}


def _hit(found: Candidate, places: list[str], query: str, language: str, *, explained: bool) -> MediaHit:
    row = found.row
    same = ("uri", "url", "kind", "width", "height", "duration_s", "media_type")
    metadata = json.loads(row["metadata"] or "{}")
    moment_s, said = row.get("moment_s"), moment_in(metadata, "moment_s")  # of a key frame, and by its table
    return MediaHit(
        **{name: row[name] for name in same},
        title=row["title"] or "",
        caption=row["text"] or "",
        heading_path=list(row["heading_path"] or []),
        score=found.score,
        metadata=metadata,
        also=[uri for uri in places if uri != row["uri"]],
        id=found.id,
        last_seen=row["last_seen"].isoformat(timespec="seconds") if row.get("last_seen") else "",
        moment_s=said if moment_s is None else moment_s,
        moment_end_s=moment_in(metadata, "moment_end_s") if moment_s in {None, said} else None,
        highlights=highlights(query, row["text"] or "", language),
        relevance=found.relevance,
        found_by=found.found_by,
        explained=found.explained() if explained else None,
    )
