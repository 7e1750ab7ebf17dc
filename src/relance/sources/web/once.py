"""Which pages were listed already: some have several addresses that servers answer alike."""

from __future__ import annotations

import sqlite3
from typing import Self

from relance.documents import digest
from relance.sources.web.address import alike
from relance.sources.web.known_page import KnownPage

__all__ = ["Once"]


class Once:
    """Knows the pages of one listing, on disk but for 8 MB of them; a context manager."""

    def __init__(self) -> None:
        """Know none yet."""
        self._base = sqlite3.connect("", check_same_thread=False)  # a file of its own that nobody else sees
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("PRAGMA cache_size = -8192")
        self._base.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._base.close()

    def has(self, page: KnownPage) -> bool:
        """Tell whether a page was listed before, and note it.

        The same page is one with the same uri, or with the same content at an address that differs by what rarely
        makes a difference: http or https, a final slash, `index.html`.
        """
        keys = _number("uri", page.uri), _number("alike", alike(page.uri), page.version)
        new = [self._note(key) for key in keys]  # all of them are noted
        return not all(new)

    def _note(self, key: int) -> bool:
        return self._base.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1


def _number(*parts: str) -> int:
    return int.from_bytes(bytes.fromhex(digest(*parts, size=8)), "little", signed=True)
