"""Tables of Delta Lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from relance.errors import MissingExtraError
from relance.sources.lake.formats.format import Format, TableState

__all__ = ["Delta"]


class Delta(Format):
    """By deltalake; its own engine reads, which knows deletion vectors and renamed columns."""

    def open(self) -> TableState:
        """Read the log; ConfigurationError if there is no such table."""
        try:
            from deltalake import DeltaTable
            from deltalake.exceptions import TableNotFoundError
        except ImportError as error:
            raise MissingExtraError("Reading tables of Delta", "delta") from error
        if not self.remote and not self.path.is_dir():
            raise self.missing(f"there is no folder {self.path}")
        with self.explained(f"opening {self.spec.uri}"):
            try:
                return _Table(self, DeltaTable(self.place, self.spec.at, storage_options=self.options or None))
            except TableNotFoundError:
                raise self.missing(f"there is no table of Delta at {self.spec.uri}") from None


class _Table(TableState):
    def __init__(self, form: Delta, table: Any) -> None:
        self._form, self._table = form, table
        self.version = f"{table.metadata().id}-{table.version()}"

    def schema(self) -> pa.Schema:
        return pa.schema(self._table.schema().to_arrow())

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with self._form.explained(f"reading {self._form.spec.uri}"):
            yield from pa.RecordBatchReader.from_stream(self._table.scan(columns=list(columns)))
