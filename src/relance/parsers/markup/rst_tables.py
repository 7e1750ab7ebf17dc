"""Tables of reStructuredText, in its three ways to draw them."""

from __future__ import annotations

import re
from itertools import pairwise

from relance.parsers.markup.page import dedent

__all__ = ["BORDER", "GRID", "grid_rows", "list_rows", "simple_end", "simple_rows"]

GRID = re.compile(r"[ \t]*\+(?:[-=]+\+)+[ \t]*")
BORDER = re.compile(r"=+(?:[ \t]+=+)+[ \t]*")
_ROW = re.compile(r"\*[ \t]+-(?:[ \t]+(?P<cell>.*))?")
_CELL = re.compile(r"[ \t]{1,4}-(?:[ \t]+(?P<cell>.*))?")
_SPANNED = re.compile(r"-[- ]*")
# Lines in which a table's third border is looked for.
_LONGEST = 2_000


def list_rows(content: list[str]) -> list[list[str]]:
    """Read the rows of a list-table: a list of lists."""
    rows: list[list[str]] = []
    for line in dedent(content):
        if row := _ROW.fullmatch(line):
            rows.append([row["cell"] or ""])
        elif rows and (cell := _CELL.fullmatch(line)):
            rows[-1].append(cell["cell"] or "")
        elif rows and line.strip():
            rows[-1][-1] += " " + line.strip()
    return rows


def grid_rows(lines: list[str]) -> list[list[str]] | None:
    """Read a grid table; None for one whose cells span others."""
    columns = [number for number, character in enumerate(lines[0]) if character == "+"]
    rows: list[list[str]] = []
    fresh = True
    for line in lines[1:]:
        is_border = line.startswith("+")
        if any(line[at : at + 1] != ("+" if is_border else "|") for at in columns):
            return None
        if is_border:
            fresh = True
            continue
        cells = [line[left + 1 : right].strip() for left, right in pairwise(columns)]
        if fresh:
            rows.append(cells)
        else:
            rows[-1] = _joined(rows[-1], cells)
        fresh = False
    return rows


def simple_end(lines: list[str], at: int) -> tuple[int, bool]:
    """Find where a table between borders ends that begins here, and whether it has a head."""
    borders = 0
    for number in range(at, min(at + _LONGEST, len(lines))):
        borders += bool(BORDER.fullmatch(lines[number].strip()))
        if borders == 3:
            return number + 1, True
        if borders == 2 and (number + 1 == len(lines) or not lines[number + 1].strip()):
            return number + 1, False
    return at + 1, False


def simple_rows(lines: list[str]) -> list[list[str]]:
    """Read a table whose columns are as wide as the runs of its border; a row may go on below an empty first cell."""
    spans = [found.span() for found in re.finditer(r"=+", lines[0])]
    spans[-1] = (spans[-1][0], len(max(lines, key=len)))
    rows: list[list[str]] = []
    for line in lines:
        if not line.strip() or BORDER.fullmatch(line) or _SPANNED.fullmatch(line):
            continue
        cells = [line[left:right].strip() for left, right in spans]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = _joined(rows[-1], cells)
    return rows


def _joined(above: list[str], below: list[str]) -> list[str]:
    return [f"{one} {other}".strip() for one, other in zip(above, below, strict=True)]
