"""Entries of BibTeX and BibLaTeX; what is wrong in one costs only that one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

__all__ = ["bibtex_entries"]

_BLOCK = re.compile(r"^[ \t]*@[ \t]*(?=[A-Za-z]+\s*[{(])", re.MULTILINE)
_START = re.compile(r"([A-Za-z]+)\s*([{(])\s*")
_KEY = re.compile(r"[^\s,{}=\"]+(?=\s*,)|(?=,)")
_FIELD = re.compile(r"[\s,]*([^\s={},\"#]+)\s*=\s*")
_BARE = re.compile(r"[^\s{},\"#()=]+")
_JOIN = re.compile(r"\s*#\s*")
_END = re.compile(r"[\s,]*[})]")
_MARKS = re.compile(r'\\.|[{}"]', re.DOTALL)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"


def bibtex_entries(text: str) -> Iterator[tuple[int, str, str, dict[str, str] | str]]:
    """Stream line, type, key and fields (by lower-case name) of each entry; a str says why one cannot be read.

    An entry begins where a line does, so that one that is not closed does not swallow the next.
    """
    strings: dict[str, str] = {name: name for name in _MONTHS.split()}
    starts = [found.end() for found in _BLOCK.finditer(text)]
    line, counted = 1, 0
    for at, end in pairwise([*starts, len(text)]):
        line, counted = line + text.count("\n", counted, at), at
        start = _START.match(text, at, end)
        if start is None or start[1].lower() in {"comment", "preamble"}:
            continue
        kind = start[1].lower()
        if kind == "string":
            fields, _ = _fields(text, start.end(), end, strings)
            strings |= fields
            continue
        key = _KEY.match(text, start.end(), end)
        fields, problem = _fields(text, key.end() if key else start.end(), end, strings)
        yield line, kind, key[0] if key else "", problem or fields


def _fields(text: str, at: int, end: int, strings: Mapping[str, str]) -> tuple[dict[str, str], str]:
    found: dict[str, str] = {}
    while field := _FIELD.match(text, at, end):
        value, at = _value(text, field.end(), end, strings)
        name = field[1].lower()
        if value is None:
            return found, f"the value of {name!r} is not closed"
        if name in found:
            return found, f"the field {name!r} is there twice"
        found[name] = value
    return found, "" if _END.match(text, at, end) else "it is not closed"


def _value(text: str, at: int, end: int, strings: Mapping[str, str]) -> tuple[str | None, int]:
    """Read texts in braces or quotes, numbers and names of texts, joined by #; returns None for what does not end."""
    parts: list[str] = []
    while True:
        mark = text[at : at + 1] if at < end else ""
        if mark and mark in '{"':
            closed = _closed(text, at, end)
            if closed < 0:
                return None, end
            parts.append(text[at + 1 : closed])
            at = closed + 1
        elif bare := _BARE.match(text, at, end):
            parts.append(strings.get(bare[0].lower(), bare[0]))
            at = bare.end()
        else:
            return None, end
        join = _JOIN.match(text, at, end)
        if join is None:
            return "".join(parts), at
        at = join.end()


def _closed(text: str, at: int, end: int) -> int:
    """Find the brace or quote that closes the one here; -1 if there is none."""
    depth, quoted = 0, text[at] == '"'
    for mark in _MARKS.finditer(text, at + 1, end):
        if mark[0] == "{":
            depth += 1
        elif mark[0] == "}":
            if not depth:
                return -1 if quoted else mark.start()
            depth -= 1
        elif mark[0] == '"' and quoted and not depth:
            return mark.start()
    return -1
