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

from relance.errors import ConfigurationError, InputError
from relance.handwritten import readable

__all__ = ["Liked", "read_history"]

_FIELDS = {"uri", "text", "weight", "rating", "when"}
_MIDDLE = 3.0  # of five stars


@dataclass(slots=True, frozen=True)
class Liked:
    """One entry of a history.

    Attributes:
        uri: a document of the index; or
        text: an interest in words.
        weight: how much; below 0 it was disliked.
        when: None counts as now.
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


def read_history(path: Path | str) -> list[Liked]:
    """Read a history from JSONL or CSV.

    Fields: `uri` or `text`; `weight`, or `rating` of 1 to 5 stars (3 says nothing); `when`, as ISO 8601 (UTC if it
    names no zone). ConfigurationError tells the line that is none.
    """
    path = Path(path)
    with readable(path):
        return [_entry(f"{path}:{line}", row) for line, row in _rows(path)]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix.lower() == ".csv":
            reader = csv.DictReader(file)
            for row in reader:
                yield reader.line_num, {name: value for name, value in row.items() if value not in {"", None}}
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if not isinstance(row, dict):
                    msg = f'{path}:{number}: is no entry; write {{"uri": "docs/a.md", "weight": 1}}'
                    raise ConfigurationError(msg)
                yield number, row


def _entry(where: str, row: dict[str, Any]) -> Liked:
    if strange := row.keys() - _FIELDS:
        msg = f"{where}: unknown field {min(map(str, strange))!r}; the fields are {', '.join(sorted(_FIELDS))}"
        raise ConfigurationError(msg)
    try:
        weight = float(row["weight"]) if "weight" in row else 1.0
        if "rating" in row:
            weight = (float(row["rating"]) - _MIDDLE) / 2
        return Liked(str(row.get("uri", "")), str(row.get("text", "")), weight, _moment(row.get("when")))
    except (TypeError, ValueError) as error:
        msg = f"{where}: {error}"
        raise ConfigurationError(msg) from None
    except InputError as error:
        msg = f"{where}: {error}"
        raise ConfigurationError(msg) from None


def _moment(when: Any) -> datetime | None:
    if when is None:
        return None
    moment = datetime.fromisoformat(str(when))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
