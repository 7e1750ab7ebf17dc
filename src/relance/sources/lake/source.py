"""Rows of a table in a lake."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from relance.config.sources import RowsSpec
from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError
from relance.parsers.media_types import PARQUET
from relance.sources.columns import needed_columns, wanted_columns
from relance.sources.lake.formats import TableState, format_of
from relance.sources.lake.pictures import with_addresses
from relance.sources.lake.spec import LakeSpec
from relance.sources.source import Location, SourceContext
from relance.sources.tables import TableSource

__all__ = ["Lake"]


class Lake(TableSource):
    """The `lake` source: a table is one item, whose version is the table's own.

    One that is the same is not read. Another one is read whole, the wanted columns only, and its rows are compared by
    their content.
    """

    Spec = LakeSpec
    version = "lake-1"
    has_pages = False
    spec: LakeSpec

    def __init__(self, spec: LakeSpec, context: SourceContext) -> None:
        """Prepare to read."""
        super().__init__(spec, context)
        self._format = format_of(spec, context.folder)
        self._uri = self._named()

    def list(self) -> Iterator[Item | Ignored]:
        """Say which version the table has."""
        state = self._open()
        if self._format.listed:
            self._columns(state)
        yield from state.ignored
        yield Item(self._uri, state.version, PARQUET, 0, self.context.position)

    @contextmanager
    def open(self, item: Item) -> Generator[tuple[BinaryIO, int]]:
        """Write the wanted columns of all rows into a temporary file; raises SourceError where that breaks off."""
        if item.uri != self._uri:
            raise DocumentError(item.uri, "no table of this source")
        with tempfile.TemporaryFile(prefix="relance-rows-") as file:
            self._write(file)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            yield file, size

    def location(self, uri: str = "") -> Location | None:
        """Say where the table is."""
        if uri and uri.partition("#")[0] != self._uri:
            return None
        path = self.context.folder / self._uri if "://" not in self._uri else None
        return Location(uri or self._uri, path)

    def _write(self, file: BinaryIO) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        state = self._open()
        try:
            columns = self._columns(state)
        except ConfigurationError as error:
            raise DocumentError(self._uri, str(error)) from None
        media = (self.spec.read_rows or RowsSpec()).url
        writer = None
        for batch in state.batches(columns):
            batch = with_addresses(batch, media)  # noqa: PLW2901  # the same rows
            if writer is None:
                writer = pq.ParquetWriter(file, batch.schema, compression="zstd")
            writer.write_batch(batch)
        if writer is None:  # there are no rows, which is no error
            known = [field for field in state.schema() if field.name in columns]
            schema = known or [
                pa.field(each, pa.string()) for each in needed_columns(self.spec.read_rows or RowsSpec())
            ]
            writer = pq.ParquetWriter(file, pa.schema(schema))
        writer.close()

    def _open(self) -> TableState:
        if self.spec.format == "lance" and "__" in self.spec.table and self._is_own(self._format.path):
            raise ConfigurationError(f"{self.spec.table!r} is a table of this index, which is no source of itself")
        return self._format.open()

    def _columns(self, state: TableState) -> Sequence[str]:
        """Choose the columns that are wanted, and those that a path leads into."""
        rows, names = self.spec.read_rows or RowsSpec(), state.schema().names
        if not names and not self._format.listed:
            return []  # a dataset without files has no columns yet
        wanted = wanted_columns(rows, names, self._uri)
        own = rows.id or ("id" if rows.id == "" else "")
        if own and own not in wanted and own.partition(".")[0] in names:
            wanted.append(own if own in names else own.partition(".")[0])
        return list(dict.fromkeys(wanted))

    def _is_own(self, path: Path) -> bool:
        return not self._format.remote and any(
            os.path.realpath(path) == os.path.realpath(own) for own in self.context.own
        )

    def _named(self) -> str:
        spec = self.spec
        if spec.catalog:
            return f"iceberg://{spec.table}"
        place = spec.uri.rstrip("/")
        if not self._format.remote:
            place = Path(os.path.relpath(self._format.path, self.context.folder)).as_posix()
        return f"{place}/{spec.table}.lance" if spec.format == "lance" else place
