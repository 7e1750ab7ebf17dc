"""Which columns of a table are read."""

from __future__ import annotations

from io import BytesIO

from relance.config.sources import RowsSpec
from relance.errors import ConfigurationError
from relance.parsers.media_types import JSONL
from relance.parsers.parser import Collection
from relance.parsers.records import Table, close_name
from relance.parsers.wanted_columns import Wanted

__all__ = ["column_in", "needed_columns", "wanted_columns"]


def wanted_columns(rows: RowsSpec, names: list[str], where: str) -> list[str]:
    """Choose among the columns of a table what a section `rows` needs, in the table's order.

    ConfigurationError with the nearest name for one that is not there.
    """
    found: set[str] = set()
    for table in _tables(rows):
        found |= {column_in(names, each, where) for each in table.declared if each != rows.id}
        found |= {each for each in table.welcome if each in names and each != "id"}
    return [each for each in names if each in found]


def needed_columns(rows: RowsSpec) -> list[str]:
    """Name what a section `rows` cannot do without."""
    found = [each for table in _tables(rows) for each in table.declared]
    return list(dict.fromkeys(each.partition(".")[0] for each in found))


def _tables(rows: RowsSpec) -> list[Table]:
    """Say what of a table makes texts, and what makes pictures."""
    opened = Collection(BytesIO(), "", JSONL, rows)
    media = bool(rows.url)
    only_media = media and "text" not in rows.model_fields_set
    return [Wanted(rows, media=each).table(opened) for each in (False, True) if (media if each else not only_media)]


def column_in(names: list[str], wanted: str, where: str) -> str:
    """Find the column that a name, or a path into nested values, is of."""
    for each in (wanted, wanted.partition(".")[0]):
        if each in names:
            return each
    close = close_name(wanted, names)
    hint = f"did you mean {close!r}? " if close else ""
    raise ConfigurationError(f"{where} has no column {wanted!r}; {hint}it has: {', '.join(names[:30])}")
