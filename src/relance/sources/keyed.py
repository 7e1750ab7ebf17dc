"""Sources of tables that can tell which rows changed without reading them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO

from relance.documents import Ignored, Item
from relance.errors import DocumentError
from relance.sources.source import Source
from relance.sources.tables import TableSource

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KeyedSource", "listed"]


class KeyedSource(TableSource):
    """A source of tables, such as those of a database, that may tell which rows changed.

    Where a table has a marker for each row, `keys` lists names and markers only, and `open_rows` hands out the rows
    that changed.
    """

    def tables(self, only: AbstractSet[str]) -> Iterator[Item | DocumentError | Ignored]:  # noqa: ARG002  # a version is cheap
        """List where only these tables and rows are looked at: a table that is none of them may have no version."""
        return self.list()

    @abstractmethod
    def keys(self, table: Item, names: AbstractSet[str]) -> Iterator[pa.Table] | None:
        """Stream the rows of a table as `name` (its id, as text), `version` (its marker, as text) and `size` (bytes).

        None where rows have no marker or cannot be found by their id: then the table is read whole. With `names`, the
        others may be left out. Raises SourceError, as `list` does.
        """

    @abstractmethod
    def open_rows(self, table: Item, names: Sequence[str]) -> AbstractContextManager[tuple[BinaryIO, int]]:
        """Open some rows of a table as `open` does all; those that are gone by now are left out."""


def listed(source: Source, only: AbstractSet[str] = frozenset()) -> Iterator[Item | DocumentError | Ignored]:
    """List a source of which everything is looked at, or only some documents."""
    return source.tables(only) if only and isinstance(source, KeyedSource) else source.list()
