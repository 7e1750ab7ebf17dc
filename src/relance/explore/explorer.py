"""What all pages share: the index, what it holds, and how a page is made of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from relance.errors import RelanceError
from relance.explore.index_reader import IndexReader
from relance.explore.map_job import MapJob
from relance.explore.pictures import Pictures
from relance.explore.templates import environment

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import HTMLResponse

    from relance.index import Index

__all__ = ["Explorer", "explorer_of"]

PAGES = [("/", "Search"), ("/documents", "Documents"), ("/map", "Map"), ("/failures", "Failures"), ("/runs", "Runs"),
         ("/status", "Status")]  # fmt: skip
# Pages that count all documents; who may not see all does not find them.
OF_THE_OWNER = frozenset({"/runs", "/status"})


class Explorer:
    """One index being looked at."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.reader = IndexReader(index)
        self.pictures = Pictures()
        self.map_job = MapJob(index, self.reader)

    def warm(self) -> None:
        """Read what the first pages need, before anybody asks."""
        with contextlib.suppress(RelanceError):  # a page will say it
            self.reader.warm()

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Fill a template."""
        from starlette.responses import HTMLResponse

        frame = {
            "spec": self.index.spec,
            "menu": [page for page in PAGES if page[0] not in OF_THE_OWNER or not self.reader.restricted],
            "path": request.url.path,
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
