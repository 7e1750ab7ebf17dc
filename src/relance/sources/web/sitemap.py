"""Sitemaps: the pages of a site as the site itself lists them, as XML, gzip or plain lines."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from relance.documents import Ignored
from relance.errors import RelanceError, SourceError
from relance.sources.web.address import normal
from relance.sources.web.entry import NO_ADDRESS, Entry

__all__ = ["Sitemaps", "is_sitemap"]

# The protocol allows 50 MB and 50,000 addresses; nobody needs a fourth level.
MOST_BYTES = 256 << 20
_MOST_SITEMAPS = 50_000
_DEEPEST = 3
_GZIP = b"\x1f\x8b"
_TAGS = ("{*}urlset", "{*}sitemapindex", "{*}url", "{*}sitemap")


@dataclass(slots=True, frozen=True)
class _Child:
    """Another sitemap that an index names."""

    address: str


class Sitemaps:
    """Reads a sitemap and all that it leads to, one after the other; nothing is held but the one that is read."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        """Prepare to read; `fetch` gives the bytes behind an address, or raises RelanceError."""
        self._fetch = fetch
        self._seen: set[str] = set()

    def read(self, address: str) -> Iterator[Entry | Ignored]:
        """Stream the entries of a sitemap, and of the sitemaps that it names.

        Raises SourceError where one of them cannot be had or read to its end: a list that may lack pages is none.
        """
        yield from self._read(address, 0)

    def _read(self, address: str, depth: int) -> Iterator[Entry | Ignored]:
        self._seen.add(address)
        if len(self._seen) > _MOST_SITEMAPS:
            raise SourceError(f"the sitemaps at {address} name more than {_MOST_SITEMAPS:,} others")
        try:
            data = self._fetch(address)
        except SourceError:
            raise
        except RelanceError as error:
            raise SourceError(f"a sitemap cannot be read: {error}") from None
        for found in _parse(data, address):
            if not isinstance(found, _Child):
                yield found
            elif found.address in self._seen:
                continue
            elif depth >= _DEEPEST:
                raise SourceError(f"{address}: sitemaps that name sitemaps are nested deeper than {_DEEPEST} levels")
            else:
                yield from self._read(found.address, depth + 1)


def is_sitemap(data: bytes) -> bool:
    """Tell whether bytes begin as a sitemap does, rather than as a feed or a page."""
    head = data[:4096]
    return head.startswith(_GZIP) or b"<urlset" in head or b"<sitemapindex" in head or _is_text(head)


def _parse(data: bytes, address: str) -> Iterator[Entry | Ignored | _Child]:
    stream: Any = io.BytesIO(data)
    if data.startswith(_GZIP):
        stream = gzip.GzipFile(fileobj=stream)
    stream = _Bounded(stream, address)
    try:
        if _is_text(data):
            yield from _lines(stream)
        else:
            yield from _elements(stream, address)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise SourceError(f"{address}: the gzip of this sitemap is broken or was cut short") from None


def _is_text(data: bytes) -> bool:
    if data.startswith(_GZIP):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data[:65536], 4096)
        except zlib.error:
            return False
    return data.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith((b"http://", b"https://"))


def _lines(stream: _Bounded) -> Iterator[Entry | Ignored]:
    for line in io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", errors="replace"):
        if text := line.strip():
            found = normal(text)
            yield Entry(found) if found else Ignored(text[:200], NO_ADDRESS)


def _elements(stream: _Bounded, address: str) -> Iterator[Entry | Ignored | _Child]:
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    root = None
    try:
        for event, element in etree.iterparse(
            stream, events=("start", "end"), tag=_TAGS, resolve_entities=False, no_network=True, load_dtd=False,
            remove_comments=True, remove_pis=True, huge_tree=False,
        ):  # fmt: skip
            name = etree.QName(element).localname
            if event == "start":
                if root is None:
                    root = name if element.getparent() is None else ""
                continue
            if name not in {"url", "sitemap"} or root not in {"urlset", "sitemapindex"}:
                continue
            space = element.tag.removesuffix(name)
            loc, lastmod = _text(element.find(f"{space}loc")), _text(element.find(f"{space}lastmod"))
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
            found = normal(loc, address)
            if found:
                yield Entry(found, lastmod[:64]) if name == "url" else _Child(found)
            elif name == "url":
                yield Ignored(loc[:200] or address, NO_ADDRESS)
            else:
                raise SourceError(f"{address}: this sitemap names another, {loc[:100]!r}, which is no address")
    except etree.XMLSyntaxError as error:
        raise SourceError(f"{address}: this sitemap is no whole XML: {str(error).splitlines()[0][:200]}") from None
    if root not in {"urlset", "sitemapindex"}:
        raise SourceError(f"{address} is no sitemap: it has neither <urlset> nor <sitemapindex>")


def _text(element: Any) -> str:
    return "" if element is None else (element.text or "").strip()


class _Bounded(io.RawIOBase):
    """A stream that ends with an error where it is longer than any sitemap may be: gzip packs a thousand times."""

    def __init__(self, stream: Any, address: str) -> None:
        super().__init__()
        self._stream, self._address, self._left = stream, address, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise SourceError(f"{self._address}: this sitemap unpacks to more than {MOST_BYTES >> 20} MiB")
        buffer[: len(data)] = data
        return len(data)
