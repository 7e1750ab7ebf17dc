"""Which lines of a file a chunk is, where its text is the file's own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = ["first_line", "lines_of"]


def first_line(data: bytes, text: str) -> int:
    r"""Return the line of a file, from 1, at which a document's text begins; 0 where the text is not the file's own.

    It is the file's own if the file ends with it, letter by letter: front matter before it is counted, and a text that
    a parser made of something else, or out of which anything was taken, has no lines. Lines end with `\n` or `\r\n`, as
    editors and the pages of Git hosts count them.
    """
    try:
        whole = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return 0
    if "\r" in whole:
        whole = whole.replace("\r\n", "\n")
    if not whole.isascii():
        whole = unicodedata.normalize("NFC", whole)
    whole, text = whole.rstrip(), text.rstrip()
    if not text or "\r" in whole or not whole.endswith(text):
        return 0
    return whole.count("\n", 0, len(whole) - len(text)) + 1


def lines_of(text: str, first: int, spans: Sequence[tuple[int, int]]) -> list[tuple[int | None, int | None]]:
    """Return the first and last line of each span; blank lines at its ends do not count.

    Args:
        text: of the document.
        first: line at which it begins; 0 where it has none.
        spans: offsets, in order of their beginning.
    """
    if not first:
        return [(None, None)] * len(spans)
    found: list[tuple[int | None, int | None]] = []
    at, line = 0, first
    for start, end in spans:
        if start < at:
            at, line = 0, first
        line, at = line + text.count("\n", at, start), start
        words = text[start:end]
        inner = words.strip()
        if not inner:
            found.append((line, line))
            continue
        begin = start + len(words) - len(words.lstrip())
        begins = line + text.count("\n", start, begin)
        found.append((begins, begins + inner.count("\n")))
    return found
