"""Pictures that a table holds as bytes, as addresses that hold them: `data:image/png;base64,…`."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["with_addresses"]

_BEGINNINGS = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
}


def with_addresses(batch: pa.RecordBatch, column: str) -> pa.RecordBatch:
    """Write the bytes of a column as addresses; of a column of anything else nothing changes."""
    import pyarrow as pa

    at = batch.schema.get_field_index(column)
    if at < 0 or not (pa.types.is_binary(kind := batch.schema.field(at).type) or pa.types.is_large_binary(kind)):
        return batch
    addresses = pa.array([_address(data) for data in batch.column(at).to_pylist()], pa.large_string())
    return batch.set_column(at, pa.field(column, pa.large_string()), addresses)


def _address(data: bytes | None) -> str | None:
    if data is None:
        return None
    kind = next((name for start, name in _BEGINNINGS.items() if data.startswith(start)), "")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "webp"
    # What begins like no picture is refused by whoever reads it, with a sentence.
    return f"data:image/{kind or 'png'};base64,{b64encode(data).decode()}"
