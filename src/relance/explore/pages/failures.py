"""What could not be indexed, and why; what is ignored, by reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.explore.explorer import explorer_of
from relance.explore.parameters import Parameters
from relance.pipeline.ignored_counts import ignored_lines

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["show"]

_REASONS = 8


def show(request: Request) -> Response:
    """List failures and warnings, with the most frequent reasons, and count what is ignored."""
    here, given = explorer_of(request), Parameters(request.query_params)
    if here.reader.table() is None:
        return here.page(request, "missing.html")
    failures = here.reader.failures()
    ignored = [] if here.reader.restricted else ignored_lines(here.reader.status()["ignored"])
    stages = [stage for stage, _ in failures.counts("stage")]
    stage, find, number = given.text("stage"), given.text("find"), given.number("page")
    found = failures.being("stage", stage) if stage else failures
    found = found.having(find, ["uri", "reason"])
    return here.page(
        request, "failures.html", total=len(failures), page=found.page(number), stages=stages, stage=stage, find=find,
        reasons=found.counts("reason")[:_REASONS], ignored=ignored, parameters={"stage": stage, "find": find},
    )  # fmt: skip
