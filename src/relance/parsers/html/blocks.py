"""The blocks of Markdown one after the other, each with what its lines begin with in lists and quotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Blocks"]

_INDENT = 24  # columns; what is nested deeper is not indented further, or a megabyte would become a gigabyte
_MARKS = 8  # of items that begin with a list, on one line
_QUOTE, _DEFINITION = "> ", ": "


@dataclass(slots=True)
class _Frame:
    """A list item, a quotation or a definition: its lines begin with `rest`, the first with `outer` and the mark."""

    element: Any
    mark: str
    outer: str
    rest: str


class Blocks:
    """Collects blocks; `text` is all of them.

    Attributes:
        headings: level and title, without marks of code, of those that were written.
        last: kind of the last block; `item-` before it in a list.
    """

    def __init__(self) -> None:
        self.headings: list[tuple[int, str]] = []
        self.last = ""
        self._out: list[str] = []
        self._frames: list[_Frame] = []
        self._pending: list[_Frame] = []  # whose mark is still to be written

    def __len__(self) -> int:
        return len(self._out)

    @property
    def text(self) -> str:
        """What was written."""
        return "".join(self._out)

    @property
    def in_list(self) -> bool:
        """Whether we are in an item, a quotation or a definition."""
        return bool(self._frames)

    def begin(self, element: Any, mark: str) -> None:
        """Begin a list item (with its mark), a quotation (`> `) or a definition (`: `)."""
        outer = self._frames[-1].rest if self._frames else ""
        own = {_QUOTE: _QUOTE, _DEFINITION: ""}.get(mark, " " * len(mark))
        frame = _Frame(element, mark, outer, outer + own if len(outer) < _INDENT else outer)
        self._frames.append(frame)
        self._pending.append(frame)

    def end(self, element: Any) -> None:
        """End what began with this element, if any did."""
        if self._frames and self._frames[-1].element is element:
            frame = self._frames.pop()
            if self._pending and self._pending[-1] is frame:
                self._pending.pop()

    def heading(self, level: int, title: str) -> None:
        """Write a heading. It ends all indentation: Markdown knows none in lists, and so it can be found."""
        if not title:
            return
        if self._frames and (self._frames[-1].rest or self._pending):
            for frame in self._frames:
                frame.outer = frame.rest = ""
            self._pending.clear()
        self.headings.append((level, title.replace("`", "")))
        self.add("#" * level + " " + title, "heading")

    def add(self, text: str, kind: str, *, tight: bool = False) -> None:
        """Write a block.

        Args:
            text: Markdown.
            kind: what it is; a `term` and its definition belong together.
            tight: whether no empty line is to separate it from the block before.
        """
        first = rest = self._frames[-1].rest if self._frames else ""
        kind = f"item-{kind}" if self._pending and self._pending[-1].mark not in {_QUOTE, _DEFINITION} else kind
        if self._pending:
            frames = self._pending[-_MARKS:]
            first = frames[0].outer + "".join(frame.mark for frame in frames)
            is_definition = frames[0].mark == _DEFINITION
            tight |= self.last.endswith("term") if is_definition else self.last.startswith("item-")
            tight &= frames[0].mark != _QUOTE
            self._pending.clear()
        elif kind == "term":
            tight |= self.last.endswith("term")
        if self._out:
            self._out.append("\n" if tight else "\n\n")
        self._out.append(first + text.replace("\n", "\n" + rest))
        self.last = kind
