"""What the sections of tables without a file have in common: databases, and tables in a lake."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from relance.config.sources import RowsSpec, SourceSpec

__all__ = ["TablesSpec"]


class TablesSpec(SourceSpec, title="Tables"):
    """How tables that are read row by row become documents."""

    no_encoding: ClassVar[str]
    """What is said to `encoding`, which only files have."""

    rows: RowsSpec | None = Field(default=RowsSpec(), title="Rows")
    """Which columns are what; by default `text` is the text and `id` the name of a row."""

    @field_validator("encoding")
    @classmethod
    def _has_no_encoding(cls, encoding: str) -> str:
        if encoding:
            raise ValueError(cls.no_encoding)
        return encoding

    @field_validator("rows")
    @classmethod
    def _rows_are_said(cls, rows: RowsSpec | None) -> RowsSpec:
        if rows is None:
            msg = "is null, but a table is read row by row only; say which columns are what"
            raise ValueError(msg)
        return rows
