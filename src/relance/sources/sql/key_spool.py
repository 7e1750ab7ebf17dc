"""Names and markers of rows in a temporary file: they are looked through before the first is handed out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from relance.sources.sql.row_names import all_plain

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["spooled"]

_BLOCK = 10_000


def spooled(blocks: Iterable[pa.Table], era: str, size: int, *, whole: int = 0) -> Iterator[pa.Table] | None:
    """Take all names and markers in, then stream them as `KeyedSource.keys` does.

    None if a name is not what a parser would call its row (an id with blanks around it, or null): such a table is
    read whole. The database is done with, and a connection that was lost has been noticed,
    before anything is known of the rows.

    Args:
        blocks: tables of `name` and `version`.
        era: what each version begins with.
        size: of a row in bytes; 0 where nobody knows.
        whole: bytes of all rows: what a row has of them is its size where that is not known. A table that was never
            analysed was taken for one row: a million rows were a batch each.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = pa.schema({"name": pa.string(), "version": pa.string()})
    file = tempfile.TemporaryFile(prefix="relance-keys-")  # noqa: SIM115  # closed at the end of the stream
    try:
        plain, rows = True, 0
        with pa.ipc.new_stream(file, schema) as writer:
            for block in blocks:
                plain = all_plain(block["name"].to_pylist())
                if not plain:
                    break
                versions = pc.binary_join_element_wise(era, block["version"], "")
                writer.write_table(pa.table([block["name"], versions], schema=schema))
                rows += block.num_rows
    except BaseException:
        file.close()
        raise
    if not plain:
        file.close()
        return None
    file.seek(0)
    stream = _stream(file, size or whole // max(rows, 1))
    next(stream)  # from here on the file is closed with it, whether anybody reads it or not
    return stream


def _stream(file: BinaryIO, size: int) -> Iterator[pa.Table]:
    import pyarrow as pa

    def sized(batches: list[pa.RecordBatch]) -> pa.Table:
        table = pa.Table.from_batches(batches)
        return table.append_column("size", pa.repeat(pa.scalar(size, pa.int64()), table.num_rows))

    with file, pa.ipc.open_stream(file) as reader:
        yield pa.table({})
        pending: list[pa.RecordBatch] = []
        for batch in reader:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= _BLOCK:
                yield sized(pending)
                pending = []
        if pending:
            yield sized(pending)
