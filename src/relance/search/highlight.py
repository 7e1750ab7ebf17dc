"""Which words of a text are words of the question, and the passage that has most of them.

Words are compared without case and accents, and without the endings that the index takes off its words, too. Chinese
and Japanese are written without spaces; there, two letters next to each other in the question are looked for next to
each other.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import chain
from typing import Any

__all__ = ["best_passage", "highlights"]

Span = tuple[int, int]

_WINDOW = 300  # characters of a passage
_LEAD = 40  # of them before its first word
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# 1.2.3 is one word, and the end of v1.2.3; max_tokens is one, too, and has two.
_WORD = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)|(?<!\w)[a-z]{{0,3}}(?P<number>\d+(?:\.\d+)+)(?!\w)|[^\W{_UNSPACED}]+"
)
_PART = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\da-zA-Z_]+")
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
# Letters that are one letter, or part of a word, also without case and accents; and the marks between them.
_LATIN = re.compile("[\\0-\u024f\u2010-\u205e\u20ac]*")
_VERSION = re.compile(r"[\d¹²³]\.[\d¹²³]")
_WRITTEN = re.compile(r"\w+")
_REMEMBERED = 10_000  # words of texts, for each question
# In nearly every text; marking them would hide the others.
_COMMON = set(
    re.findall(
        r"\w+",
        "a an and are as at be by can do does for from had has have how i if in into is it its me my no not of on or "
        "our so than that the their them then there these they this to was we were what when where which who whom "
        "whose why will with you your",
    )
)


def highlights(query: str, text: str, language: str = "none") -> list[Span]:
    """Find words of the query in a text: character spans, in order, not overlapping."""
    return [span for span, _ in _marked(query, text, language)]


def best_passage(query: str, text: str, language: str = "none") -> tuple[list[Span], Span]:
    """Find words of the query, and the window of at most 300 characters that has most of them."""
    marked = _marked(query, text, language)
    return [span for span, _ in marked], _window(text, marked)


def _marked(query: str, text: str, language: str) -> list[tuple[Span, str]]:
    words, pairs = _asked(query, language)
    if not words and not pairs:
        return []
    if (plain := _marked_plain(text, _answering(query, language))) is not None:
        return plain
    folded, places = _folded(text)
    found: list[tuple[Span, str]] = []
    for match in _WORD.finditer(folded):
        if match["unspaced"] is None:
            end = 0  # of what is marked
            for span in chain([match.span("number" if match["number"] else 0)], _parts(match, text, places)):
                if span[0] >= end and (word := _stem(folded[slice(*span)], language)) in words:
                    found.append((span, word))
                    end = span[1]
            continue
        # Pairs that overlap are one span: of 每小时 both 每小 and 小时 are in the question.
        for start in range(match.start(), match.end()):
            pair = next((each for each in (folded[start : start + 2], folded[start]) if each in pairs), "")
            if pair and start + len(pair) <= match.end():
                if found and found[-1][0][1] > start:
                    found[-1] = ((found[-1][0][0], start + len(pair)), found[-1][1] + pair[-1])
                else:
                    found.append(((start, start + len(pair)), pair))
    return [((places[start], _end(text, places[end - 1])), word) for (start, end), word in found]


class _Answering(dict[str, str | None]):
    """Of each word that texts have: the word of the question that it is, nothing, or None where it has parts."""

    def __init__(self, words: frozenset[str], language: str) -> None:
        super().__init__()
        self._words, self._language = words, language

    def __missing__(self, written: str) -> str | None:
        if len(self) >= _REMEMBERED:
            self.clear()
        word: str | None = None
        if "_" not in written and not _CAMEL.search(written):
            word = _stem(_folded(written)[0], self._language)
            word = word if word in self._words else ""
        self[written] = word
        return word


def _marked_plain(text: str, answering: _Answering) -> list[tuple[Span, str]] | None:
    """Mark a text in Latin letters that has neither versions nor identifiers; None where it is another one.

    That is most texts. Each word is folded and stemmed once: ten hits of 60 words take 0.8 CPU-ms, not 1.6 to 6.
    """
    if not _LATIN.fullmatch(text) or ("." in text and _VERSION.search(text)):
        return None
    found = []
    for match in _WRITTEN.finditer(text):
        if word := answering[match[0]]:
            found.append((match.span(), word))
        elif word is None:
            return None
    return found


def _parts(match: re.Match[str], text: str, places: range | list[int]) -> Iterator[Span]:
    """Take an identifier apart, by its underscores, and each part of it by its capitals; what is none has no parts."""
    start, end = match.span()
    written = text[places[start] : places[end - 1] + 1]
    if len(written) != end - start:  # ß is two letters
        written = match[0]
    if not ("_" in written or _CAMEL.search(written)):
        return
    for part in _PART.finditer(written):
        yield start + part.start(), start + part.end()
        if _CAMEL.search(part[0]):
            for hump in _HUMP.finditer(written, *part.span()):
                yield start + hump.start(), start + hump.end()


def _end(text: str, last: int) -> int:
    """Take the accents that stand for themselves with the letter before them."""
    end = last + 1
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return end


@lru_cache(maxsize=64)
def _asked(query: str, language: str) -> tuple[frozenset[str], frozenset[str]]:
    """Split a query into words, and into pairs of letters where there are no spaces (single ones alone)."""
    words, pairs = set(), set()
    for match in _WORD.finditer(_folded(query)[0]):
        word = match["number"] or match[0]
        if match["unspaced"] is None:
            words.add(word)
        else:
            pairs.update([word[at : at + 2] for at in range(len(word) - 1)] or [word])
    telling = {word for word in words if word not in _COMMON and (len(word) > 1 or word.isdigit())}
    wanted = telling or (set() if pairs else words)
    return frozenset(_stem(word, language) for word in wanted), frozenset(pairs)


@lru_cache(maxsize=64)
def _answering(query: str, language: str) -> _Answering:
    return _Answering(_asked(query, language)[0], language)


@lru_cache(maxsize=65_536)
def _stem(word: str, language: str) -> str:
    if language == "none":
        return word
    with _stemming:
        return _stemmer(language).stemWord(word)


# A stemmer keeps the word in itself: of two searches at the same moment one failed with an IndexError.
_stemming = threading.Lock()


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(language)


def _folded(text: str) -> tuple[str, range | list[int]]:
    """Write a text without case and accents; returns it with the place in the text of each of its letters."""
    if text.isascii():
        return text.lower(), range(len(text))
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        folded = _letter(letter)
        letters.append(folded)
        places.extend([place] * len(folded))
    return "".join(letters), places


@lru_cache(maxsize=8192)
def _letter(letter: str) -> str:
    parts = unicodedata.normalize("NFKD", letter.casefold())
    plain = "".join(part for part in parts if not unicodedata.combining(part))
    return plain if not plain or plain.isalnum() else letter  # ½ and ﷺ are words, and would be marked for each


def _window(text: str, marked: list[tuple[Span, str]]) -> Span:
    """Choose the window with most different words, then with most of them, then the first."""
    if len(text) <= _WINDOW:
        return 0, len(text)
    best, start, last = (0, 0), 0, 0  # `last` never moves back
    for at, ((begin, _), _) in enumerate(marked):
        while last < len(marked) and marked[last][0][1] <= begin + _WINDOW - _LEAD:
            last += 1
        inside = marked[at:last]
        value = (len({word for _, word in inside}), len(inside))
        if value > best:
            best, start = value, max(0, begin - _LEAD)
    start = _border(text, min(start, len(text) - _WINDOW), forward=True)
    return start, _border(text, min(start + _WINDOW, len(text)), forward=False)


def _border(text: str, at: int, *, forward: bool) -> int:
    """Move a place off the middle of a word, by no more than twenty letters."""
    if at in {0, len(text)}:
        return at
    for step in range(20):
        place = at + step if forward else at - step
        if 0 < place < len(text) and text[place - forward].isspace():
            return place
    return at
