"""Tables of LanceDB: somebody's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from relance.sources.lake.formats.format import Format, TableState

__all__ = ["Lance"]

_ROWS = 1000


class Lance(Format):
    """By LanceDB itself."""

    def open(self) -> TableState:
        """Open the table; ConfigurationError if there is none."""
        import lancedb

        if not self.remote and not self.path.is_dir():
            raise self.missing(f"there is no folder {self.path}")
        name = self.spec.table
        with self.explained(f"opening {self.spec.uri}, table {name}"):
            database = lancedb.connect(self.place, storage_options=self.options or None)
            try:
                table = database.open_table(name)
            except (ValueError, FileNotFoundError) as error:
                if "not found" not in str(error).lower():
                    raise
                raise self.missing(f"there is no table {name!r} in {self.spec.uri}") from None
            if self.spec.at is not None:
                table.checkout(self.spec.at)
            return _Table(self, table)


class _Table(TableState):
    def __init__(self, form: Lance, table: Any) -> None:
        self._form, self._table = form, table
        number = table.version
        # A table that was dropped and made anew counts from 1 again.
        made = [each["timestamp"].isoformat() for each in table.list_versions() if each["version"] == number]
        self.version = f"{number}-{''.join(made)}"

    def schema(self) -> pa.Schema:
        return self._table.schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with self._form.explained(f"reading {self._form.spec.uri}, table {self._form.spec.table}"):
            yield from self._table.search().select(list(columns)).to_batches(_ROWS)
