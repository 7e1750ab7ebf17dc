"""JSON that was written for machines, broken into lines."""

from __future__ import annotations

import re
from array import array

__all__ = ["json_text"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)
_ESCAPED = re.compile(r"\\u([dD][89abAB][\da-fA-F]{2})\\u([dD][c-fC-F][\da-fA-F]{2})|\\u([\da-fA-F]{4})")
# Lines longer than that were not made for readers; a container shorter than that stays on a line.
_LONG, _SHORT = 400, 100
_DEEPEST_MARGIN = 8


def json_text(text: str) -> str:
    r"""Write escaped letters as letters, and break long lines at commas; nothing else is changed.

    `"\u4e2d"` becomes `"中"`, so that it can be searched. It need not be valid.
    """
    if "\\u" in text:
        text = _ESCAPED.sub(_letter, text)
    return _broken(text) if any(len(line) > _LONG for line in text.split("\n")) else text


def _letter(found: re.Match[str]) -> str:
    high, low, single = found.groups()
    before = found.string[max(found.start() - 64, 0) : found.start()]
    if (len(before) - len(before.rstrip("\\"))) % 2:
        return found[0]  # the backslash itself is escaped
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    character = chr(int(single, 16))
    return character if character.isprintable() and character not in '"\\' else found[0]


def _broken(text: str) -> str:
    pieces = _TOKEN.findall(text)
    lengths = _lengths(pieces)
    lines: list[str] = []
    line: list[str] = []
    depth = 0

    def end_line() -> None:
        written = "".join(line).rstrip()
        if written:
            lines.append(written)
        line[:] = ["  " * min(depth, _DEEPEST_MARGIN)]

    short_until = 0  # pieces before that stand in one line
    for number, piece in enumerate(pieces):
        flat = number < short_until
        if piece in "[{" and not flat:
            line.append(piece)
            if 0 < lengths[number] <= _SHORT:
                short_until = _end(pieces, number)
            else:
                depth += 1
                end_line()
        elif piece in "]}" and not flat:
            depth = max(depth - 1, 0)
            end_line()
            line.append(piece)
        else:
            line.append(f"{piece} " if piece in ",:" else piece)
            if piece == "," and not flat:
                end_line()
    end_line()
    return "\n".join(lines) + "\n"


def _lengths(pieces: list[str]) -> array[int]:
    """Give for each opening bracket how long it is with what is in it; 0 for one that is never closed."""
    lengths = array("q", bytes(8 * len(pieces)))
    open_ones = array("q")
    begins = array("q")
    at = 0
    for number, piece in enumerate(pieces):
        at += len(piece) + (piece in ",:")
        if piece in "[{":
            open_ones.append(number)
            begins.append(at)
        elif piece in "]}" and open_ones:
            lengths[open_ones.pop()] = at - begins.pop() + 1
    return lengths


def _end(pieces: list[str], begin: int) -> int:
    """Find the number after the bracket that closes one; it is near."""
    depth = 0
    for number in range(begin, len(pieces)):
        depth += (pieces[number] in "[{") - (pieces[number] in "]}")
        if depth == 0:
            return number + 1
    return len(pieces)
