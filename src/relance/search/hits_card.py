"""A page of hits in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any
from urllib.parse import urlsplit

from relance.counted import counted
from relance.notebook import card, escaped, line
from relance.search.hit import Hit, Span, moment, pages

__all__ = ["hits_card"]

_SHOWN = 20  # a cell is to be looked at; the rest is in the list
_MARK = '<mark style="background:rgba(255,190,0,.35);color:inherit">'
_SNIPPET = "white-space:pre-wrap;margin:.1em 0 .6em;opacity:.9"


def hits_card(hits: Sequence[Any], *, media: bool, more: bool) -> str:
    """Show hits of one kind: where each is from, its relevance, and its best passage with the words that were found."""
    noun = "image or video" if media else "hit"
    count = f"{len(hits):,} images and videos" if media and len(hits) != 1 else counted(len(hits), noun)
    title = f"{count}, and there are more" if more else count
    shown = [_text(rank, hit) if isinstance(hit, Hit) else _media(rank, hit)
             for rank, hit in enumerate(hits[:_SHOWN], 1)]  # fmt: skip
    rest = [line(f"… and {len(hits) - _SHOWN:,} more on this page", dim=True)] if len(hits) > _SHOWN else []
    return card(title, below=[*shown, *rest])


def _text(rank: int, hit: Hit) -> str:
    path = " › ".join(hit.heading_path) or hit.title
    further = f"{counted(hit.further, 'more chunk')} of this document" if hit.further else ""
    about = [path, pages(hit.page, hit.page_end), _lines(hit.line, hit.line_end), further]
    start, end = hit.snippet
    passage = _marked(hit.text[start:end], [(first - start, last - start) for first, last in hit.highlights])
    return _hit(rank, hit.uri, hit.link or hit.uri, hit.relevance, about, passage)


def _media(rank: int, hit: Any) -> str:
    about = [hit.kind, moment(hit.moment_s, hit.moment_end_s)]
    return _hit(rank, hit.url, hit.url, hit.relevance, about, _marked(hit.caption, hit.highlights))


def _hit(rank: int, name: str, address: str, relevance: float, about: Iterable[str], passage: str) -> str:
    facts = escaped(" · ".join(["", *filter(None, about)]))
    head = line(f"{rank}. {_link(name, address)} <span style='opacity:.7'>{relevance:.2f}{facts}</span>")
    return f'{head}<div style="{_SNIPPET}">{passage}</div>'


def _lines(first: int | None, last: int | None) -> str:
    if not first:
        return ""
    return f"lines {first}–{last}" if last and last != first else f"line {first}"


def _link(name: str, address: str) -> str:
    """Link what a browser opens as a page, and nothing else: an address may begin with `javascript:`."""
    shown = escaped(name)
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        return shown
    if scheme not in {"http", "https"}:
        return shown
    return f'<a href="{escaped(address)}" target="_blank" rel="noopener noreferrer">{shown}</a>'


def _marked(text: str, spans: Sequence[Span]) -> str:
    """Mark spans of a text; those outside of it are left out."""
    inside = [(start, end) for start, end in spans if 0 <= start < end <= len(text)]
    bounds = [0, *chain.from_iterable(inside), len(text)]
    parts = [escaped(text[start:end], line=False) for start, end in pairwise(bounds)]
    return "".join(f"{_MARK}{part}</mark>" if at % 2 else part for at, part in enumerate(parts))
