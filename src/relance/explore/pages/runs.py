"""The log of runs, and the report of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.explore.explorer import explorer_of
from relance.explore.paged_table import Page
from relance.explore.pages.document import for_the_owner, no_such
from relance.explore.parameters import Parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["one", "show"]

_PER_PAGE = 25


def show(request: Request) -> Response:
    """List the latest runs."""
    here, number = explorer_of(request), Parameters(request.query_params).number("page")
    for_the_owner(here)
    runs = here.reader.runs()
    page = Page(runs[(number - 1) * _PER_PAGE : number * _PER_PAGE], number, len(runs), _PER_PAGE)
    return here.page(request, "runs.html", page=page, parameters={})


def one(request: Request) -> Response:
    """Show the reports of a run: of the texts, and of the media."""
    here, run_id = explorer_of(request), request.path_params["run_id"]
    for_the_owner(here)
    reports = [run for run in here.reader.runs() if run["run_id"] == run_id]
    if not reports:
        raise no_such("The log has no such run among its latest thousand.")
    reports.sort(key=lambda run: run.get("part") == "media")
    return here.page(request, "run.html", run_id=run_id, reports=reports)
