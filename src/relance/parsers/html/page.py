"""A page of HTML: its tree, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relance.parsers.html.facts import facts_of, title_of
from relance.parsers.html.main_part import find_main_part
from relance.parsers.html.writer import write
from relance.parsers.html_tree import tree_of

__all__ = ["Page", "read_page"]

_ENDING = 100_000  # characters; scripts and comments may stand in it
_CUT = "the page begins with <html> and <body> and ends without either; it may have been cut short"


@dataclass(slots=True, frozen=True)
class Page:
    """What a page says.

    Attributes:
        text: Markdown.
        metadata: as `relance.parsers.html.facts` names them.
        warnings: what was left out.
    """

    text: str
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_page(source: str, uri: str, *, whole: bool = False) -> Page:
    """Write what a page shows as Markdown; raises DocumentError where there is nothing or it is nested too deep.

    Args:
        source: the HTML.
        uri: of the document, for failures.
        whole: whether the page has no navigation, as chapters of books and mails have none.
    """
    tree = tree_of(source, uri)
    part = find_main_part(tree, whole=whole)
    written = write(part, len(source))
    metadata = facts_of(tree)
    cut = (_CUT,) if not whole and _is_cut_short(source) else ()
    title = title_of(tree, written.headings, str(metadata.get("site", "")))
    return Page(written.text, title, metadata, (*cut, *part.warnings, *written.warnings))


def _is_cut_short(source: str) -> bool:
    head, end = source[:_ENDING].lower(), source[-_ENDING:].lower()
    return "<html" in head and "<body" in head and "</body" not in end and "</html" not in end
