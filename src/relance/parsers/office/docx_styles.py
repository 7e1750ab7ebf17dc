"""Styles and numbered lists of a Word document."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from relance.parsers.office.numbering import ordinal
from relance.parsers.office.package import Part
from relance.parsers.office.xml import Element, whole

__all__ = ["Numbering", "Style", "Styles", "W", "is_on", "value"]

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"(?:heading|标题|überschrift|titre|título|titolo|заголовок)\s*([1-9])", re.IGNORECASE)
_LEVELS = 9
_CODE = re.compile(
    r"(?:source ?code|html preformatted|preformatted text|code( block)?|plain ?text code)", re.IGNORECASE
)


def value(parent: Element | None, *path: str) -> str | None:
    """Return `w:val` of what a path of names leads to; None where it ends before."""
    for name in path:
        if parent is None:
            return None
        parent = parent.find(f"{W}{name}")
    return None if parent is None else parent.get(f"{W}val", "")


def is_on(properties: Element | None, name: str) -> bool | None:
    """Whether a switch such as `vanish` is on; None where nothing is said."""
    found = value(properties, name)
    return None if found is None else found not in {"0", "false", "off"}


@dataclass(slots=True)
class Style:
    """What a style means for the text; None where it says nothing and the one it is based on decides."""

    name: str = ""
    based_on: str = ""
    outline: int | None = None
    number: str | None = None
    level: int | None = None
    vanish: bool | None = None

    @property
    def is_title(self) -> bool:
        """Whether it is that of the document's title."""
        return self.name.lower() == "title"

    @property
    def is_code(self) -> bool:
        """Whether it is one of code."""
        return bool(_CODE.fullmatch(self.name))


class Styles:
    """The styles of a document, each with what it takes from those it is based on."""

    def __init__(self, part: Part | None) -> None:
        self._own: dict[str, Style] = {}
        self._whole: dict[str, Style] = {}
        self.default = Style()
        for element in part.root().iterchildren(f"{W}style") if part else ():
            identifier = element.get(f"{W}styleId", "")
            self._own[identifier] = style = _style(element)
            if element.get(f"{W}type") == "paragraph" and element.get(f"{W}default") in {"1", "true", "on"}:
                self.default = style

    def of(self, identifier: str | None) -> Style:
        """Return a style; the default one where a paragraph names none."""
        if not identifier:
            return self.default
        if identifier not in self._whole:
            chain: list[str] = []
            at = identifier
            while at in self._own and at not in self._whole and at not in chain and len(chain) < 1000:
                chain.append(at)
                at = self._own[at].based_on
            for name in reversed(chain):
                own, base = self._own[name], self._whole.get(self._own[name].based_on, Style())
                self._whole[name] = Style(
                    own.name,
                    own.based_on,
                    *(
                        getattr(base, what) if getattr(own, what) is None else getattr(own, what)
                        for what in ("outline", "number", "level", "vanish")
                    ),
                )
            self._whole.setdefault(identifier, Style(identifier, outline=_by_name(identifier)))
        return self._whole[identifier]


def _style(element: Element) -> Style:
    name = value(element, "name") or element.get(f"{W}styleId", "")
    paragraph = element.find(f"{W}pPr")
    outline = value(paragraph, "outlineLvl")
    level = value(paragraph, "numPr", "ilvl")
    return Style(
        name,
        value(element, "basedOn") or "",
        _by_name(name) if outline is None else whole(outline),
        value(paragraph, "numPr", "numId"),
        None if level is None else whole(level),
        is_on(element.find(f"{W}rPr"), "vanish"),
    )


def _by_name(name: str) -> int | None:
    found = _HEADING.fullmatch(name.strip())
    return int(found[1]) - 1 if found else None


@dataclass(slots=True)
class _Level:
    start: int = 1
    style: str = "decimal"
    text: str = ""
    legal: bool = False
    restart: int | None = None
    paragraph_style: str = ""


@dataclass(slots=True)
class _List:
    levels: dict[int, _Level] = field(default_factory=dict)
    linked: str = ""
    counts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the items of lists as Word does when it shows them."""

    def __init__(self, part: Part | None) -> None:
        self._lists: dict[str, _List] = {}
        self._numbers: dict[str, tuple[str, dict[int, int], dict[int, _Level]]] = {}
        self._begun: set[tuple[str, int]] = set()
        styles: dict[str, str] = {}
        root = part.root() if part else None
        for element in () if root is None else root.iterchildren(f"{W}abstractNum"):
            identifier = element.get(f"{W}abstractNumId", "")
            levels = {whole(lvl.get(f"{W}ilvl")): _level(lvl) for lvl in element.iterchildren(f"{W}lvl")}
            self._lists[identifier] = _List(levels, value(element, "numStyleLink") or "")
            if style := value(element, "styleLink"):
                styles[style] = identifier
        for each in self._lists.values():
            if not each.levels and (target := self._lists.get(styles.get(each.linked, ""))):
                each.levels = target.levels
        for element in () if root is None else root.iterchildren(f"{W}num"):
            starts, levels = {}, {}
            for override in element.iterchildren(f"{W}lvlOverride"):
                at = whole(override.get(f"{W}ilvl"))
                if (start := value(override, "startOverride")) is not None:
                    starts[at] = whole(start)
                if (lvl := override.find(f"{W}lvl")) is not None:
                    levels[at] = _level(lvl)
            self._numbers[element.get(f"{W}numId", "")] = (value(element, "abstractNumId") or "", starts, levels)

    def level_of(self, number: str, style: str) -> int:
        """Find the level of a list that belongs to a style of paragraphs."""
        known = self._lists.get(self._numbers.get(number, ("", {}, {}))[0])
        return next((at for at, lvl in known.levels.items() if lvl.paragraph_style == style), 0) if known else 0

    def label(self, number: str, level: int) -> str | None:
        """Count one item and return its label, `-` for a bullet; None where there is no such list."""
        if number not in self._numbers or self._numbers[number][0] not in self._lists:
            return None
        identifier, starts, overrides = self._numbers[number]
        known = self._lists[identifier]
        level = min(max(level, 0), _LEVELS - 1)

        def at(index: int) -> _Level:
            return overrides.get(index) or known.levels.get(index) or _Level(text=f"%{index + 1}.")

        for index in range(level + 1):
            if index in starts and (number, index) not in self._begun:
                self._begun.add((number, index))
                known.counts[index] = starts[index] - (index == level)
            elif index not in known.counts:
                known.counts[index] = at(index).start - (index == level)
        known.counts[level] += 1
        for index in [index for index in known.counts if index > level]:
            restart = at(index).restart
            if restart is None or (restart > 0 and level < restart):
                del known.counts[index]
        lvl = at(level)
        if lvl.style == "bullet":
            return "-"

        def counted(found: re.Match[str]) -> str:
            index = int(found[1]) - 1
            style = "decimal" if lvl.legal else at(index).style
            return ordinal(known.counts.get(index, at(index).start), style)

        return re.sub(r"%([1-9])", counted, lvl.text).strip()


def _level(element: Element) -> _Level:
    start, restart = value(element, "start"), value(element, "lvlRestart")
    return _Level(
        1 if start is None else whole(start),
        value(element, "numFmt") or "decimal",
        value(element, "lvlText") or "",
        bool(is_on(element, "isLgl")),
        None if restart is None else whole(restart),
        value(element, "pStyle") or "",
    )
