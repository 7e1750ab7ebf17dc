"""Tables of Iceberg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa

from relance.errors import ConfigurationError, MissingExtraError
from relance.sources.lake.formats.format import Format, TableState

__all__ = ["Iceberg"]


class Iceberg(Format):
    """By PyIceberg: a table of a catalog, or one that is found by its metadata alone."""

    def open(self) -> TableState:
        """Read the metadata; ConfigurationError if there is no such table."""
        try:
            from pyiceberg.catalog import load_catalog
            from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
            from pyiceberg.table import StaticTable
        except ImportError as error:
            raise MissingExtraError("Reading tables of Iceberg", "iceberg") from error
        with self.explained(f"opening {self.spec.table or self.spec.uri}"):
            try:
                if self.spec.catalog:
                    properties = {name: value.get_secret_value() for name, value in self.spec.catalog.items()}
                    with closing(load_catalog(**{"name": "default", **properties}, **self.options)) as catalog:
                        table = catalog.load_table(self.spec.table)
                else:
                    table = StaticTable.from_metadata(self.place, self.options)
            except (NoSuchTableError, NoSuchNamespaceError):
                raise self.missing(f"there is no table {self.spec.table} in the catalog") from None
            except FileNotFoundError:
                raise self.missing(f"there is no table of Iceberg at {self.spec.uri}") from None
            return _Table(self, table)


class _Table(TableState):
    def __init__(self, form: Iceberg, table: Any) -> None:
        self._form, self._table = form, table
        snapshot = table.current_snapshot() if form.spec.at is None else table.snapshot_by_id(form.spec.at)
        if snapshot is None and form.spec.at is not None:
            raise ConfigurationError(f"{form.spec.table or form.spec.uri}: there is no snapshot {form.spec.at}")
        metadata = table.metadata
        self._snapshot = snapshot.snapshot_id if snapshot else None
        self.version = f"{metadata.table_uuid}-{self._snapshot}-{metadata.current_schema_id}"

    def schema(self) -> pa.Schema:
        return self._scan(("*",)).projection().as_arrow()

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self._snapshot is None:
            return
        with self._form.explained(f"reading {self._form.spec.table or self._form.spec.uri}"):
            yield from self._scan(tuple(columns)).to_arrow_batch_reader()

    def _scan(self, columns: tuple[str, ...]) -> Any:
        return self._table.scan(selected_fields=columns, snapshot_id=self._form.spec.at)
