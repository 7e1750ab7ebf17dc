"""Values of front matter and table cells as JSON, because metadata is stored as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from relance.parsers.decoding import clean

__all__ = ["json_value"]

# More values than that are data, not metadata; the bound also stops YAML aliases that unfold without end.
_MOST = 10_000
# 1e999999 as a whole number would be a megabyte.
_DIGITS = 300


def json_value(value: Any) -> Any:
    """Return the value as JSON has it: dates as ISO 8601, durations as seconds, NaN as None.

    A decimal that no float is equal to stays what was written, as text.

    Raises ValueError, with a reason that follows the column's name, for bytes and for what JSON has no form for.
    """
    try:
        return _convert(value, [_MOST])
    except RecursionError:
        raise ValueError("is nested too deep") from None


def _convert(value: Any, left: list[int]) -> Any:  # noqa: PLR0911  # a table of types
    left[0] -= 1
    if left[0] < 0:
        msg = f"holds more than {_MOST:,} values"
        raise ValueError(msg)
    match value:
        case None | bool() | int():
            return value
        case str():
            return clean(value)
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case Mapping():
            return {clean(str(key)): _convert(item, left) for key, item in value.items()}
        case list() | tuple() | set():
            return [_convert(item, left) for item in value]
        case bytes() | bytearray():
            msg = "holds bytes, which metadata cannot keep"
            raise ValueError(msg)
        case _:
            msg = f"holds a {type(value).__name__}, which metadata cannot keep"
            raise ValueError(msg)


def _number(value: Decimal) -> float | int | str | None:
    if not value.is_finite():
        return None
    if abs(value.adjusted()) > _DIGITS:
        return str(value)
    if value == value.to_integral_value():
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else str(value)
