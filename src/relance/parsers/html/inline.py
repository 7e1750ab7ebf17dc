"""The words of one block: blanks as browsers collapse them, lines, code, and what stands above or below the line."""

from __future__ import annotations

import re

__all__ = ["Inline"]

# Soft hyphens, zero-width blanks and joiners are not seen; a blank that does not break is a blank to whoever searches.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff\u0001\u0002\u0003")) | {0xA0: " ", 0x202F: " ", 0x2007: " "}
_MARKS = " \n\x01\x02\x03"
_BOLD = re.compile("\x01[^\x01\x02]*\x02")
_TICKS = re.compile("`+")
_ORDINAL = re.compile(r"st|nd|rd|th|er|re|e|ère|ème|o|a|os|as|º|ª|TM|SM|®|™", re.IGNORECASE)
# Lines of text that would mean something else in Markdown.
_MARKUP = re.compile(r"#{1,6}(?:\s|$)|`{3}|~{3}|(?:=+|-+)$")


class Inline:
    """Collects pieces of text; `take` makes lines of them."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._marks: list[tuple[str, int]] = []
        self._bold = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def text(self, text: str | None) -> None:
        """Add text as it stands in the page."""
        if text:
            if not text.isprintable():
                text = text.translate(_UNSEEN)
            text = text.replace("\n", " ")
            if text:
                self._pieces.append(text)

    def line_break(self) -> None:
        """Begin a new line."""
        self._pieces.append("\n")

    def blank(self) -> None:
        """Keep two words apart."""
        self._pieces.append(" ")

    def item(self) -> None:
        """Begin an item of a list, in text that must stay one line."""
        self._pieces.append("\x03")

    @property
    def last(self) -> str:
        """The last character; empty at the beginning."""
        return self._pieces[-1][-1] if self._pieces else ""

    def bold(self, on: int) -> None:
        """Begin (1) or end (-1) bold text."""
        self._bold += on
        if self._bold == (1 if on > 0 else 0):
            self._pieces.append("\x01" if on > 0 else "\x02")

    def begin(self, kind: str) -> None:
        """Begin `code`, `sup` or `sub`; inside another one it means nothing."""
        self._marks.append((kind if not self._marks else "", len(self._pieces)))

    def end(self, *, note: bool = False) -> None:
        """End what was begun last.

        Args:
            note: whether it is the mark of a footnote.
        """
        if not self._marks:
            return
        kind, at = self._marks.pop()
        if not kind or at >= len(self._pieces):
            return
        inside = "".join(self._pieces[at:])
        if not inside.strip(_MARKS).strip():  # blanks only
            return
        before = self._pieces[at - 1][-1] if at else ""
        self._pieces[at:] = [_code(inside) if kind == "code" else _raised(inside, before, kind, note=note)]

    def take(self, *, one_line: bool = False, plain: bool = False) -> str:
        """Return what was collected, and begin anew.

        Args:
            one_line: whether it must not have several lines.
            plain: whether nothing in it may be marked as bold.
        """
        if not self._pieces:
            return ""
        text = "".join(self._pieces)
        self._pieces.clear()
        self._marks = [("", 0) for _ in self._marks]
        bold = self._bold
        if bold:
            text += "\x02"
            self._pieces.append("\x01")
        if one_line or plain:
            text = text.replace("\x01", "").replace("\x02", "")
        if one_line:
            return "; ".join(filter(None, (" ".join(item.split()) for item in text.split("\x03"))))
        return "\n".join(map(_line, text.split("\n"))).strip("\n")


def _line(text: str) -> str:
    is_bold = "\x01" in text and not _BOLD.sub("", text).strip(" \x01\x02") and bool(text.strip("\x01\x02 "))
    line = " ".join(text.replace("\x01", "").replace("\x02", "").split())
    if is_bold:
        return f"**{line}**"
    return "\\" + line if line and line[0] in "#`~=-" and _MARKUP.match(line) else line


def _code(inside: str) -> str:
    text = " ".join(inside.replace("\x01", "").replace("\x02", "").split())
    ticks = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    ahead, behind = " " * inside[0].isspace(), " " * inside[-1].isspace()
    return f"{ahead}{ticks}{pad}{text}{pad}{ticks}{behind}"


def _raised(inside: str, before: str, kind: str, *, note: bool) -> str:
    """Keep `10<sup>6</sup>` from becoming 106, and the number of a footnote from the number before it."""
    text = inside.strip()
    if not before.isalnum() or not text[0].isalnum():
        return f"{before.isdigit() * '^'}{inside}" if text[0] in "-−+" else inside
    if note and text.isdecimal():
        return f"[{text}]"
    if before.isdigit() and not _ORDINAL.fullmatch(text):
        return ("^" if kind == "sup" else "_") + text
    return inside
