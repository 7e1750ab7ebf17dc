"""One chunk as the table has it: all columns of its row, and the chunks whose vectors are nearest."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from relance.explore.explorer import explorer_of
from relance.explore.pages.document import no_such
from relance.explore.parameters import is_id

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["show"]

_NEIGHBOURS = 10
_FIRST = 8  # numbers of a vector that are shown
_LONGEST = 9  # digits of a place


def show(request: Request) -> Response:
    """Show a row, and its neighbours."""
    here, doc_id, seq = explorer_of(request), request.path_params["doc_id"], request.path_params["seq"]
    numbered = seq.isascii() and seq.isdigit() and len(seq) <= _LONGEST
    row = here.reader.row(doc_id, int(seq)) if is_id(doc_id) and numbered else None
    if row is None:
        raise no_such("The index holds no such chunk; it may have been removed.")
    return here.page(
        request, "chunk.html", row=row, columns=[(name, _shown(value)) for name, value in row.items()],
        neighbours=here.reader.neighbours(row, _NEIGHBOURS),
    )  # fmt: skip


def _shown(value: Any) -> str:
    """Write a value as text: of vectors the number of their values, the length and the first ones."""
    if isinstance(value, dict) and value.keys() == {"indices", "values"}:
        pairs = sorted(zip(value["indices"] or [], value["values"] or [], strict=True), key=lambda each: -each[1])
        return f"{len(pairs):,} terms · {', '.join(f'{term}: {weight:.3f}' for term, weight in pairs[:_FIRST])} …"
    if isinstance(value, list) and value and all(isinstance(each, float) for each in value):
        first = ", ".join(f"{each:.4f}" for each in value[:_FIRST])
        return f"{len(value):,} numbers · norm {math.hypot(*value):.4f} · {first} …"
    if value is None:
        return "NULL"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
