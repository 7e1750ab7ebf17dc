"""A number and its noun."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """Write `1 document`, `2,000 documents`, `2 batches`."""
    ending = "" if number == 1 else "es" if noun.endswith(("ch", "sh", "x", "s")) else "s"
    return f"{number:,} {noun}{ending}"
