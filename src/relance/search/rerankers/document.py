"""What a reranker is shown of a candidate: its text, or the picture or film it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from relance.search.rerankers.models import MAX_CHARACTERS

if TYPE_CHECKING:
    from relance.search.candidate import Candidate

__all__ = ["Document", "document_of"]

_KINDS: dict[str, Literal["image", "video"]] = {"image": "image", "video": "video"}


class Document(NamedTuple):
    """A text, or the address of a picture or film."""

    kind: Literal["text", "image", "video"]
    content: str


def document_of(candidate: Candidate, *, sees: bool) -> Document:
    """Choose what is shown; a file that has no public address, and a set of images, by its caption."""
    kind = _KINDS.get(candidate.row.get("kind") or "")
    url = candidate.row.get("url") or ""
    if sees and kind is not None and url.startswith(("http://", "https://")):
        return Document(kind, url)
    return Document("text", candidate.text[:MAX_CHARACTERS])
