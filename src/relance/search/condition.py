"""What limits a search or an analysis: a filter, a condition in SQL, or both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relance.search.filters import compile_filter
from relance.search.filters.metadata import Only

__all__ = ["condition"]


def condition(schema: Any, *, filter: str | None = None, where: str | None = None,  # noqa: A002  # what it is called everywhere
              others: str | None = None, elsewhere: Iterable[str] = (),
              only: Only | None = None) -> str | None:  # fmt: skip
    """Put conditions together to one in SQL; None where there is none.

    Args:
        schema: of the table, whose columns the filter names.
        filter: as people write them.
        where: in SQL already.
        others: in SQL too, which a caller adds to what was asked for.
        elsewhere: columns of another table that the filter may name.
        only: tells whether all values of a metadata key are of one kind; see `holds_only`.

    Raises FilterError where the filter is not understood.
    """
    asked = filter and filter.strip()
    compiled = compile_filter(filter, schema, elsewhere=elsewhere, only=only) if filter and asked else None
    parts = [part for part in (where, compiled, others) if part and part.strip()]
    return " AND ".join(f"({part})" for part in parts) or None
