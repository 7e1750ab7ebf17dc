"""Asking an index for images and videos, by words or by a picture."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from relance.search import Mode, find_rows

if TYPE_CHECKING:
    from relance.embedder import Vector

__all__ = ["MediaHit", "search_media"]

_COLUMNS = ["url", "kind", "width", "height", "duration_s", "content_hash"]
# The same picture may stand in a folder, a table and three documents: so many hits are read to have enough others.
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

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def search_media(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int,
                 where: str | None = None) -> list[MediaHit]:  # fmt: skip
    """Search a media table; the same content in several places is one hit."""
    rows = find_rows(table, query, vector, mode=mode, k=_SPARE * k, where=where, more=_COLUMNS)
    hits: dict[str, MediaHit] = {}
    for row, score in rows:
        content = row["content_hash"]
        if content in hits:
            hits[content].also.append(row["uri"])
        else:
            hits[content] = _hit(row, score)
    return list(hits.values())[:k]


def _hit(row: dict[str, Any], score: float) -> MediaHit:
    same = ("uri", "url", "kind", "width", "height", "duration_s", "media_type")
    return MediaHit(
        **{name: row[name] for name in same},
        title=row["title"] or "",
        caption=row["text"] or "",
        heading_path=list(row["heading_path"] or []),
        score=score,
        metadata=json.loads(row["metadata"] or "{}"),
        also=[],
    )
