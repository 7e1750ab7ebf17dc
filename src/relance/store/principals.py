"""Who reads an index: some principals, nobody in particular, or its owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from relance.config import EVERYONE
from relance.config.access import LONGEST, MOST
from relance.errors import InputError

__all__ = ["ANYBODY", "OWNER", "Owner", "Principals", "Reader"]


class Owner(Enum):
    """The type of `OWNER`."""

    OWNER = "owner"

    def __repr__(self) -> str:
        return "relance.OWNER"


OWNER = Owner.OWNER
"""Who runs an index, and sees everything in it."""

Principals = Sequence[str] | Owner | None


@dataclass(slots=True, frozen=True)
class Reader:
    """Who reads.

    Attributes:
        names: principals; nobody in particular has none.
        is_owner: sees everything.
    """

    names: tuple[str, ...] = ()
    is_owner: bool = False

    @classmethod
    def of(cls, principals: Principals) -> Reader:
        """Take what was said; InputError for what cannot be principals."""
        if principals is None:
            return ANYBODY
        if isinstance(principals, Owner):
            return cls(is_owner=True)
        if isinstance(principals, str) or not all(isinstance(each, str) for each in principals):
            msg = f"principals is a list of texts, or relance.OWNER; got {principals!r}"
            raise InputError(msg)
        names = tuple(dict.fromkeys(principals))
        if len(names) > MOST:
            msg = f"a reader has at most {MOST:,} principals, got {len(names):,}"
            raise InputError(msg)
        for name in names:
            if not name or len(name) > LONGEST or not _is_unicode(name):
                msg = f"a principal is a text of 1 to {LONGEST} characters, got {name[:60]!r}"
                raise InputError(msg)
        return cls(names)

    def condition(self, *, some_are_open: bool) -> str:
        """Write what rows this reader sees as SQL; `some_are_open`: rows may say nothing, which is everybody.

        LanceDB knows no escape in a text but a quote for a quote.
        """
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in dict.fromkeys([*self.names, EVERYONE]))
        seen = f"array_has_any(access, [{names}])"
        return f"(access IS NULL OR {seen})" if some_are_open else seen


ANYBODY = Reader()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
