"""Tables (JSONL, JSON, CSV, TSV, Parquet, XLSX, ODS): each row is a document, or an image or video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeVar

from relance.config.sources import RowsSpec
from relance.errors import DocumentError
from relance.parsers.csv_records import csv_records
from relance.parsers.decoding import decode
from relance.parsers.json_records import json_array_records, json_lines_records
from relance.parsers.media_types import CSV, JSON, JSONL, ODS, PARQUET, TSV, XLSM, XLSX
from relance.parsers.parquet_records import parquet_records
from relance.parsers.parser import Collection, Parsed, Parser, Raw
from relance.parsers.records import Records, Table
from relance.parsers.row_block import Names, RowBlock
from relance.parsers.rows import Row, Rows
from relance.parsers.sheet_records import sheet_records
from relance.parsers.wanted_columns import Wanted

__all__ = ["TableRows"]

T = TypeVar("T")


class TableRows(Parser):
    """Rows by the section `rows` of a source; without it, a table that is text is one document."""

    version = "rows-2"
    media_types = (CSV, TSV, JSONL, PARQUET)
    collections = (JSON, XLSX, XLSM, ODS)
    isolated = (XLSX, XLSM, ODS)
    refused: ClassVar[Mapping[str, str]] = {
        PARQUET: "a Parquet table is read row by row only; set `rows` of this source"
    }
    decodes = True

    def parse(self, raw: Raw) -> Parsed:
        """Decode a table as one text."""
        return Parsed(decode(raw.data, raw.uri, encoding=raw.encoding))

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:  # noqa: ARG002  # all tables are alike
        """Whether the source says which columns are what."""
        return rows is not None

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the rows in order of the file, but for errors; an id that comes again is an error at its line."""
        for block in self.blocks(collection):
            yield from block

    def blocks(self, collection: Collection) -> Iterator[Rows]:
        """Stream them column by column."""
        if collection.rows is None:
            raise DocumentError(collection.uri, "this source has no `rows`")
        wanted = Wanted(collection.rows, media=collection.media)
        names = Names()
        for records in _read(wanted.table(collection), collection.media_type):
            yield RowBlock(records, wanted, collection.uri, collection.identity).rows(names)


def _read(table: Table, media_type: str) -> Iterator[Records]:
    """Stream the rows of a table, many at a time; raises DocumentError if the file as a whole is at fault."""
    match media_type:
        case t if t == JSONL:
            return json_lines_records(table)
        case t if t == JSON:
            return json_array_records(table)
        case t if t in {CSV, TSV}:
            return csv_records(table, "\t" if t == TSV else "")
        case t if t == PARQUET:
            return parquet_records(table)
        case t if t in {XLSX, XLSM, ODS}:
            return sheet_records(table, t)
        case _:
            raise DocumentError(table.uri, f"{media_type} has no rows")
