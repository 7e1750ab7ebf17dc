"""What the answer of a server says about what it sent."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message

from relance.errors import RelanceError
from relance.fetch import Fetched, RefusedBodyError, UnsafeURLError
from relance.sources.web.address import path_of

__all__ = ["HTML", "charset_of", "reason_of", "type_of"]

HTML = frozenset(("text/html", "application/xhtml+xml"))
# Types that say nothing: the name of the file is better.
_VAGUE = frozenset(("", "text/plain", "application/octet-stream", "binary/octet-stream", "application/x-unnamed"))


def charset_of(found: Fetched) -> str:
    """Return the character encoding that a server declares; empty where it does not."""
    message = Message()
    message["content-type"] = found.headers.get("content-type", "")
    return str(message.get_content_charset() or "")


def type_of(found: Fetched, address: str, media_type_of: Callable[[str], str]) -> str:
    """Name the media type of what was sent: as the server says, or by its name where that says nothing."""
    if found.media_type not in _VAGUE:
        return found.media_type
    named = media_type_of(path_of(address))
    if named not in _VAGUE:
        return named
    return found.media_type or "text/html"


def reason_of(error: RelanceError, address: str) -> str:
    """Say why an address could not be had, without repeating it."""
    text = str(error).removeprefix(f"{address.partition('?')[0]}: ").rstrip(".")
    if isinstance(error, RefusedBodyError) and "limit" in text:
        text += " (max_size)"
    return f"it is not fetched: {text}" if isinstance(error, UnsafeURLError) else text
