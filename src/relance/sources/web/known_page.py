"""What earlier runs learned of a page."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from relance.documents import digest
from relance.sources.abilities import Remembered
from relance.sources.web.address import normal

__all__ = ["KnownPage", "KnownPages"]

_MOST_LINKS = 48 * 1024  # letters, compressed: what is kept of the links of one page
_HTML = "text/html"


@dataclass(slots=True, frozen=True)
class KnownPage:
    """A page that is indexed.

    Attributes:
        uri: of its document.
        version: hash of what the server sent.
        asked: the address that led to it, which is the uri for most.
        lastmod: what the sitemap or feed said then.
        etag: validator.
        modified: validator, an HTTP date as sent.
        media_type: of what is there.
        feed: as in `Entry`.
        links: addresses in the source that it links to; None where they were not kept.
    """

    uri: str
    version: str
    asked: str = ""
    lastmod: str = ""
    etag: str = ""
    modified: str = ""
    media_type: str = _HTML
    feed: str = ""
    links: tuple[str, ...] | None = None

    @property
    def memory(self) -> str:
        """As a JSON object, to be kept with the document."""
        values = {
            "asked": self.asked if self.asked != self.uri else "", "lastmod": self.lastmod, "etag": self.etag,
            "modified": self.modified, "type": self.media_type if self.media_type != _HTML else "", "feed": self.feed,
        }  # fmt: skip
        values = {name: value for name, value in values.items() if value}
        if self.links is not None:
            packed = base64.b85encode(zlib.compress("\n".join(self.links).encode(), 9)).decode()
            if len(packed) <= _MOST_LINKS:
                values["links"] = packed
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def of(cls, remembered: Remembered) -> KnownPage | None:
        """Read a memory; None for one that this source has not written."""
        try:
            values = json.loads(remembered.memory)
            links = values.get("links")
            if links is not None:
                links = tuple(zlib.decompress(base64.b85decode(links)).decode().split()) if links else ()
            return cls(
                remembered.uri, remembered.version, values.get("asked") or remembered.uri, values.get("lastmod", ""),
                values.get("etag", ""), values.get("modified", ""), values.get("type", _HTML), values.get("feed", ""),
                links,
            )  # fmt: skip
        except (ValueError, AttributeError, zlib.error):
            return None


class KnownPages:
    """The pages that are indexed, found by the address that led to them: on disk, so that a million cost no memory."""

    def __init__(self, mine: Callable[[str], bool]) -> None:
        """Know nothing yet; `mine` tells the uris of this source from others."""
        self._mine = mine
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = None
        self._full = False

    def recall(self, remembered: Iterable[Remembered], *, full: bool) -> None:
        """Take up what earlier runs remembered, in place of what was known; `full`: validators are not used."""
        self.close()
        self._full = full
        base = sqlite3.connect("", check_same_thread=False)  # a file of its own that nobody else sees
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("CREATE TABLE page (key BLOB PRIMARY KEY, uri TEXT, version TEXT, memory TEXT) WITHOUT ROWID")
        base.execute("CREATE TABLE fed (feed TEXT, address TEXT)")
        for each in remembered:
            known = KnownPage.of(each) if self._mine(each.uri) else None
            if known is None:
                continue
            base.execute("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?)", (_key(known.asked), *each))
            if known.asked != known.uri:  # it may be asked by its own address from now on
                base.execute("INSERT OR IGNORE INTO page VALUES (?, ?, ?, ?)", (_key(known.uri), *each))
            if known.feed:
                base.execute("INSERT INTO fed VALUES (?, ?)", (known.feed, known.asked))
        self._base = base
        weakref.finalize(self, base.close)

    def find(self, address: str) -> KnownPage | None:
        """Return what is known of the page that an address led to; None where nothing is."""
        if self._base is None:
            return None
        with self._lock:
            found = self._base.execute(
                "SELECT uri, version, memory FROM page WHERE key = ?", (_key(address),)
            ).fetchone()
        known = KnownPage.of(Remembered(*found)) if found else None
        if known is None or not self._full:
            return known
        return KnownPage(known.uri, "", known.asked, media_type=known.media_type, feed=known.feed)

    def fed(self, feed: str) -> Iterator[str]:
        """Stream the addresses of the pages that a feed has named in earlier runs."""
        if self._base is None:
            return
        with self._lock:
            found = self._base.execute("SELECT address FROM fed WHERE feed = ? ORDER BY address", (feed,)).fetchall()
        for (address,) in found:
            if normal(address) == address:
                yield address

    def close(self) -> None:
        """Forget everything."""
        if self._base is not None:
            self._base.close()
            self._base = None


def _key(address: str) -> bytes:
    return bytes.fromhex(digest("address", address, size=12))
