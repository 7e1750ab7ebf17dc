"""Lists of names, as they are easiest to read."""

from __future__ import annotations

__all__ = ["names"]


def names(text: str) -> frozenset[str]:
    """Make a set of the words of a text."""
    return frozenset(text.split())
