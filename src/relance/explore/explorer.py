"""What all pages share: the index, what it holds, and how a page is made of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from relance.errors import RelanceError
from relance.explore.index_reader import IndexReader
from relance.explore.map_job import MapJob
from relance.explore.pictures import Pictures
from relance.explore.remote_pictures import RemotePictures
from relance.explore.templates import environment

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import HTMLResponse

    from relance.index import Index

__all__ = ["Explorer", "base_of", "explorer_of"]

PAGES = [("/", "Search"), ("/compare", "Compare"), ("/documents", "Documents"), ("/map", "Map"),
         ("/failures", "Failures"), ("/runs", "Runs"), ("/status", "Status")]  # fmt: skip
# Pages that count all documents; who may not see all does not find them.
OF_THE_OWNER = frozenset({"/runs", "/status"})


class Explorer:
    """One index being looked at.

    Attributes:
        indexes: all that are looked at, this one first, by name: each has its pages, and they can be compared.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.indexes = {index.spec.name: index}
        self.reader = IndexReader(index)
        self.pictures = Pictures()
        self.remote = RemotePictures(index.spec.media, self.pictures) if index.spec.media else None
        self.map_job = MapJob(index, self.reader)

    def warm(self) -> None:
        """Read what the first pages need, before anybody asks."""
        with contextlib.suppress(RelanceError):  # a page will say it
            self.reader.warm()

    async def aclose(self) -> None:
        """Close what it has opened."""
        if self.remote is not None:
            await self.remote.aclose()

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Fill a template."""
        from starlette.responses import HTMLResponse

        frame = {
            "spec": self.index.spec,
            "menu": [page for page in PAGES if page[0] not in OF_THE_OWNER or not self.reader.restricted],
            "path": request.url.path.removeprefix(base_of(request)) or "/",
            "base": base_of(request),
            "addresses": {name: f"/index/{name}" if len(self.indexes) > 1 else "" for name in self.indexes},
            "failed": self._failed(),
            "has_media": self.reader.has_media,
        }
        return HTMLResponse(environment().get_template(template).render(frame | values), status_code=status)

    def problem(self, request: Request, status: int, title: str, message: str) -> HTMLResponse:
        """Say what is wrong, in a page like the others."""
        return self.page(request, "problem.html", status, title=title, message=message)

    def _failed(self) -> int:
        try:
            failures = self.reader.failures()
            return len(failures) - len(failures.being("indexed", True))
        except RelanceError:  # the store itself cannot be read; the page says so where it matters
            return 0


def explorer_of(request: Request) -> Explorer:
    """Return the explorer that a request is to."""
    return request.app.state.explorer


def base_of(request: Request) -> str:
    """Return what the addresses of an index begin with: nothing where there is one, `/index/NAME` among several."""
    return request.scope.get("root_path", "")
