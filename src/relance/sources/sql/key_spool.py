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


def spooled(blocks: Iterable[pa.Table], era: str, size: int) -> Iterator[pa.Table] | None:
    """Take all names and markers in, then stream them as `KeyedSource.keys` does.

    None if a name is not what a parser would call its row (an id with blanks around it, or null): such a table is
    read whole. The database is done with, and a connection that was lost has been noticed,
    before anything is known of the rows.

    Args:
        blocks: tables of `name` and `version`.
        era: what each version begins with.
        size: of a row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = pa.schema({"name": pa.string(), "version": pa.string(), "size": pa.int64()})
    file = tempfile.TemporaryFile(prefix="relance-keys-")  # noqa: SIM115  # closed at the end of the stream
    try:
        plain = True
        with pa.ipc.new_stream(file, schema) as writer:
            for block in blocks:
                plain = all_plain(block["name"].to_pylist())
                if not plain:
                    break
                versions = pc.binary_join_element_wise(era, block["version"], "")
                writer.write_table(pa.table([block["name"], versions, pa.repeat(size, block.num_rows)], schema=schema))
    except BaseException:
        file.close()
        raise
    if not plain:
        file.close()
        return None
    file.seek(0)
    stream = _stream(file)
    next(stream)  # from here on the file is closed with it, whether anybody reads it or not
    return stream


def _stream(file: BinaryIO) -> Iterator[pa.Table]:
    import pyarrow as pa

    with file, pa.ipc.open_stream(file) as reader:
        yield pa.table({})
        pending: list[pa.RecordBatch] = []
        for batch in reader:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= _BLOCK:
                yield pa.Table.from_batches(pending)
                pending = []
        if pending:
            yield pa.Table.from_batches(pending)
