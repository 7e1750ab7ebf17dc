"""What somebody has liked and disliked, and reading that from a file."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relance.config.yaml_files import readable
from relance.errors import ConfigurationError, InputError

__all__ = ["Liked", "read_history"]

_FIELDS = {"uri", "text", "weight", "rating", "when"}
_STARS = (1.0, 5.0)
_MIDDLE = 3.0
_EXAMPLE = '{"uri": "docs/a.md", "weight": 1}'


@dataclass(slots=True, frozen=True)
class Liked:
    """One entry of a history.

    Attributes:
        uri: a document of the index; or
        text: an interest in words.
        weight: how much; below 0 it was disliked.
        when: None counts as now; UTC if it names no zone.
    """

    uri: str = ""
    text: str = ""
    weight: float = 1.0
    when: datetime | None = None

    def __post_init__(self) -> None:
        if bool(self.uri.strip()) == bool(self.text.strip()):
            msg = "an entry of a history has a uri or a text, one of them"
            raise InputError(msg)
        if not math.isfinite(self.weight):
            msg = f"{self.uri or self.text}: the weight must be a number, got {self.weight}"
            raise InputError(msg)
        if self.when is not None and self.when.tzinfo is None:
            object.__setattr__(self, "when", self.when.replace(tzinfo=UTC))


def read_history(path: Path | str) -> list[Liked]:
    """Read a history from JSONL or CSV.

    Fields: `uri` or `text`; `weight`, or `rating` of 1 to 5 stars (3 says nothing); `when`, as ISO 8601 (UTC if it
    names no zone). Null and empty cells count as missing. ConfigurationError tells the line that is no entry.
    """
    path = Path(path)
    with readable(path):
        rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path)
        return [_entry(where, {name: value for name, value in row.items() if value not in (None, "")})
                for where, row in rows]  # fmt: skip


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                where = f"{path}:{reader.line_num}"
                if None in row:
                    msg = f"{where}: has more cells than there are columns ({', '.join(reader.fieldnames or ())})"
                    raise ConfigurationError(msg)
                yield where, row
        except csv.Error as error:
            msg = f"{path}:{reader.reader.line_num}: is no CSV: {error}"
            raise ConfigurationError(msg) from None


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                msg = f"{path}:{number}: is no entry; write {_EXAMPLE}"
                raise ConfigurationError(msg)
            yield f"{path}:{number}", row


def _entry(where: str, row: dict[str, Any]) -> Liked:
    if strange := row.keys() - _FIELDS:
        msg = f"{where}: unknown field {min(map(str, strange))!r}; the fields are {', '.join(sorted(_FIELDS))}"
        raise ConfigurationError(msg)
    try:
        return Liked(str(row.get("uri", "")), str(row.get("text", "")), _weight(row), _moment(row.get("when")))
    except InputError as error:
        msg = f"{where}: {error}"
        raise ConfigurationError(msg) from None


def _weight(row: dict[str, Any]) -> float:
    """Read the weight of an entry; five stars weigh 1, one star -1."""
    if "rating" not in row:
        return _number(row, "weight") if "weight" in row else 1.0
    if "weight" in row:
        raise InputError("an entry has a weight or a rating, not both")
    stars = _number(row, "rating")
    if not _STARS[0] <= stars <= _STARS[1]:
        msg = f"a rating is 1 to 5 stars, got {stars:g}"
        raise InputError(msg)
    return (stars - _MIDDLE) / (_STARS[1] - _MIDDLE)


def _number(row: dict[str, Any], name: str) -> float:
    value = row[name]
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    msg = f"the {name} must be a number, got {value!r}"
    raise InputError(msg)


def _moment(when: Any) -> datetime | None:
    if when is None:
        return None
    try:
        return datetime.fromisoformat(str(when))
    except ValueError:
        msg = f"when must be a date such as 2026-01-31 or 2026-01-31T08:30+02:00, got {str(when)!r}"
        raise InputError(msg) from None
