"""What full-text search finds a chunk by: its text, the parts of its identifiers, and what stands above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["parts_of", "search_words"]

# What may be one word for ICU though it has parts: numpy.zeros, max_tokens, l'eau, getUserName.
_WORD = re.compile(r"[A-Za-z0-9_.:'’\u00aa-\u1fff]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_VERSION = re.compile(r"[A-Za-z]{1,3}(\d+(?:\.\d+)+)")
_JOINT = re.compile(r"(?<!\d)\.|\.(?!\d)|:+")  # 1.8e3 stays a number
_NUMBER = re.compile(r"[\d.:]+")
# Cells that stand side by side without a blank are one number for ICU, as 1,000,000 is: 31,24.5,7 of a CSV file.
_CELLS = re.compile(r"(?<![\d.,;])\d[\d.]*+(?:[,;]\d[\d.]*+)++")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+,\d+")
_TABLE = re.compile(r"^\|[ \t]{0,9}:?--", re.MULTILINE)
_LONGEST = 200


def search_words(text: str, lead: str = "", headings: Sequence[str] = ()) -> str | None:
    """Write what full-text search finds a chunk by: headings and lead above it, its text, the parts of its words.

    None where that is its text alone: so it has not to travel twice before it is written. Rows of a table mean nothing
    without all headings above them; prose is found by the nearest one (by all of them the handbook's golden queries
    were answered worse, nDCG@10 of hybrid search 0.80 instead of 0.83: the title of a document was in all its chunks).
    All in one, since words are weighed by how rare they are: where headings and leads were a column of their own, the
    first chunk of a table, the only one with its header in its text, came before the one with the row that was asked
    for (MRR@10 of `benchmarks/tables.py` 0.22 instead of 1.00).
    """
    wanted = headings if lead or _TABLE.search(text) else headings[-1:]
    above = [heading for heading in wanted if heading not in text]
    parts = " ".join(parts_of(text))
    return "\n".join(filter(None, (*above, lead, text, parts))) if above or lead or parts else None


def parts_of(text: str) -> list[str]:
    """List the parts of all words that have some, each once: of `self.max_tokens` self, max_tokens, max, tokens."""
    found: dict[str, None] = {}
    for word in dict.fromkeys(_WORD.findall(text)):
        if parts := _parts(word):
            found |= parts
    for cells in _CELLS.findall(text):
        if not _THOUSANDS.fullmatch(cells):
            found |= dict.fromkeys(re.split("[,;]", cells))
    return list(found)


@lru_cache(maxsize=65_536)
def _parts(word: str) -> dict[str, None]:
    """Take one word apart; words of a text come again, and most have no parts."""
    token = word.strip(".:'’")
    if (token.isalpha() and not _CAMEL.search(token)) or len(token) > _LONGEST or _NUMBER.fullmatch(token):
        return {}
    if version := _VERSION.fullmatch(token):
        return {version[1]: None}
    found = []
    for name in _JOINT.split(token):
        for part in (name, *_apostrophe(name)):
            found.append(part)
            for bare in part.split("_"):
                found.append(bare)
                if _CAMEL.search(bare):
                    found += _HUMP.findall(bare)
    return dict.fromkeys(part for part in found if len(part) > 1 and part != token)


def _apostrophe(name: str) -> list[str]:
    """Take O'Brien and l'eau apart, but not don't and she's."""
    *before, last = re.split("['’]", name)
    return [*before, last] if before and len(last) > 2 else []
