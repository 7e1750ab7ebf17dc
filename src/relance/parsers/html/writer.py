"""Writes the main part of a page as Markdown, in one walk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from relance.parsers.html.blocks import Blocks
from relance.parsers.html.code_block import fenced, language_of, shown
from relance.parsers.html.inline import Inline
from relance.parsers.html.main_part import HEADINGS, MainPart
from relance.parsers.html.numbering import Numbering
from relance.parsers.html.open_table import OpenTable
from relance.parsers.html.replaced import words_for
from relance.parsers.html.table import TableShape
from relance.parsers.html.walk import walk

__all__ = ["Written", "write"]

# fmt: off
_BLOCKS = frozenset(
    ("address", "article", "blockquote", "body", "center", "dd", "details", "dir", "div", "dl", "dt", "fieldset",
     "figcaption", "figure", "footer", "form", "frameset", "head", "header", "hgroup", "hr", "html", "legend", "li",
     "main", "menu", "nav", "ol", "optgroup", "p", "search", "section", "summary", "ul", "aside", "caption", "table",
     "tbody", "thead", "tfoot", "tr", "td", "th", "colgroup", "dialog", "textarea", *HEADINGS)
)
# fmt: on
_LISTS = frozenset(("ul", "ol", "menu", "dir"))
_IN_TABLES = frozenset(("tr", "td", "th", "caption", "thead"))
_PRE = frozenset(("pre", "listing", "xmp", "plaintext"))
_CODE = frozenset(("code", "kbd", "samp", "tt", "var"))
_AROUND = {"q": "“”", "rt": "()"}
_STRUCK = frozenset(("del", "s", "strike"))
_NEVER_IN_HEADINGS = frozenset((*HEADINGS, *_LISTS, "dl", "table", "blockquote", "hr", "form", "section", "article"))
_LONGEST_TITLE = 500  # characters
_APART = frozenset(("a", "button", "label", "input", "select"))  # one after the other they are never one word
_BOXES = frozenset(("div", "header", "section", "article", "figure", "address", "td", "th"))


@dataclass(slots=True)
class Written:
    """Markdown, its headings as level and title, and what was left out."""

    text: str
    headings: list[tuple[int, str]]
    warnings: list[str]


def write(part: MainPart, length: int) -> Written:
    """Write the main part of a page of so many characters."""
    writer = _Writer(part, length)
    if part.title is not None:
        writer.title(part.title)
    for root in part.roots:
        writer.walk(root)
    return writer.written()


class _Writer:
    def __init__(self, part: MainPart, length: int) -> None:
        self._part = part
        self._blocks = Blocks()
        self._inline = Inline()
        self._lists: list[Numbering] = []
        self._tables: list[OpenTable] = []
        self._cells: list[tuple[Any, Inline]] = []  # that become one line, with what was collected before them
        self._pre: list[str] | None = None
        self._pre_depth = 0
        self._code = 0
        self._level = 0  # of the heading we are in
        self._figure: int | None = None  # how many blocks there were when it began
        self._budget = 100_000 + 2 * length  # characters that repeated cells may add
        self._cut = False

    def title(self, element: Any) -> None:
        self._blocks.heading(1, " ".join("".join(islice(element.itertext(), 200)).split())[:1000])

    def walk(self, root: Any) -> None:
        walk(root, skips=self._skips, start=self._start, end=self._end, text=self._text)
        self._flush()

    def _skips(self, element: Any, tag: Any) -> bool:
        return element in self._part.left_out or self._replace(element, tag)

    def written(self) -> Written:
        warnings = ["cells that span many rows or columns of a table are not repeated in all of them"]
        return Written(self._blocks.text, self._blocks.headings, warnings if self._cut else [])

    # Where an element begins and ends

    def _start(self, element: Any, tag: str) -> None:
        is_block = tag in _BLOCKS or "-" in tag or element.get("role") == "heading"
        if tag in _PRE:
            self._start_pre()
        elif self._pre is not None:
            if tag == "br" or (is_block and self._pre and not self._pre[-1].endswith("\n")):
                self._pre.append("\n")
        elif self._cells and tag not in _IN_TABLES and tag != "table":
            if tag == "li":
                self._inline.item()
            elif is_block or tag == "br":
                self._inline.blank()
            else:
                self._start_inline(element, tag)
        elif is_block and self._level and tag not in _NEVER_IN_HEADINGS and not (tag == "p" and self._inline):
            self._inline.blank()
        elif is_block:
            unclosed = tag == "dt" and getattr(element.getparent(), "tag", "") == "dt"  # libxml2 puts it in the other
            if not self._cells:
                self._flush("term" if unclosed else "paragraph")
            self._start_block(element, tag)
        else:
            self._start_inline(element, tag)

    def _start_block(self, element: Any, tag: str) -> None:
        if tag in HEADINGS or element.get("role") == "heading":
            self._level = _level(element, tag)
        elif tag in _LISTS:
            self._lists.append(Numbering(element, tag))
        elif tag == "li":
            self._blocks.begin(element, self._lists[-1].mark(element) if self._lists else "- ")
        elif tag == "blockquote":
            self._blocks.begin(element, "> ")
        elif tag == "dd":
            self._blocks.begin(element, ": ")
        elif tag == "figure":
            self._figure = len(self._blocks)
        elif tag == "table":
            self._inline.blank()
            shape = self._part.tables.get(element) or TableShape()
            self._tables.append(OpenTable(element, shape, self._budget, in_cell=bool(self._cells)))
        elif tag in _IN_TABLES and self._tables:
            table = self._tables[-1]
            table.begin(element, tag)
            if table.takes(tag):
                self._cells.append((element, self._inline))
                self._inline = Inline()
            elif tag in {"td", "th"} and (name := table.column()):
                self._inline.text(f"{name}: ")

    def _start_inline(self, element: Any, tag: str) -> None:
        self._gap(element, tag)
        if tag == "br":
            self._inline.line_break()
        elif tag in {"b", "strong"}:
            self._inline.bold(1)
        elif tag in {"sup", "sub"}:
            self._inline.begin(tag)
        elif tag in _AROUND:
            self._inline.text(_AROUND[tag][0])
        elif tag in _STRUCK:
            self._inline.text("~~")
        elif tag in _CODE:
            self._code += 1
            self._inline.begin("code" if tag == "code" else "")

    def _end(self, element: Any, tag: str) -> None:
        is_block = tag in _BLOCKS or "-" in tag or element.get("role") == "heading"
        if self._pre is not None:
            if tag in _PRE:
                self._end_pre(element)
        elif self._cells and tag not in _IN_TABLES and tag != "table":
            if is_block:
                self._inline.blank()
            else:
                self._end_inline(element, tag)
        elif is_block:
            self._end_block(element, tag)
        else:
            self._end_inline(element, tag)

    def _end_block(self, element: Any, tag: str) -> None:
        if tag in HEADINGS or element.get("role") == "heading":
            self._flush()
            self._level = 0
        elif self._level:
            self._inline.blank()
        elif tag in _IN_TABLES and self._tables:
            self._end_in_table(element, tag)
        elif tag == "table" and self._tables:
            self._end_table(self._tables.pop())
        else:
            self._flush({"dt": "term", "summary": "summary", "figcaption": "caption"}.get(tag, "paragraph"))
            if tag in _LISTS and self._lists:
                self._lists.pop()
            elif tag == "figure":
                self._figure = None
            self._blocks.end(element)

    def _end_inline(self, element: Any, tag: str) -> None:
        if tag in {"b", "strong"}:
            self._inline.bold(-1)
        elif tag in {"sup", "sub"}:
            self._inline.end(note=next(element.iter("a"), None) is not None)
        elif tag in _AROUND:
            self._inline.text(_AROUND[tag][1])
        elif tag in _STRUCK:
            self._inline.text("~~")
        elif tag == "option" and element.getnext() is not None:
            self._inline.text(", ")
        elif tag in _CODE:
            self._code -= 1
            self._inline.end()

    # Text

    def _text(self, text: str | None) -> None:
        if not text:
            return
        if self._pre is not None:
            self._pre.append(text)
        else:
            self._inline.text(text)

    def _gap(self, element: Any, tag: str) -> None:
        """Keep apart what stands side by side without a blank, such as two links or the boxes of a card."""
        before = element.getprevious()
        if before is None or before.tail or self._code or not self._inline.last.isalnum():
            return
        first = next((text[0] for text in islice(element.itertext(), 4) if text), "")
        if not first.isalnum():
            return
        last = self._inline.last
        apart = tag in _APART or before.tag in _APART or last.isalpha() != first.isalpha()
        if not apart and (parent := element.getparent()) is not None and not (parent.text or "").strip():
            apart = parent.tag in _BOXES or (parent.tag in _BLOCKS and last.islower() and first.isupper())
        if apart and {tag, before.tag}.isdisjoint(("sup", "sub")):
            self._inline.blank()

    def _replace(self, element: Any, tag: str) -> bool:
        """Write what stands for an element that has no text of its own; whether it is such a one."""
        words = words_for(element, tag, in_list=self._blocks.in_list)
        if words is None:
            return False
        if words.strip():
            if self._pre is None and self._inline.last.isalnum():
                self._inline.blank()
            self._text(words)
        return True

    def _flush(self, kind: str = "paragraph") -> None:
        if not self._inline:
            return
        if self._level:
            self._write_heading()
            return
        text = self._inline.take(plain=kind == "term", one_line=kind == "summary")
        if not text:
            return
        tight = bool(self._tables) and self._tables[-1].is_tight()
        if kind == "caption":  # right below its picture
            tight |= self._figure is not None and self._blocks.last == "paragraph" and self._figure < len(self._blocks)
        self._blocks.add(f"**{text}**" if kind == "summary" else text, kind, tight=tight)

    def _write_heading(self) -> None:
        """Write what a heading has so far; where it was not closed in the page, that is not all of it."""
        title, _, rest = self._inline.take(plain=True).partition("\n")
        level, self._level = self._level, 0
        if len(title) + len(rest) <= _LONGEST_TITLE:
            title, rest = " ".join(f"{title} {rest}".split()), ""
        if len(title) > _LONGEST_TITLE:
            title, rest = "", f"{title}\n{rest}"
        self._blocks.heading(level, title.removeprefix("\\"))
        if rest.strip():
            self._blocks.add(rest.strip("\n"), "paragraph")

    # Code and tables

    def _start_pre(self) -> None:
        if self._pre is None:
            if not self._cells:
                self._flush()
            self._pre = []
        self._pre_depth += 1

    def _end_pre(self, element: Any) -> None:
        self._pre_depth -= 1
        if self._pre_depth or self._pre is None:
            return
        text = shown("".join(self._pre))
        self._pre = None
        if self._cells:
            self._inline.text(" ".join(text.split()))
        elif text.strip():
            self._blocks.add(fenced(text, language_of(element)), "code")

    def _end_in_table(self, element: Any, tag: str) -> None:
        text = ""
        if self._cells and self._cells[-1][0] is element:
            text = self._inline.take(one_line=True)
            self._inline = self._cells.pop()[1]
        elif not self._cells:
            self._flush()
        if paragraph := self._tables[-1].end(element, tag, text):
            self._blocks.add(paragraph, "paragraph")

    def _end_table(self, table: OpenTable) -> None:
        grid = table.grid
        if self._cells:
            self._inline.text(f"{grid.inline()} ")
        else:
            self._flush()
            lines = grid.lines()
            if grid.caption:
                self._blocks.add(grid.caption, "paragraph")
            if lines:
                self._blocks.add("\n".join(lines), "table")
        self._budget = max(grid.budget, 0)
        self._cut |= grid.cut


def _level(element: Any, tag: str) -> int:
    if tag in HEADINGS:
        return int(tag[1])
    level = element.get("aria-level", "2")
    return min(int(level), 6) if level in {"1", "2", "3", "4", "5", "6", "7", "8", "9"} else 2
