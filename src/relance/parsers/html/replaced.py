"""What is written for elements that show something else than their text: pictures, formulas, form fields, buttons."""

from __future__ import annotations

from itertools import islice
from typing import Any

__all__ = ["words_for"]

_FIELDS = frozenset(("text", "submit", "email", "number", "url", "tel", "date", "time", "month", "week", "color"))
# Where a button is text; elsewhere it is a control, such as one that copies.
_BUTTON_PLACES = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "form", "summary", "dt", "legend", "label"))


def words_for(element: Any, tag: str, *, in_list: bool) -> str | None:
    """Return what stands for an element; None where it has text of its own.

    Args:
        element: of lxml.
        tag: its tag.
        in_list: whether it is in an item of a list, where a box to tick is part of the text.
    """
    match tag:
        case "img" | "area":
            words = element.get("alt", "")
            return words if any(map(str.isalnum, words)) or not words.isascii() else ""
        case "input":
            return _field(element, in_list=in_list)
        case "svg":
            labels = ["".join(label.itertext()) for label in element.iter("text")]
            return " ".join(filter(None, [element.get("aria-label", ""), *labels]))
        case "math":
            return _formula(element)
        case "button":
            return None if _is_text(element) else ""
        case _:
            return None


def _field(element: Any, *, in_list: bool) -> str:
    kind = element.get("type", "text").lower()
    if kind == "checkbox" and in_list:
        return "[x] " if element.get("checked") is not None else "[ ] "
    if kind == "image":
        return element.get("alt", "")
    return element.get("value", "") if kind in _FIELDS else ""


def _formula(element: Any) -> str:
    """Write a formula: its TeX where the page has it, else its parts with blanks between."""
    for annotation in element.iter("annotation"):
        if "tex" in annotation.get("encoding", "").lower() and annotation.text:
            return f"${annotation.text.strip()}$"
    return element.get("alttext") or " ".join(" ".join(element.itertext()).split())


def _is_text(button: Any) -> bool:
    """Whether the text of a button is part of the page: in a heading, of a form, or what opens an answer."""
    if not any(text.strip() for text in islice(button.itertext(), 20)):
        return False
    if button.get("aria-expanded") is not None or button.get("aria-controls") is not None:
        return True
    places = {element.tag for element in islice(button.iterancestors(), 6)}
    return "pre" not in places and not places.isdisjoint(_BUTTON_PLACES)
