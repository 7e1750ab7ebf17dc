"""Styles and numbered lists of OpenDocument files."""

from __future__ import annotations

import re
from typing import ClassVar

from relance.parsers.office.numbering import ordinal
from relance.parsers.office.xml import Element, local, whole

__all__ = ["DRAW", "OFFICE", "PRESENTATION", "SVG", "TABLE", "TEXT", "XLINK", "OdfLists", "OdfStyles"]

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW, PRESENTATION, STYLE = (
    f"{{{_NS}{name}:1.0}}" for name in ("office", "text", "table", "drawing", "presentation", "style")
)
SVG = f"{{{_NS}svg-compatible:1.0}}"
XLINK = "{http://www.w3.org/1999/xlink}"
_FORMATS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman",
            "一, 二, 三, ...": "chineseCounting", "①, ②, ③, ...": "decimalEnclosedCircle"}  # fmt: skip
_CODE = re.compile(r"(preformatted[ _]text|source[ _]?code|code)", re.IGNORECASE)


class OdfStyles:
    """The styles of a document: those of its own and the automatic ones."""

    STYLE: ClassVar[str] = STYLE

    def __init__(self, roots: list[Element]) -> None:
        self._styles: dict[str, Element] = {}
        self._known: dict[tuple[str, str], bool] = {}
        self.lists: dict[str, Element] = {}
        self.outline: Element | None = None
        for root in roots:
            for group in root.iterchildren(f"{OFFICE}styles", f"{OFFICE}automatic-styles"):
                for style in group.iterchildren("*"):
                    if style.tag == f"{STYLE}style":
                        self._styles[style.get(f"{STYLE}name", "")] = style
                    elif style.tag == f"{TEXT}list-style":
                        self.lists[style.get(f"{STYLE}name", "")] = style
                    elif style.tag == f"{TEXT}outline-style":
                        self.outline = style

    def is_hidden(self, name: str) -> bool:
        """Whether text of a style is hidden."""
        return self._says(name, "text-properties", f"{TEXT}display", "none")

    def is_hidden_table(self, name: str) -> bool:
        """Whether a sheet of a style is hidden."""
        return self._says(name, "table-properties", f"{TABLE}display", "false")

    def is_hidden_slide(self, name: str) -> bool:
        """Whether a slide of a style is not shown."""
        return self._says(name, "drawing-page-properties", f"{PRESENTATION}visibility", "hidden")

    def is_title(self, name: str) -> bool:
        """Whether a paragraph's style is that of the title."""
        return "Title" in self._names(name)

    def is_code(self, name: str) -> bool:
        """Whether a paragraph's style is one of code."""
        return any(_CODE.fullmatch(each.replace("_20_", " ")) for each in self._names(name))

    def _names(self, name: str) -> list[str]:
        return [name, *(each.get(f"{STYLE}name", "") for each in self._chain(name))]

    def _says(self, name: str, group: str, attribute: str, value: str) -> bool:
        if not name:
            return False
        key = (name, attribute)
        if key not in self._known:
            self._known[key] = False
            for style in self._chain(name):
                properties = style.find(f"{STYLE}{group}")
                said = None if properties is None else properties.get(attribute)
                if said is not None:
                    self._known[key] = said == value
                    break
        return self._known[key]

    def _chain(self, name: str) -> list[Element]:
        chain: list[Element] = []
        while name in self._styles and self._styles[name] not in chain and len(chain) < 20:
            chain.append(self._styles[name])
            name = chain[-1].get(f"{STYLE}parent-style-name", "")
        return chain


class OdfLists:
    """Counts the items of lists."""

    def __init__(self, styles: OdfStyles) -> None:
        self._styles = styles
        self._counts: dict[tuple[str, int], int] = {}
        self._ids: dict[str, str] = {}  # which list a list continues, by its identifier
        self._headings: dict[int, int] = {}
        self._now: dict[int, str] = {}

    def begin(self, element: Element, style: str, level: int) -> None:
        """Begin a list or a list inside an item."""
        if level:
            self._counts.pop((self._now.get(0, ""), level), None)
            return
        identifier = element.get("{http://www.w3.org/XML/1998/namespace}id") or str(len(self._ids))
        before = element.get(f"{TEXT}continue-list") or ""
        if before in self._ids:
            key = self._ids[before]
        elif element.get(f"{TEXT}continue-numbering") == "true" and style in self._ids:
            key = self._ids[style]
        else:
            key = f"{style}/{len(self._ids)}"
        self._ids[identifier] = self._ids[style] = key
        self._now[0] = key

    def label(self, item: Element, style: str, level: int) -> str:
        """Count an item and return its label, `-` for a bullet."""
        definition = self._level(self._styles.lists.get(style), level)
        if definition is None or local(definition) != "list-level-style-number":
            return "-"
        key = self._now.get(0, "")
        start = whole(item.get(f"{TEXT}start-value"), -1)
        count = self._counts.get((key, level), whole(definition.get(f"{TEXT}start-value"), 1) - 1) + 1
        self._counts[key, level] = count if start < 0 else start
        numbers = {at: self._counts.get((key, at), 1) for at in range(level + 1)}
        return self._write(self._styles.lists.get(style), definition, level, numbers)

    def heading(self, level: int) -> str:
        """Count a heading and return its number, empty where headings have none."""
        definition = self._level(self._styles.outline, level - 1)
        if definition is None or not definition.get(f"{STYLE}num-format"):
            return ""
        for deeper in [deeper for deeper in self._headings if deeper >= level]:
            del self._headings[deeper]
        start = whole(definition.get(f"{TEXT}start-value"), 1)
        self._headings[level - 1] = self._headings.get(level - 1, start - 1) + 1
        return self._write(self._styles.outline, definition, level - 1, self._headings)

    def _write(self, lists: Element | None, definition: Element, level: int, numbers: dict[int, int]) -> str:
        shown = min(max(whole(definition.get(f"{TEXT}display-levels"), 1), 1), level + 1)
        parts = []
        for at in range(level + 1 - shown, level + 1):
            each = self._level(lists, at)
            style = "" if each is None else each.get(f"{STYLE}num-format", "")
            if style:
                parts.append(ordinal(numbers.get(at, 1), _FORMATS.get(style, "decimal")))
        if not parts:
            return ""
        before, after = definition.get(f"{STYLE}num-prefix", ""), definition.get(f"{STYLE}num-suffix", "")
        return f"{before}{'.'.join(parts)}{after}".strip()

    def _level(self, lists: Element | None, level: int) -> Element | None:
        if lists is None:
            return None
        return next((each for each in lists.iterchildren("*") if whole(each.get(f"{TEXT}level")) == level + 1), None)
