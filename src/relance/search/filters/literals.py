"""Values as SQL literals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from relance.search.filters.tree import Moment

__all__ = ["glob", "in_time", "iso", "quoted", "real", "timestamp"]


def quoted(text: str) -> str:
    """Write a text: doubling quotes is all the escaping there is."""
    return "'" + text.replace("'", "''") + "'"


def real(number: float) -> str:
    """Write a double."""
    return repr(float(number))


def glob(pattern: str) -> str:
    """Write a pattern for LIKE, which knows no other escape than the backslash."""
    for letter in "\\%_":
        pattern = pattern.replace(letter, "\\" + letter)
    return quoted(pattern.replace("*", "%").replace("?", "_"))


def timestamp(moment: datetime) -> str:
    """Write a moment for a column of timestamps."""
    return f"timestamp '{moment:%Y-%m-%dT%H:%M:%S.%f}Z'"


def iso(moment: datetime) -> str:
    """Write a day for texts in ISO 8601."""
    return quoted(f"{moment:%Y-%m-%d}")


def in_time(value: Moment, operator: str, test: Callable[[str], str], literal: Callable[[datetime], str]) -> str:
    """Compare with a moment, or with a whole day.

    Args:
        value: what is compared with.
        operator: one of the filter's.
        test: makes a condition of an operator with a literal, e.g. of `< '2024-01-31'`.
        literal: `timestamp` or `iso`.
    """
    if not value.whole_day:
        return test(f"{operator} {literal(value.start) if literal is timestamp else quoted(value.text)}")
    today, tomorrow = literal(value.start), literal(value.next_day)
    if operator == "=":
        return f"({test(f'>= {today}')} AND {test(f'< {tomorrow}')})"
    edges = {"<": f"< {today}", "<=": f"< {tomorrow}", ">": f">= {tomorrow}", ">=": f">= {today}"}
    return test(edges[operator])
