"""Pointers of Git LFS: what stands in a repository for a large file that is kept elsewhere."""

from __future__ import annotations

import re

from pydantic import ByteSize

__all__ = ["pointer"]

_LONGEST = 1024  # bytes, by its specification
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n"
    rb"(?:[a-z0-9.-]+ [^\n]*\n)*oid sha256:[0-9a-f]{64}\nsize [0-9]+\n?\Z"
)
_SIZE = re.compile(rb"^size (\d{1,15})$", re.MULTILINE)


def pointer(data: bytes) -> str:
    """Return why a file cannot be read if it is a pointer; empty if it is a file."""
    if len(data) > _LONGEST or not _POINTER.match(data):
        return ""
    size = _SIZE.search(data)
    large = f" ({ByteSize(int(size[1])).human_readable()})" if size else ""
    return (
        f"a Git LFS pointer: its content{large} is not in the repository; "
        "clone it with `git lfs pull` and read the folder by a source of type files"
    )
