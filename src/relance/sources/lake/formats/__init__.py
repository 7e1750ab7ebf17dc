"""The formats of tables, one file each."""

from __future__ import annotations

from pathlib import Path

from relance.sources.lake.formats.delta import Delta
from relance.sources.lake.formats.format import Format, TableState
from relance.sources.lake.formats.iceberg import Iceberg
from relance.sources.lake.formats.lance import Lance
from relance.sources.lake.formats.parquet import Parquet
from relance.sources.lake.spec import FormatName, LakeSpec

__all__ = ["Format", "TableState", "format_of"]

_FORMATS: dict[FormatName, type[Format]] = {"parquet": Parquet, "delta": Delta, "iceberg": Iceberg, "lance": Lance}


def format_of(spec: LakeSpec, folder: Path) -> Format:
    """Choose how a table is read; opens nothing."""
    return _FORMATS[spec.format](spec, folder)
