"""What an address asks for, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from relance.errors import InputError

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

__all__ = ["Parameters", "is_id"]

_ID = re.compile(r"[0-9a-f]{32}")
_SECONDS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,9})?")
_LONGEST = 4000  # characters of a question; browsers send longer addresses, and models read no more
_MOST = 16
_HIGHEST = 1_000_000


class Parameters:
    """The query of an address; InputError says which parameter is wrong, and what it may be."""

    def __init__(self, query: QueryParams) -> None:
        self._query = query

    def text(self, name: str) -> str:
        """Return words, or nothing."""
        return " ".join(self.exact(name).split())

    def exact(self, name: str) -> str:
        """Return what was given to the letter: names of files and filters may hold any spaces."""
        # Forms send every end of a line as two characters; names have one.
        return _whole(name, self._query.get(name, ""))

    def several(self, name: str) -> tuple[str, ...]:
        """Return all that were given under a name, each once, at most 16."""
        values = [each for given in self._query.getlist(name) if (each := _whole(name, given).strip())]
        if len(values) > _MOST:
            msg = f"{name} may be given {_MOST} times, got {len(values)}"
            raise InputError(msg)
        return tuple(dict.fromkeys(values))

    def number(self, name: str, default: int = 1) -> int:
        """Return a whole number from 1 to 1,000,000."""
        given = self._query.get(name, "")
        if not given:
            return default
        if not (given.isascii() and given.isdigit() and len(given) <= 7 and 1 <= int(given) <= _HIGHEST):
            msg = f"{name} must be a whole number from 1 to {_HIGHEST:,}, got {_short(given)}"
            raise InputError(msg)
        return int(given)

    def seconds(self, name: str) -> float | None:
        """Return a moment of a film, in seconds; None where none is given."""
        given = self._query.get(name, "")
        if not given:
            return None
        if not _SECONDS.fullmatch(given):
            msg = f"{name} must be a number of seconds, such as 12.5, got {_short(given)}"
            raise InputError(msg)
        return float(given)

    def choice(self, name: str, among: Sequence[str]) -> str:
        """Return one of some values; the first is the default."""
        given = self._query.get(name, "")
        if given and given not in among:
            msg = f"{name} must be one of {', '.join(each for each in among if each)}, got {_short(given)}"
            raise InputError(msg)
        return given or among[0]


def _whole(name: str, given: str) -> str:
    value = given.replace("\0", " ").replace("\r\n", "\n")
    if len(value) > _LONGEST:
        msg = f"{name} must be at most {_LONGEST:,} characters long, got {len(value):,}"
        raise InputError(msg)
    return value


def is_id(value: str) -> bool:
    """Tell whether something is written as a document's id."""
    return bool(_ID.fullmatch(value))


def _short(value: str) -> str:
    return repr(value[:60] + "…" if len(value) > 60 else value)
