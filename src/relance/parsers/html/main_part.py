"""Finds the main part of a page: what is left without navigation, banners and what is hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from relance.parsers.html.furniture import kind_of
from relance.parsers.html.table import TableShape
from relance.parsers.html.visibility import is_hidden
from relance.parsers.html.walk import walk

__all__ = ["HEADINGS", "MainPart", "find_main_part"]

HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS_IN_CELLS = HEADINGS | {"pre", "blockquote", "hr", "fieldset", "details", "article", "section"}
_LINKED = 0.5  # share of the characters of navigation that are links; of prose, less than a tenth
_ALL_LINKED = 0.9  # of a menu without a name that says so
_MENU = 10  # links to other pages it has
_BANNER = 2000  # characters; longer ones are documents about cookies
_SHARE = 0.25  # of the text outside navigation that `<main>` must have; of an `<article>`, more than half


@dataclass(slots=True)
class MainPart:
    """Where the text of a page is.

    Attributes:
        roots: elements, in order.
        left_out: elements below them that are not shown, or no part of it.
        tables: how each table is to be written.
        title: the page's `<h1>` if it is above the main part and that has none.
        warnings: what of it somebody may miss.
    """

    roots: list[Any]
    left_out: set[Any] = field(default_factory=set)
    tables: dict[Any, TableShape] = field(default_factory=dict)
    title: Any = None
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Counts:
    """What a part of the page has."""

    kept: int = 0
    linked: int = 0
    controls: int = 0
    headings: int = 0
    outward: int = 0
    mains: int = 0

    def copy(self) -> _Counts:
        return _Counts(self.kept, self.linked, self.controls, self.headings, self.outward, self.mains)

    def since(self, before: _Counts) -> _Counts:
        return _Counts(
            self.kept - before.kept,
            self.linked - before.linked,
            self.controls - before.controls,
            self.headings - before.headings,
            self.outward - before.outward,
            self.mains - before.mains,
        )

    @property
    def is_linked(self) -> bool:
        return self.linked >= _LINKED * self.kept


# Whether what may be beside the text is so, by what it has.
_LEFT_OUT: dict[str, Callable[[_Counts], bool]] = {
    "navigation": lambda _: True,
    "footer": lambda _: True,
    "comments": lambda _: True,
    "maybe comments": lambda has: has.controls > 0,
    "trail": lambda has: has.kept < _BANNER // 10 and not has.headings,
    "header": lambda has: has.is_linked or not has.headings,
    "linked": lambda has: has.is_linked and has.kept < max(_BANNER, has.linked * 2),
    "promotion": lambda has: has.kept < _BANNER and (has.is_linked or has.controls > 0) and has.headings < 3,
    "banner": lambda has: has.kept < _BANNER and (has.controls > 0 or has.is_linked),
    "search": lambda has: has.kept < _BANNER // 10 and has.controls > 0 and not has.headings,
    "colophon": lambda has: has.kept < _BANNER and not has.headings,
}


def find_main_part(tree: Any, *, whole: bool = False) -> MainPart:
    """Look through a page once, and say where its text is.

    Args:
        tree: of lxml.
        whole: whether all that is visible is text.
    """
    survey = _Survey(whole=whole)
    survey.walk(tree)
    if not whole and survey.has.kept < 200 and survey.has.kept * 10 < survey.characters:
        survey = _Survey(whole=True)  # all of it looked like navigation
        survey.walk(tree)
    return survey.part(tree)


class _Survey:
    """One walk through a page: counts, and decides of each candidate when it ends."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole
        self.characters = 0
        self.has = _Counts()
        self.left_out: set[Any] = set()
        self.tables: dict[Any, TableShape] = {}
        self._links = 0  # we are in
        self._candidates: list[tuple[Any, str, _Counts]] = []
        self._columns: list[tuple[Any, int]] = []  # lists of links and nothing else, with their sizes
        self._open_tables: list[TableShape] = []
        self._cells: list[int] = []
        self._begun: list[tuple[Any, int]] = []  # <main> and <article>, with what was kept before
        self._mains: list[tuple[Any, int]] = []  # with what is kept in them
        self._articles: list[tuple[Any, int]] = []
        self._titles: list[Any] = []
        self._comments = False

    def walk(self, tree: Any) -> None:
        walk(tree, skips=self._skips, start=self._start, end=self._end, text=self._text)

    def _skips(self, element: Any, tag: Any) -> bool:
        if isinstance(tag, str) and not is_hidden(element, tag):
            return False
        self.left_out.add(element)
        return True

    def part(self, tree: Any) -> MainPart:
        roots = [] if self.whole else self._roots()
        self.left_out.update(element for element, size in self._columns if size * 5 < self.has.kept)
        title = None
        if self._titles and not any(self._is_shown(each, roots) for each in self._titles):
            title = self._titles[0]
        warnings = ["reader comments are left out"] if self._comments else []
        return MainPart(roots or [tree], self.left_out, self.tables, title, warnings)

    def _roots(self) -> list[Any]:
        mains = [each for each in self._mains if each[1] > 0]
        if mains and sum(size for _, size in mains) >= _SHARE * self.has.kept:
            return [element for element, _ in mains]
        articles = [each for each in self._articles if each[1] > 0]
        if len(articles) == 1 and articles[0][1] * 2 > self.has.kept:
            return [articles[0][0]]
        return []

    def _is_shown(self, element: Any, roots: list[Any]) -> bool:
        above = [element, *element.iterancestors()]
        return not any(each in self.left_out for each in above) and (not roots or any(each in roots for each in above))

    def _text(self, text: str | None) -> None:
        if text and (length := len(text.strip())):
            self.characters += length
            self.has.kept += length
            if self._links:
                self.has.linked += length

    def _start(self, element: Any, tag: str) -> None:
        role = element.get("role", "")
        if tag == "a":
            self._links += element.get("href") is not None
            self.has.outward += element.get("href", "#")[:1] != "#"
        elif tag in HEADINGS or role == "heading":
            self.has.headings += 1
            if tag == "h1" and len(self._titles) < 50:
                self._titles.append(element)
        if tag in {"button", "input", "textarea"} or role == "button":
            self.has.controls += 1
        if tag in {"main", "article"} or role == "main":
            self._begun.append((element, self.has.kept))
        elif not self.whole and (kind := kind_of(element, tag, role, inside=bool(self._begun))):
            self._candidates.append((element, kind, self.has.copy()))
        if tag == "table":
            self.tables[element] = TableShape(layout=role in {"presentation", "none"})
            self._open_tables.append(self.tables[element])
        elif self._open_tables:
            self._start_in_table(self._open_tables[-1], tag)

    def _start_in_table(self, shape: TableShape, tag: str) -> None:
        if tag == "tr":
            shape.row()
        elif tag in {"td", "th"}:
            shape.cell(heading=tag == "th")
            self._cells.append(self.characters)
        elif tag in _BLOCKS_IN_CELLS:
            shape.complex = True
            shape.titled |= tag in HEADINGS

    def _end(self, element: Any, tag: str) -> None:
        if tag == "a":
            self._links -= element.get("href") is not None
        if self._candidates and self._candidates[-1][0] is element:
            self._decide(*self._candidates.pop())
        if self._begun and self._begun[-1][0] is element:
            size = self.has.kept - self._begun.pop()[1]
            if not self._begun:
                (self._articles if tag == "article" else self._mains).append((element, size))
            elif tag != "article":
                self._mains = [(element, size)]
            self.has.mains += tag != "article"
        if tag == "table" and self._open_tables:
            shape = self._open_tables.pop()
            if self._open_tables:
                self._open_tables[-1].holds(shape)
        elif tag in {"td", "th"} and self._open_tables and self._cells:
            shape = self._open_tables[-1]
            shape.longest = max(shape.longest, self.characters - self._cells.pop())

    def _decide(self, element: Any, kind: str, before: _Counts) -> None:
        has = self.has.since(before)
        if has.mains:
            return
        if kind == "column":  # below a heading it would be a list of references
            if (
                not before.headings
                and has.linked >= _ALL_LINKED * has.kept
                and has.outward >= _MENU
                and not has.headings
            ):
                self._columns.append((element, has.kept))
        elif _LEFT_OUT[kind](has):
            self.left_out.add(element)
            self._comments |= kind.endswith("comments") and has.kept > 0
            self.has.kept -= has.kept
            self.has.linked -= has.linked
