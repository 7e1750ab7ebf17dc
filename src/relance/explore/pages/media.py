"""One image or video, and what browsers get of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from relance.documents import document_id
from relance.errors import DocumentError, RelanceError
from relance.explore.explorer import Explorer, explorer_of
from relance.explore.headers import FILE_POLICY
from relance.explore.pages.document import no_such
from relance.explore.parameters import Parameters, is_id
from relance.explore.pictures import PLAYED, SIZES, shown_as
from relance.explore.sending import as_download, as_film
from relance.sources.local_files import source_file

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["download", "picture", "show", "video"]

_SIMILAR = 8
_KEPT_S = 3600
_AWAY_S = 60  # where a thumbnail stands for a picture that cannot be fetched now


def show(request: Request) -> Response:
    """Show a picture or a film with all that is known about it."""
    here = explorer_of(request)
    row = _row(here, request)
    return here.page(
        request, "medium.html", medium=row, local=_path(here, row) is not None,
        moment_s=Parameters(request.query_params).seconds("t"),
        how=shown_as(row["url"], row["uri"], row["kind"], row["media_type"]), copies=here.reader.copies(row),
        similar=_similar(here, row["uri"]), shown_in=_shown_in(here, row), document_id=document_id,
        host=urlsplit(row["url"]).hostname if "://" in row["url"] else "",
        annotations=here.reader.annotations([row["uri"]]).get(row["uri"], {}),
    )  # fmt: skip


async def picture(request: Request) -> Response:
    """Draw a picture or a frame of a film, small or large, from its file or its address."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    here, given = explorer_of(request), Parameters(request.query_params)
    size, moment_s = given.choice("size", tuple(SIZES)), given.seconds("t") or 0.0
    row = await run_in_threadpool(_row, here, request)
    kept_s, drawn = _KEPT_S, await run_in_threadpool(here.reader.thumbnail, row, moment_s)
    try:
        if drawn is None or size != "small":
            if here.remote is not None and "://" in row["url"]:
                drawn = await here.remote.webp(row["url"], size, moment_s)
            else:
                drawn = await run_in_threadpool(_drawn, here, row, size, moment_s)
    except (DocumentError, OSError):
        if drawn is None:
            raise no_such("This file cannot be drawn; it can be downloaded, or opened where it is.") from None
        kept_s = _AWAY_S
    headers = {"cache-control": f"private, max-age={kept_s}", "content-security-policy": FILE_POLICY}
    return Response(drawn, media_type="image/webp", headers=headers)


def video(request: Request) -> Response:
    """Send a film, or the part of it a player asks for."""
    from relance.media.sniff import sniff

    here = explorer_of(request)
    path = _path(here, _row(here, request))
    try:
        media_type = sniff(_head(path)) if path else ""
    except OSError:
        media_type = ""
    if path is None or media_type not in PLAYED:
        raise no_such("Browsers cannot play this film; it can be downloaded.")
    return as_film(path, media_type)


def download(request: Request) -> Response:
    """Hand out the file, never to be shown by the browser itself."""
    here = explorer_of(request)
    path = _path(here, _row(here, request))
    if path is None:
        raise no_such("The file is no longer where it was, or it is at an address of the web.")
    return as_download(path)


def _row(here: Explorer, request: Request) -> dict[str, Any]:
    doc_id = request.path_params["doc_id"]
    row = here.reader.medium(doc_id) if is_id(doc_id) else None
    if row is None:
        raise no_such("The index holds no such picture; it may have been removed.")
    return row


def _drawn(here: Explorer, row: dict[str, Any], size: str, moment_s: float) -> bytes:
    path = _path(here, row)
    if path is None:
        raise no_such("The file of this picture is no longer where it was.")
    return here.pictures.webp(path, size, moment_s)


def _path(here: Explorer, row: dict[str, Any]) -> Path | None:
    return source_file(here.index.spec, row["url"], media=True)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4096)


def _similar(here: Explorer, uri: str) -> list[Any]:
    try:
        return list(here.index.search_media(like=uri, k=_SIMILAR, mode="dense"))
    except RelanceError:
        return []


def _shown_in(here: Explorer, row: dict[str, Any]) -> str:
    """Name the document that shows it, if one does and is in the index: `page.md#picture.png` is shown in `page.md`."""
    document = row["uri"].rpartition("#")[0]
    return document if document and here.reader.document(document_id(document)) else ""
