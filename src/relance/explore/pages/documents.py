"""The list of documents, and of images and videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.errors import InputError
from relance.explore.explorer import explorer_of
from relance.explore.parameters import Parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["show"]

# What is sorted by, what that is called, and whether the largest comes first.
_ORDERS = {"uri": ("Name", False), "updated_at": ("Latest", True), "tokens": ("Longest", True)}


def show(request: Request) -> Response:
    """List what the index holds."""
    here, given = explorer_of(request), Parameters(request.query_params)
    kind = given.choice("kind", ("text", "media"))
    order, find, number = given.choice("order", tuple(_ORDERS)), given.text("find"), given.number("page")
    media = kind == "media"
    if media and not here.reader.has_media:
        msg = f"index {here.index.spec.name!r} has no media"
        raise InputError(msg)
    if here.reader.table() is None:
        return here.page(request, "missing.html")
    listed = here.reader.documents(media=media)
    found = listed.having(find, ["uri", "title"])
    if order != "uri":
        found = found.sorted(order, descending=_ORDERS[order][1])
    page = found.page(number)
    return here.page(
        request, "documents.html", kind=kind, orders=_ORDERS, order=order, find=find, page=page, total=len(listed),
        media=here.reader.media([row["doc_id"] for row in page.rows]) if media else {},
        annotations=here.reader.annotations([row["uri"] for row in page.rows]),
        parameters={"kind": kind, "order": order, "find": find},
    )  # fmt: skip
