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


def json_value(value: Any) -> Any:
    """Return the value as JSON has it: dates as ISO 8601, durations as seconds, NaN as None.

    Raises ValueError, with a reason that follows the column's name, for bytes and for what JSON has no form for.
    """
    return _convert(value, [_MOST])


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
            whole = value.is_finite() and value == value.to_integral_value()
            return int(value) if whole else _convert(float(value), left)
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
