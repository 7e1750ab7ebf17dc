"""The mails of an mbox file, as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["mails_in"]

_START = re.compile(rb"From \S.*\d{4}|From - |From \S+\s*$")
_QUOTED = re.compile(rb">+From ")


def mails_in(stream: BinaryIO, limit: int) -> Iterator[tuple[int, bytes]]:
    """Stream the mails with the line each begins in; of one that is longer than the limit no bytes."""
    lines: list[bytes] = []
    size, began, blank, inside = 0, 1, True, False
    number = 0
    while line := stream.readline(limit + 1):
        number += line.endswith(b"\n")
        if blank and line.startswith(b"From ") and _START.match(line[:200]):
            if inside:
                yield began, b"".join(lines) if size <= limit else b""
            lines, size, began, inside = [], 0, max(1, number), True
            blank = False
            continue
        blank = not line.strip(b"\r\n")
        if line.startswith(b">") and _QUOTED.match(line):
            line = line[1:]
        size += len(line)
        if inside and size <= limit:
            lines.append(line)
        elif size > limit:
            lines = []
    if inside:
        yield began, b"".join(lines) if size <= limit else b""
