"""One document: its text in order, what is known about it, and what is like it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from relance.documents import document_id
from relance.errors import InputError, RelanceError
from relance.explore.explorer import Explorer, base_of, explorer_of
from relance.explore.index_reader import CHUNKS_PER_PAGE
from relance.explore.parameters import Parameters, is_id
from relance.explore.sending import as_download
from relance.sources.local_files import source_file

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["by_uri", "download", "for_the_owner", "no_such", "show"]

_SIMILAR = 6


def show(request: Request) -> Response:
    """Show a document; `at` is the place of a chunk to begin with."""
    here, given = explorer_of(request), Parameters(request.query_params)
    row = _row(here, request.path_params["doc_id"])
    number = given.number("page", (given.number("at", 1) - 1) // CHUNKS_PER_PAGE + 1)
    with ThreadPoolExecutor(1) as thread:  # both wait for the store
        reading = thread.submit(here.reader.chunks, row, number)
        similar = _similar(here, row["uri"])
        chunks = reading.result()
    first = chunks.rows[0] if chunks.rows else None
    return here.page(
        request, "document.html", document=row, chunks=chunks, first=first, repeated=_repeated(chunks.rows),
        similar=similar, failure=here.reader.failure(row["doc_id"]), document_id=document_id,
        file=not row["parent"] and source_file(here.index.spec, row["uri"]) is not None,
        annotations=here.reader.annotations([row["uri"]]).get(row["uri"], {}),
    )  # fmt: skip


def download(request: Request) -> Response:
    """Hand out the file a document was read from, never to be shown by the browser itself."""
    here = explorer_of(request)
    row = _row(here, request.path_params["doc_id"])
    path = None if row["parent"] else source_file(here.index.spec, row["uri"])
    if path is None:
        raise no_such("This document has no file of its own, or its file is no longer where it was.")
    return as_download(path)


def by_uri(request: Request) -> Response:
    """Lead from a uri to its page."""
    from starlette.responses import RedirectResponse

    here, uri = explorer_of(request), Parameters(request.query_params).exact("uri")
    if not uri:
        msg = "uri is missing"
        raise InputError(msg)
    if not (found := here.reader.of_uri(uri)):
        raise no_such("The index holds no document with this uri.")
    return RedirectResponse(base_of(request) + found, status_code=303)


def no_such(told: str = "The index holds no such document; it may have been removed.") -> Exception:
    """Make the error for what is not there."""
    from starlette.exceptions import HTTPException

    return HTTPException(404, told)


def for_the_owner(here: Explorer) -> None:
    """Show a page about all documents only to a reader who may see all of them; others get a 404."""
    if here.reader.restricted:
        raise no_such("This page is for the owner of the index: relance explore --as-owner shows it.")


def _row(here: Explorer, doc_id: str) -> dict[str, Any]:
    row = here.reader.document(doc_id) if is_id(doc_id) else None
    if row is None:
        raise no_such()
    return row


def _repeated(chunks: list[dict[str, Any]]) -> list[int]:
    """Count the characters at the beginning of each chunk that the one before it ended with."""
    counts, end = [], 0
    for chunk in chunks:
        counts.append(max(0, min(end - chunk["start_char"], len(chunk["text"]))) if counts else 0)
        end = max(end, chunk["end_char"])
    return counts


def _similar(here: Explorer, uri: str) -> list[Any]:
    try:
        return list(here.index.search(like=uri, k=_SIMILAR, group=True, mode="dense"))
    except RelanceError:  # vectors that are sparse only, or a table in the making: the text is worth showing anyway
        return []
