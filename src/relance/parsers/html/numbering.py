"""The marks of list items, as a browser counts them."""

from __future__ import annotations

from typing import Any

__all__ = ["Numbering"]

_ROMAN = {
    1000: "m", 900: "cm", 500: "d", 400: "cd", 100: "c", 90: "xc", 50: "l", 40: "xl", 10: "x", 9: "ix", 5: "v", 4: "iv",
    1: "i",
}  # fmt: skip


class Numbering:
    """Of one list; `mark` gives that of the next item."""

    def __init__(self, element: Any, tag: str) -> None:
        self._style = element.get("type", "1") if tag == "ol" else "-"
        self._step = -1 if element.get("reversed") is not None else 1
        items = sum(child.tag == "li" for child in element) if self._step < 0 else 1
        self._next = _number(element.get("start", ""), items)

    def mark(self, item: Any) -> str:
        """Return the mark of an item with the blank behind it."""
        if self._style == "-":
            return "- "
        number = _number(item.get("value", ""), self._next)
        self._next = number + self._step
        return f"{_written(number, self._style)}. "


def _number(text: str, otherwise: int) -> int:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 9 else otherwise


def _written(number: int, style: str) -> str:
    if style in {"a", "A"} and 1 <= number <= 26:
        return chr(ord(style) + number - 1)
    if style not in {"i", "I"} or not 1 <= number <= 3999:
        return str(number)
    roman = ""
    for value, digits in _ROMAN.items():
        roman += digits * (number // value)
        number %= value
    return roman if style == "i" else roman.upper()
