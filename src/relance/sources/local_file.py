"""One file on this machine, read only from below given folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import ByteSize

from relance.errors import DocumentError
from relance.sources.walk import inside

__all__ = ["open_file", "read_file"]


@contextmanager
def open_file(path: Path, uri: str, folders: Sequence[str], *, outside: str) -> Generator[tuple[BinaryIO, int]]:
    """Open a regular file with its size; DocumentError with a plain reason, which is `outside` if no folder has it.

    The folders have their links resolved.
    """
    try:
        # A link may have taken the file's place since it was listed.
        real = os.path.realpath(path)
        if not any(inside(real, folder) for folder in folders):
            raise DocumentError(uri, outside)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:  # noqa: PTH123  # a descriptor has no path
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DocumentError(uri, "no regular file")
            yield stream, status.st_size
    except OSError as error:
        raise DocumentError(uri, _reason(error)) from None


def read_file(path: Path, uri: str, folders: Sequence[str], limit: ByteSize, *, outside: str) -> bytes:
    """Read a file of at most so many bytes; DocumentError with a plain reason."""
    with open_file(path, uri, folders, outside=outside) as (stream, size):
        data = stream.read(limit + 1) if size <= limit else b""
    if size > limit or len(data) > limit:  # the latter: it is growing right now
        large = ByteSize(max(size, len(data))).human_readable()
        reason = f"{large} is more than max_size ({limit.human_readable()}); raise max_size or exclude it"
        raise DocumentError(uri, reason)
    if not data:
        raise DocumentError(uri, "empty file")
    return data


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "it vanished while being read"
        case PermissionError():
            return "permission denied"
        case _:
            return f"cannot be read: {(error.strerror or str(error)).lower()}"
