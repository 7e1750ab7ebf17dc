"""What a reranker is shown of a candidate: its text, or the picture or film it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from relance.search.rerankers.models import MAX_CHARACTERS

if TYPE_CHECKING:
    from relance.search.candidate import Candidate

__all__ = ["Document", "document_of"]

_KINDS: dict[str, Literal["image", "video"]] = {"image": "image", "video": "video"}
# What films a reranker takes is not published: those of the embedding model of its family.
_FILM_TYPES = frozenset({"video/mp4", "video/x-msvideo", "video/quicktime", ""})
_FILM_BYTES = 50 << 20


class Document(NamedTuple):
    """A text, or the address of a picture or film."""

    kind: Literal["text", "image", "video"]
    content: str


def document_of(candidate: Candidate, *, sees: bool) -> Document:
    """Choose what is shown; by its caption a file without a public address, a set of images, and a film to be refused.

    Of a film by key frames only pictures were sent, so that nobody has checked whether a service takes it.
    """
    row = candidate.row
    kind, url = _KINDS.get(row.get("kind") or ""), row.get("url") or ""
    if sees and kind is not None and url.startswith(("http://", "https://")) and (kind == "image" or _is_taken(row)):
        return Document(kind, url)
    return Document("text", candidate.text[:MAX_CHARACTERS])


def _is_taken(film: Mapping[str, Any]) -> bool:
    whole, size = film.get("moment_s") is None, film.get("bytes") or 0
    return whole and size <= _FILM_BYTES and (film.get("media_type") or "") in _FILM_TYPES
