"""The index in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.explore.explorer import explorer_of
from relance.explore.pages.document import for_the_owner

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["show"]


def show(request: Request) -> Response:
    """Describe the index as it is now."""
    here = explorer_of(request)
    for_the_owner(here)
    described = dict(here.reader.status())
    media = described.pop("media", None)
    parts = [("Texts", described, here.index.spec.embedding, here.reader.shape())]
    if media is not None and here.index.spec.media is not None:
        parts.append(("Images and videos", media, here.index.spec.media.embedding, here.reader.shape(media=True)))
    return here.page(request, "status.html", parts=parts, store=here.reader.store_uri)
