"""Names of rows: what their ids are called, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from relance.parsers.decoding import clean_all
from relance.sources.sql.servers import Column

__all__ = ["all_plain", "are_plain", "ids_of", "join", "name_of"]

_KINDS = {"int", "text", "uuid"}


def are_plain(columns: Sequence[Column]) -> bool:
    """Whether rows can be found by their names: ids are texts, whole numbers or UUIDs."""
    return all(column.kind in _KINDS for column in columns)


def name_of(values: Sequence[Any]) -> str:
    """Write an id of one column or several; empty for one that is no name."""
    parts = [str(each) if isinstance(each, (int, str, UUID)) and not isinstance(each, bool) else "" for each in values]
    return (parts[0] if len(parts) == 1 else join(parts)) if all(parts) else ""


def join(parts: Sequence[str]) -> str:
    """Put the texts of several columns together so that no other row has the same name."""
    return "/".join(each.replace("%", "%25").replace("/", "%2F") for each in parts)


def ids_of(name: str, columns: Sequence[Column]) -> tuple[Any, ...] | None:
    """Read a name back as the values of its columns; None if no row can have it."""
    parts = [name]
    if len(columns) > 1:
        parts = [each.replace("%2F", "/").replace("%25", "%") for each in name.split("/")]
    if len(parts) != len(columns):
        return None
    try:
        return tuple(_READ[column.kind](part) for column, part in zip(columns, parts, strict=True))
    except ValueError:
        return None


def all_plain(names: list[str]) -> bool:
    """Whether names are as rows of files would be called: nothing is blank, and nothing would be cleaned off."""
    return all(names) and clean_all(names) == names and all(each == each.strip() for each in names)


def _whole(text: str) -> int:
    value = int(text)
    if str(value) != text or not -(1 << 63) <= value < 1 << 64:
        raise ValueError(text)
    return value


def _uuid(text: str) -> UUID:
    value = UUID(text)
    if str(value) != text:
        raise ValueError(text)
    return value


_READ = {"int": _whole, "text": str, "uuid": _uuid}
