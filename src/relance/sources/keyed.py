"""Sources of tables that can tell which rows changed without reading them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO

from relance.documents import Item
from relance.sources.tables import TableSource

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KeyedSource"]


class KeyedSource(TableSource):
    """A source of tables, such as those of a database, that may tell which rows changed.

    Where a table has a marker for each row, `keys` lists names and markers only, and `open_rows` hands out the rows
    that changed.
    """

    @abstractmethod
    def keys(self, table: Item, names: AbstractSet[str]) -> Iterator[pa.Table] | None:
        """Stream the rows of a table as `name` (its id, as text), `version` (its marker, as text) and `size` (bytes).

        None where rows have no marker or cannot be found by their id: then the table is read whole. With `names`, the
        others may be left out. Raises SourceError, as `list` does.
        """

    @abstractmethod
    def open_rows(self, table: Item, names: Sequence[str]) -> AbstractContextManager[tuple[BinaryIO, int]]:
        """Open some rows of a table as `open` does all; those that are gone by now are left out."""
