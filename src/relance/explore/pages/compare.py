"""Two searches of the same question, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from relance.documents import document_id
from relance.explore.comparison import HITS, Compared, Side, agreement
from relance.explore.explorer import explorer_of
from relance.explore.pages.search import modes
from relance.explore.parameters import Parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["show"]


def show(request: Request) -> Response:
    """Search twice, and say where the two agree."""
    here, given = explorer_of(request), Parameters(request.query_params)
    table = here.reader.table()
    if table is None:
        return here.page(request, "missing.html")
    indexes, words = list(here.indexes), given.text("q")
    sides = Side.read(given, "a", indexes, "hybrid"), Side.read(given, "b", indexes, "full-text")
    both: list[Compared] = []
    if words:
        with ThreadPoolExecutor(2) as threads:
            both = list(threads.map(lambda side: Compared.of(here.indexes[side.index], words, side), sides))
    return here.page(
        request, "compare.html", words=words, sides=dict(zip("ab", sides, strict=True)), both=both, indexes=indexes,
        modes=modes(table), agreed=agreement(*both) if both else 0, most=HITS, document_id=document_id,
        reranks=any(index.spec.search.rerank is not None for index in here.indexes.values()),
    )  # fmt: skip
