"""Times of services as ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["utc"]


def utc(value: Any) -> str:
    """Write a time (ISO 8601, or seconds since 1970) as `2026-11-30T08:00:00Z`; empty for what is none."""
    try:
        # Jira writes +0000, which Python 3.11 reads as well.
        moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, OSError, TypeError, ValueError):
        return ""
