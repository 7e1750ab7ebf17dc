"""How long a server says that its answer stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["fresh_s"]

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})\"?\s*(?:,|$)", re.IGNORECASE)
_NEVER = re.compile(r"(?:^|,)\s*no-(?:cache|store)\s*(?:[,=]|$)", re.IGNORECASE)


def fresh_s(headers: Mapping[str, str], *, now: float) -> float:
    """Read `Cache-Control` and `Expires` (RFC 9111): seconds from `now` (since 1970), 0 where nothing is promised.

    `headers` has lower-case or case-insensitive keys; several lines of one name are joined by commas.
    """
    control = headers.get("cache-control", "")
    if _NEVER.search(control):
        return 0.0
    if found := _MAX_AGE.search(control):
        age = headers.get("age", "").strip()
        return max(0.0, float(found[1]) - (float(age) if age.isdecimal() else 0.0))
    if "expires" not in headers:
        return 0.0
    expires = _date(headers["expires"])
    sent = _date(headers.get("date", "")) or now  # by the server's clock, where it says its time
    return max(0.0, expires - sent) if expires is not None else 0.0  # "Expires: 0" is the past


def _date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
