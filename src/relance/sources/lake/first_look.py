"""What `relance init --from` writes about a folder that is a table."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from relance.errors import InputError, MissingExtraError
from relance.sources.chosen_columns import chosen_columns

__all__ = ["first_look"]

_FILES = 500  # looked at: a folder of documents says within few that it is none of Parquet
_SUFFIXES = frozenset({".parquet", ".pq", ".parq"})


def first_look(folder: Path) -> dict[str, Any] | None:
    """Write the section for a table of Delta, or for a folder in which all files are Parquet; None for others.

    Raises InputError where the table cannot be read or has no words, MissingExtraError for Delta without its library.
    """
    form = "delta" if (folder / "_delta_log").is_dir() else "parquet" if _all_parquet(folder) else ""
    if not form:
        return None
    try:
        schema = _columns_of_delta(folder) if form == "delta" else _columns_of_parquet(folder)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"the table {folder} cannot be read: {str(error).partition(chr(10))[0]}") from None
    kinds = {field.name: _kind(field.type) for field in schema}
    rows = chosen_columns(kinds, {"id"} & kinds.keys(), str(folder))
    return {"type": "lake", "format": form, "uri": str(folder), "rows": rows}


def _all_parquet(folder: Path) -> bool:
    files = (path for path in folder.rglob("*") if not path.name.startswith(("_", ".")) and path.is_file())
    suffixes = {path.suffix.lower() for path in islice(files, _FILES)}
    return bool(suffixes) and suffixes <= _SUFFIXES


def _columns_of_parquet(folder: Path) -> pa.Schema:
    from pyarrow import dataset

    return dataset.dataset(folder, format="parquet", partitioning="hive").schema


def _columns_of_delta(folder: Path) -> pa.Schema:
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise MissingExtraError("Reading tables of Delta", "delta") from error
    try:
        return pa.schema(DeltaTable(folder).schema().to_arrow())
    except DeltaError as error:
        raise OSError(str(error)) from None


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return "bytes" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_nested(kind) else ""
