"""Records of Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.errors import DocumentError
from relance.parsers.records import Records, Table, require, value_at
from relance.parsers.rows import BLOCK_ROWS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["parquet_records"]


def parquet_records(table: Table) -> Iterator[Records]:
    """Stream the rows; only the columns that are wanted are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(table.stream)
        names = file.schema_arrow.names
        reachable = {*names, *(name for name in table.wanted if _leads_somewhere(file.schema_arrow, name))}
        require(table.uri, table.declared, list(dict.fromkeys([*names, *sorted(reachable)])))
        wanted = [name for name in table.wanted if name in reachable]
        for name in wanted:
            if names.count(name) > 1:
                raise DocumentError(table.uri, f"it has two columns {name!r}; rename one of the two")
        roots = list(dict.fromkeys(name if name in names else name.partition(".")[0] for name in wanted))
        number = 1
        for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=roots, use_threads=False):
            found = batch.schema.names
            columns = {name: _values(column) for name, column in zip(found, batch.columns, strict=True)}
            for name in wanted:
                if name not in columns:
                    root = name.partition(".")[0]
                    columns[name] = [value_at({root: each}, name) for each in columns[root]]
            yield Records(list(range(number, number := number + batch.num_rows)), columns, lambda _: names)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DocumentError(
            table.uri, f"truncated or damaged: not a readable Parquet file ({_first_line(error)})"
        ) from None


def _leads_somewhere(schema: pa.Schema, column: str) -> bool:
    """Whether a dotted path names a value inside a column."""
    import pyarrow as pa

    root, *steps = column.split(".")
    if not steps or schema.get_field_index(root) < 0:
        return False
    kind = schema.field(root).type
    for step in steps:
        while pa.types.is_list(kind) or pa.types.is_large_list(kind):
            if step.isdecimal():
                break
            kind = kind.value_type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            kind = kind.value_type
        elif pa.types.is_struct(kind) and kind.get_field_index(step) >= 0:
            kind = kind.field(step).type
        else:
            return False
    return True


def _values(array: Any) -> list[Any]:
    """Turn a column into Python's values; of times with nanoseconds, which Python's have not, into ISO 8601."""
    import pyarrow as pa

    kind = array.type
    if not (pa.types.is_timestamp(kind) and kind.unit == "ns"):
        return array.to_pylist()
    gaps = np.asarray(array.is_null())
    numbers = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    whole, rest = np.divmod(numbers, 1000)
    times = pa.array(whole, pa.timestamp("us", kind.tz), mask=gaps).to_pylist()
    return [_written(time, extra) if extra else time for time, extra in zip(times, rest.tolist(), strict=True)]


def _written(time: Any, nanoseconds: int) -> str:
    local = time.replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{local}{nanoseconds:03d}{time.isoformat(timespec='microseconds')[len(local) :]}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
