"""Words of the filter language, written by a program: texts, patterns, names of metadata keys."""

from __future__ import annotations

import re

__all__ = ["any_text", "metadata_name", "quoted"]

_PLAIN = re.compile(r"[\w-]+")


def quoted(text: str) -> str:
    """Write a text; a quote in it is doubled."""
    return '"' + text.replace('"', '""') + '"'


def any_text(beginning: str) -> str:
    """Write the pattern of all texts that begin so."""
    return quoted(beginning + "*")


def metadata_name(key: str) -> str:
    """Write the name of a metadata key, which may have any letters."""
    return f"meta.{key}" if _PLAIN.fullmatch(key) else f"meta.{quoted(key)}"
