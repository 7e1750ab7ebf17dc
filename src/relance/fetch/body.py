"""Read a body with an eye on its size, as sent and as unpacked."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Callable, Iterator, Mapping

from relance.errors import InputError, RetryableError

__all__ = ["read_body"]

# What is smaller is read whole at no cost. The pixels of a picture stand in its first 64 KiB unless much EXIF is there.
_LARGE = 256 * 1024
_HEAD = 64 * 1024
# Unpacked at a time, so that a bomb is noticed this soon after the limit.
_STEP = 1 << 20


async def read_body(
    stream: AsyncIterable[bytes], headers: Mapping[str, str], limit: int,
    look: Callable[[bytes], None] | None = None,
) -> bytes:  # fmt: skip
    """Read a body to its end.

    Args:
        stream: parts of the body as sent; their framing has been checked.
        headers: the response's; keys lower case or case-insensitive.
        limit: bytes, for the body as sent and for what it unpacks to.
        look: is shown the first 64 KiB of a large body, once.

    Raises:
        InputError: it is too large, in an encoding that was not asked for, or broken, or `look` refuses it; the text
            is the reason alone.
        RetryableError: it was cut short.
    """
    declared = headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else 0
    if length > limit:
        raise InputError(f"{_readable(length)} is more than the limit of {_readable(limit)}.")
    unpack = _unpacker(headers.get("content-encoding", ""))
    parts: list[bytes] = []
    if unpack or 0 < length < _LARGE:
        look = None
    sent = size = 0
    async for part in stream:
        sent += len(part)
        for piece in unpack.feed(part) if unpack else (part,):
            parts.append(piece)
            size += len(piece)
            if size > limit:
                break
        if max(sent, size) > limit:
            raise InputError(f"it is more than the limit of {_readable(limit)}{' once unpacked' * (sent <= limit)}.")
        if look is not None and size >= _HEAD:
            look(b"".join(parts)[:_HEAD])
            look = None
    if unpack and not unpack.complete:
        raise RetryableError("the body was cut short.")
    return b"".join(parts)


class _Unpacker:
    """Undoes gzip or deflate step by step."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inflate = zlib.decompressobj(wbits)
        self.complete = True  # an empty body is none to unpack

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Unpack a part into pieces of at most a mebibyte."""
        while data:
            if self.complete:  # at the start, or where another gzip member follows
                self._inflate = zlib.decompressobj(self._wbits_for(data))
            try:
                piece = self._inflate.decompress(data, _STEP)
            except zlib.error:
                raise InputError("its compression is broken.") from None
            self.complete = self._inflate.eof
            data = self._inflate.unused_data or self._inflate.unconsumed_tail
            if piece:
                yield piece

    def _wbits_for(self, data: bytes) -> int:
        # "deflate" means zlib's format, but some servers send the bare stream. CM is 8 in the first byte of the former.
        return -zlib.MAX_WBITS if self._wbits == zlib.MAX_WBITS and data[0] & 0x0F != 8 else self._wbits


def _unpacker(encoding: str) -> _Unpacker | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Unpacker(zlib.MAX_WBITS | 16)
        case "deflate":
            return _Unpacker(zlib.MAX_WBITS)
        case other:
            raise InputError(f"it came compressed by {other[:40]!r}, which was not requested.")


def _readable(size: int) -> str:
    from pydantic import ByteSize

    return ByteSize(size).human_readable()
