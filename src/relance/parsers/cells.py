"""Cells of rows as names, texts, JSON and addresses."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from relance.parsers.decoding import clean, clean_all
from relance.parsers.json_values import json_value
from relance.parsers.records import NoValue

__all__ = ["RefusedCellError", "addresses_in", "id_of", "is_blank", "json_cell", "objects", "strings", "text_of"]


class RefusedCellError(Exception):
    """A row cannot be a document because of a cell; the text says why."""


def strings(cells: Sequence[Any]) -> list[str] | None:
    """Read cells that are all text (or nothing), or all whole numbers; None if they are not."""
    kinds = set(map(type, cells))
    if kinds <= {str, type(None)}:
        return [text.strip() for text in clean_all([value or "" for value in cells])]
    return list(map(str, cells)) if kinds == {int} else None


def objects(columns: dict[str, list[str]], rows: int) -> list[str]:
    """Write JSON objects of columns that hold JSON."""
    if not columns:
        return ["{}"] * rows
    form = "{" + ", ".join(json.dumps(column).replace("%", "%%") + ": %s" for column in columns) + "}"
    return [form % cells for cells in zip(*columns.values(), strict=True)]


def id_of(value: Any, column: str) -> str:
    """Read the name of a row: text, or a whole number."""
    if isinstance(value, NoValue):
        raise RefusedCellError(f"column {column!r} {value.reason}")
    if isinstance(value, (float, Decimal)) and value == value // 1:
        value = int(value)  # what a column of integers with gaps becomes in a data frame
    if value is None or value == "":
        raise RefusedCellError(f"no id in column {column!r}")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise RefusedCellError(f"the id in column {column!r} is a {type(value).__name__}, not text or a whole number")
    name = clean(str(value)).strip()
    if not name:
        raise RefusedCellError(f"the id in column {column!r} is blank")
    return name


def text_of(value: Any, column: str, between: str) -> str:
    """Read a cell as text, empty where there is none; of a list each value."""
    match value:
        case None:
            return ""
        case str():
            return clean(value).strip()
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return "" if value != value else str(value)  # noqa: PLR0124  # NaN is how data frames write an empty cell
        case datetime() | date() | time():
            return value.isoformat()
        case list():
            return between.join(filter(None, (text_of(each, column, ", ") for each in value)))
        case NoValue():
            raise RefusedCellError(f"column {column!r} {value.reason}")
        case dict():
            inside = f"; {column}.{next(iter(value))} would be a text in it" if value else ""
            raise RefusedCellError(f"column {column!r} holds an object, not text{inside}")
        case _:
            raise RefusedCellError(f"column {column!r} holds a {type(value).__name__}, not text")


def json_cell(value: Any, column: str) -> Any:
    """Read a cell as metadata."""
    if isinstance(value, NoValue):
        raise RefusedCellError(f"column {column!r} {value.reason}")
    try:
        return json_value(value)
    except ValueError as error:
        raise RefusedCellError(f"column {column!r} {error}") from None


def is_blank(value: Any) -> bool:
    """Whether a cell has nothing."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value != value  # noqa: PLR0124  # NaN is an empty cell of a data frame


def addresses_in(value: Any, column: str, separator: str = "") -> tuple[str, ...]:
    """Read one address or several: a list, one written as JSON or as Python does, or a text with separators."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _listed(value, column)
    elif isinstance(value, str) and separator:
        value = [each for each in value.split(separator) if each.strip()]
    several = value if isinstance(value, list) else [value]
    addresses = tuple(dict.fromkeys(each.strip() for each in several if isinstance(each, str) and each.strip()))
    if not addresses or not all(isinstance(each, str) and each.strip() for each in several):
        raise RefusedCellError(f"no address in column {column!r}")
    return addresses


def _listed(text: str, column: str) -> Any:
    """Read a list written as JSON, or as data frames write theirs: `['a', 'b']`."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        reason = f'column {column!r} begins like a JSON list and is none; write ["a", "b"], or set `url_separator`'
        raise RefusedCellError(reason) from None
