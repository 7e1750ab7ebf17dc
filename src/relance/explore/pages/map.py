"""The map of the index, and the clusters on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.explore.explorer import base_of, explorer_of
from relance.explore.pages.document import no_such
from relance.explore.templates import url

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["draw", "picture", "show", "view"]


def show(request: Request) -> Response:
    """Show the clusters and a picture of the map; while it is drawn, the page asks again every two seconds."""
    here = explorer_of(request)
    map_job = here.map_job
    if here.reader.table() is None:
        return here.page(request, "missing.html")
    return here.page(
        request, "map.html", missing=map_job.missing(), drawing=map_job.drawing, problem=map_job.problem,
        clusters=map_job.clusters(), current=map_job.is_current(),
    )  # fmt: skip


def draw(request: Request) -> Response:
    """Begin to draw the map anew."""
    from starlette.responses import RedirectResponse

    explorer_of(request).map_job.draw()
    return RedirectResponse(f"{base_of(request)}/map", status_code=303)


def view(request: Request) -> Response:
    """Show the map alone: the only page with a script, and the only one that runs under another policy."""
    from starlette.responses import HTMLResponse

    map_job = explorer_of(request).map_job
    clusters = map_job.clusters()
    if clusters is None:
        raise no_such("There is no map yet.")
    base = base_of(request)
    html, policy = map_job.html(clusters, lambda uri: url(f"{base}/open", uri=uri))
    return HTMLResponse(html, headers={"content-security-policy": policy})


def picture(request: Request) -> Response:
    """Show the map as a picture."""
    from starlette.responses import Response

    map_job = explorer_of(request).map_job
    clusters = map_job.clusters()
    if clusters is None:
        raise no_such("There is no map yet.")
    return Response(map_job.png(clusters), media_type="image/png")
