"""A table as a reader sees it: whatever is asked of it, rows that are not for this reader are not there.

Everything that reads for somebody gets its table here, so that a new way to read cannot forget to look. LanceDB applies
the condition before it ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from relance.errors import InputError
from relance.store.open_tables import TableVersion
from relance.store.principals import Reader

__all__ = ["Checked", "VisibleTable", "refuse_sql", "seen_by"]

T = TypeVar("T")


class Checked(str):
    """A condition that is safe for every reader: relance wrote it, or looked who asks."""

    __slots__ = ()


# What tells of a table, and nothing of its rows.
_ABOUT = frozenset({"checkout", "index_stats", "list_versions", "stats"})


class VisibleTable(TableVersion):
    """The rows of a pinned table that a reader may see.

    It can be searched, and counted; methods that would read past the condition are not there.

    Attributes:
        condition: in SQL, that a row fulfils which the reader sees.
    """

    def __init__(self, table: Any, condition: str) -> None:
        super().__init__(table)
        self.condition = condition
        self.growing, self.scanned = getattr(table, "growing", False), getattr(table, "scanned", False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VisibleTable) and (self._table, self.condition) == (other._table, other.condition)

    def __hash__(self) -> int:
        return hash((id(self._table), self.condition))

    def __getattr__(self, name: str) -> Any:
        if name in _ABOUT:
            return getattr(self._table, name)
        msg = f"{type(self).__name__!r} has no {name!r}: it would not look who reads"
        raise AttributeError(msg)

    def search(self, *args: Any, **options: Any) -> Any:
        """Begin a search as a LanceDB table does; conditions that are added narrow it."""
        return self._table.search(*args, **options).where(self.condition)

    def begin(self) -> Any:
        """Begin a query as that of the table; conditions that are added narrow it."""
        return super().begin().where(self.condition)

    def count_rows(self, filter: str | None = None) -> int:  # noqa: A002  # its name in LanceDB
        """Count the rows that the reader sees."""
        return self._table.count_rows(f"({self.condition}) AND ({filter})" if filter else self.condition)

    @property
    def whole(self) -> Any:
        """The table with all its rows: for what is the same whoever asks."""
        return self._table

    @property
    def has_places(self) -> bool:
        """As that of the table."""
        return self._table.has_places if isinstance(self._table, TableVersion) else super().has_places


def seen_by(table: Any, reader: Reader) -> Any:
    """Return what a reader sees of a table that is pinned to one version: the table itself where that is everything.

    Where no row has principals, that is found out once a version, and costs nothing after that.
    """
    if reader.is_owner or "access" not in table.schema.names:
        return table
    restricted, some_are_open = _once(table, "access", lambda: _access(table))
    return VisibleTable(table, reader.condition(some_are_open=some_are_open)) if restricted else table


def refuse_sql(table: Any, where: str | None) -> None:
    """Raise InputError for a condition in SQL, where a reader does not see all rows.

    Before LanceDB drops the rows that a reader may not see, it evaluates a condition for them, too: the error of
    `CAST(title AS INT) > 0` quotes a title, and `1 / (length(title) - 5) > 0` fails where there is one of 5 letters.
    """
    if where and where.strip() and isinstance(table, VisibleTable) and not isinstance(where, Checked):
        msg = ("where takes SQL, which can be made to show documents that are not for everybody; ask with filter, "
               "or as the owner of the index (--as-owner; in Python principals=relance.OWNER)")  # fmt: skip
        raise InputError(msg)


def _access(table: Any) -> tuple[bool, bool]:
    """Tell whether any row has principals, and whether any has none."""
    if not table.count_rows("access IS NOT NULL"):
        return False, True
    return True, bool(table.count_rows("access IS NULL AND active"))


def _once(table: Any, what: str, read: Callable[[], T]) -> T:
    return table.once(what, read) if isinstance(table, TableVersion) else read()
