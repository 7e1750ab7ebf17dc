"""The web application: which address is answered by what."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from relance.errors import InputError, MissingExtraError, RelanceError
from relance.explore.explorer import Explorer, explorer_of
from relance.explore.pages import chunk, compare, document, documents, failures, media, runs, search, status
from relance.explore.pages import map as map_pages
from relance.explore.templates import STATIC
from relance.explore.token_auth import TokenAuth

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Mount

__all__ = ["build"]


def build(explorer: Explorer, token: SecretStr, port: int, *more: Explorer) -> TokenAuth:
    """Make the ASGI app of one index, or of several, each below `/index/NAME`; `port` names the cookie."""
    from starlette.applications import Starlette
    from starlette.responses import RedirectResponse
    from starlette.routing import Mount, Route

    explorers = [explorer, *more]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            for each in explorers:
                await each.aclose()

    if not more:
        return TokenAuth(_pages(explorer, lifespan), token, port)
    indexes = {each.index.spec.name: each.index for each in explorers}
    for each in explorers:
        each.indexes = {each.index.spec.name: each.index} | indexes

    def first(request: Request) -> Response:
        return RedirectResponse(f"/index/{explorer.index.spec.name}/?{request.url.query}".removesuffix("?"))

    mounted = [Mount(f"/index/{each.index.spec.name}", app=_pages(each)) for each in explorers]
    root = Starlette(routes=[Route("/", first), *mounted, _static()], lifespan=lifespan)
    root.router.redirect_slashes = False
    return TokenAuth(root, token, port)


def _static() -> Mount:
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    return Mount("/static", StaticFiles(directory=STATIC))


def _pages(explorer: Explorer, lifespan: Any = None) -> Starlette:
    """Make the pages of one index."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", search.show),
            Route("/compare", compare.show),
            Route("/documents", documents.show),
            Route("/documents/{doc_id}", document.show),
            Route("/documents/{doc_id}/file", document.download),
            Route("/documents/{doc_id}/chunks/{seq}", chunk.show),
            Route("/media/{doc_id}", media.show),
            Route("/media/{doc_id}/picture", media.picture),
            Route("/media/{doc_id}/video", media.video),
            Route("/media/{doc_id}/file", media.download),
            Route("/open", document.by_uri),
            Route("/map", map_pages.show),
            Route("/map", map_pages.draw, methods=["POST"]),
            Route("/map/view", map_pages.view),
            Route("/map/picture", map_pages.picture),
            Route("/failures", failures.show),
            Route("/runs", runs.show),
            Route("/runs/{run_id}", runs.one),
            Route("/status", status.show),
            _static(),
        ],
        exception_handlers={HTTPException: _http_problem, RelanceError: _problem, Exception: _defect},
    )
    app.router.redirect_slashes = False
    app.state.explorer = explorer
    return app


def _http_problem(request: Request, error: Exception) -> Response:
    from starlette.exceptions import HTTPException

    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if error.status_code == 404:
        told = error.detail if error.detail != "Not Found" else "There is nothing at this address."
        return explorer_of(request).problem(request, 404, "Not found", told)
    if error.status_code == 405:
        return explorer_of(request).problem(request, 405, "Only for reading", "Nothing can be changed here.")
    return explorer_of(request).problem(request, error.status_code, "That did not work", str(error.detail))


def _problem(request: Request, error: Exception) -> Response:
    """Answer with what relance has to say: it is meant for people."""
    if isinstance(error, InputError):
        return explorer_of(request).problem(request, 400, "That cannot be asked", str(error))
    title = "Something has to be installed first" if isinstance(error, MissingExtraError) else "Not now"
    return explorer_of(request).problem(request, 503, title, str(error))


def _defect(_: Request, __: Exception) -> Response:
    """Answer when something is wrong with relance itself; the terminal has the rest."""
    from relance.explore.token_auth import refusal

    return refusal(
        500, "An error in relance", "The terminal that relance explore runs in shows the details. Please report it."
    )
