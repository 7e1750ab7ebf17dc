"""The best passage of a hit on the terminal: prose on one line, code and tables with their lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from rich.text import Text

from relance.parsers.media_types import language_of

__all__ = ["marked", "passage"]

_SHOWN_LINES = 12
_TAB = 4


def passage(hit: dict[str, Any], *, indent: int = 0) -> Text:
    """Show the best passage of a hit, behind what it needs to be read alone, with the words of the question in bold."""
    margin = " " * indent
    if lines := _lines(hit):
        shown = [_numbered(number, line) for number, line in lines]
        return Text("\n").join(Text(margin) + line for line in shown)
    start, end = hit["snippet"]
    lead = Text(" ".join(hit["lead"].split()) + " ", style="dim") if hit["lead"] else Text()
    text = marked(hit["text"][start:end], [[a - start, b - start] for a, b in hit["highlights"]])
    return Text(margin) + lead + Text("… " if start else "") + text + Text(" …" if end < len(hit["text"]) else "")


def marked(text: str, spans: Sequence[Sequence[int]]) -> Text:
    """Write a text on one line, with spans of it in bold."""
    bold = {place for start, end in spans for place in range(start, end)}
    letters = [(" " if letter.isspace() else letter, place in bold) for place, letter in enumerate(text.rstrip())]
    letters = [each for before, each in pairwise([(" ", False), *letters]) if (before[0], each[0]) != (" ", " ")]
    parts = ((marked, "".join(letter for letter, _ in run)) for marked, run in groupby(letters, itemgetter(1)))
    return Text.assemble(*((part, "bold" if marked else "") for marked, part in parts))


def _lines(hit: dict[str, Any]) -> list[tuple[int | None, Text]]:
    """Take the lines around the best passage apart, each with its number in the file; none where it is prose."""
    text, (start, end) = hit["text"], hit["snippet"]
    code = bool(language_of(hit["media_type"]))
    if not code and not _is_table(text[start:end]):
        return []
    styled = Text(text)
    for first, last in hit["highlights"]:
        styled.stylize("bold", first, last)
    before = text.count("\n", 0, start)
    lines = list(enumerate(styled.split("\n", allow_blank=True)))[before : before + text.count("\n", start, end) + 1]
    lines = [(place, line) for place, line in lines if line.plain.strip() or code]
    while lines and not lines[-1][1].plain.strip():
        lines.pop()
    for _, line in lines:
        line.expand_tabs(_TAB)
    head = [(None, Text(each, style="dim")) for each in hit["lead"].splitlines() if each.strip()]
    number = hit["line"]
    more = [(None, Text("…"))] if lines[_SHOWN_LINES:] else []
    return [*head, *((number and number + place, line) for place, line in lines[:_SHOWN_LINES]), *more]


def _numbered(number: int | None, line: Text) -> Text:
    return (Text(f"{number:>5} │ ", style="dim") if number else Text("      │ ", style="dim")) + line


def _is_table(text: str) -> bool:
    """Say whether most lines of a passage are rows of a Markdown table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return len(lines) > 1 and sum(line.startswith("|") for line in lines) * 2 > len(lines)
