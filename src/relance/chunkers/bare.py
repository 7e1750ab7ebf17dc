"""Texts without the addresses of their pictures: those change with every signature, and mean nothing to a model."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relance.documents import Chunk, Document

__all__ = ["Bare", "bare"]

# Whether there can be any: looking for these is nearly free.
_MAY = re.compile(r"!\[|<(?:img|source|video|amp-img)\b|^ {0,3}\[[^\]\n]+\]:", re.IGNORECASE | re.MULTILINE)
# Quantifiers are possessive or bounded, so that no text takes longer than its length.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9_\\])!\[(?:[^\[\]\\\n]|\\.|\[[^\[\]\n]{0,500}\]|\n(?!\s*\n)){0,2000}+\]\(\s{0,20}+"
    r"(?:<(?P<pointed>[^<>\n]++)>|(?![\"'])(?P<inline>(?:[^\s()<>\\]|\\.|\((?:[^\s()\\]|\\.){0,2000}+\))++))"
    r"(?=\s{0,20}+(?:\)|[\"'(]))"
    # The definition of a picture, by the name of its file: a link has one, too.
    r"|^ {0,3}\[[^\]\n]{1,200}+\]:[ \t]*+<?(?![\"'])(?P<defined>[^\s<>]{1,2000}?"
    r"\.(?:png|jpe?g|gif|webp|avif|bmp|tiff?|heic|svg|mp4|mov|webm)(?:[?#][^\s<>]*+)?)(?=>|\s|\Z)"
    r"|(?P<tag><(?:img|source|video|amp-img)\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>)",
    re.IGNORECASE | re.MULTILINE,
)
_ATTRIBUTE = re.compile(
    r"(?<=[\s\"'])(?:src|srcset|poster|data-[\w-]*src(?:set)?|data-original)\s*="
    r"(?:\s*\"(?P<double>[^\"]+)\"|\s*'(?P<single>[^']+)'|(?P<plain>[^\s\"'<>]+))",
    re.IGNORECASE,
)


def bare(text: str) -> str:
    """Leave out the addresses of pictures: `![a mill](https://…)` becomes `![a mill]()`; alt texts and titles stay.

    Doing so again changes nothing. A text without pictures comes back as it is.
    """
    spans = _addresses(text)
    return _without(text, spans) if spans else text


class Bare:
    """A document without the addresses of its pictures, and where each place of it was.

    Attributes:
        document: the document, itself where it shows no pictures.
    """

    def __init__(self, document: Document) -> None:
        self._whole, self.document = document, document
        spans = _addresses(document.text)
        if not spans:
            return
        lengths = [end - start for start, end in spans]
        gone = [0, *accumulate(lengths)]
        # Where each address was, as an offset of the bare text.
        self._places = [start - before for (start, _), before in zip(spans, gone, strict=False)]
        self._gone = gone
        starts = [start for start, _ in spans]
        pages = tuple(page - self._before(spans, starts, page) for page in document.pages)
        self.document = replace(document, text=_without(document.text, spans), pages=pages)

    def back(self, chunks: list[Chunk]) -> list[Chunk] | None:
        """Say where the document itself has chunks of the bare one; None where one divides a picture's markup.

        Their tokens have still to be counted.
        """
        if self.document is self._whole:
            return chunks
        text, short = self._whole.text, self.document.text
        limits = [*(chunk.start for chunk in chunks[1:]), len(short) + 1]
        found = [replace(chunk, start=self._at(chunk.start), end=self._end(chunk.end, limit))
                 for chunk, limit in zip(chunks, limits, strict=False)]  # fmt: skip
        if any(bare(text[there.start : there.end]).rstrip() != short[here.start : here.end].rstrip()
               for there, here in zip(found, chunks, strict=True)):  # fmt: skip
            return None
        return found

    def _at(self, place: int) -> int:
        return place + self._gone[bisect_right(self._places, place - 1)]

    def _end(self, place: int, limit: int) -> int:
        """Say where a chunk ends, with the address behind it: of `[id]: ` at its end the blank is cut off."""
        number = bisect_left(self._places, place)
        at = self._places[number] if number < len(self._places) else limit
        if place <= at < limit and not self.document.text[place:at].strip():
            return at + self._gone[number + 1]
        return self._at(place)

    def _before(self, spans: list[tuple[int, int]], starts: list[int], at: int) -> int:
        """Count the characters of addresses before an offset of the document."""
        number = bisect_right(starts, at - 1)
        return self._gone[number] - (max(0, spans[number - 1][1] - at) if number else 0)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return "".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def _addresses(text: str) -> list[tuple[int, int]]:
    """Find the spans of addresses, ascending."""
    if not _MAY.search(text):
        return []
    spans: list[tuple[int, int]] = []
    for found in _ADDRESS.finditer(text):
        if found["tag"] is None:
            spans.append(found.span(found.lastgroup or 0))
            continue
        start = found.start("tag")
        for attribute in _ATTRIBUTE.finditer(found["tag"]):
            begin, end = attribute.span(attribute.lastgroup or 0)
            spans.append((start + begin, start + end))
    return spans
