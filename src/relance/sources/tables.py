"""Sources of tables that have no file: databases, and tables in a lake."""

from __future__ import annotations

from relance.documents import Content, Item
from relance.errors import DocumentError
from relance.sources.source import Source

__all__ = ["TableSource"]


class TableSource(Source):
    """A source whose items are tables: `open` hands one out whole as a file of rows, which become documents."""

    def read(self, item: Item) -> Content:
        """Read a table whole, as one document."""
        with self.open(item) as (stream, size):
            if size > self.spec.max_size:
                most = self.spec.max_size.human_readable()
                raise DocumentError(
                    item.uri, f"{size:,} bytes are more than max_size ({most}) for a table as one document"
                )
            return Content(item, stream.read())
