"""Alibaba OSS, WebDAV, HDFS and other services, by opendal; and buckets with keys that obstore cannot list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from relance.errors import MissingExtraError
from relance.http.event_loop import event_loop
from relance.sources.objects.address import Address, is_odd
from relance.sources.objects.bucket import BucketError, Found, Opened, alias_of
from relance.sources.objects.opendal_services import service_options
from relance.sources.objects.spec import ObjectsSource
from relance.sources.objects.words import error_of

__all__ = ["OpendalBucket"]

_CHUNK = 1000  # entries a visit of the event loop brings
_ODD = "its key has an empty part, . or .., or a control character, and cannot be addressed; rename it"
_TRIES = 5
_TIMEOUT_S = 60.0


class OpendalBucket:
    """A bucket by opendal."""

    def __init__(self, address: Address, section: ObjectsSource) -> None:
        """Prepare; asks nothing. Raises MissingExtraError, and BucketError for options that are unknown."""
        try:
            import opendal
        except ImportError as error:
            raise MissingExtraError(f"{address.scheme}:// of a source of type objects", "opendal") from error
        # Services with keys list them in order; those with folders do not.
        self._ordered = address.kind not in {"webdav", "webhdfs", "hdfs"}
        service, given = service_options(address, section)
        config = {name: value for name, value in given.items() if value}
        config |= {name: value.get_secret_value() for name, value in section.options.items()}
        layers = opendal.layers
        try:
            operator = opendal.Operator(service, **config)
            operator = operator.layer(layers.TimeoutLayer(timeout=_TIMEOUT_S, io_timeout=_TIMEOUT_S))
            self._operator = operator.layer(layers.RetryLayer(max_times=_TRIES))
            self._async = self._operator.to_async_operator()
        except Exception as error:
            raise error_of(error) from None

    def list(self, prefix: str) -> Iterator[Found]:
        """Stream the objects.

        By the async half of opendal: the other one holds Python's lock while it waits for the server.
        """
        try:
            with event_loop() as loop:
                entries = loop.call(_lister, self._async, prefix or "/")
                before = ""
                while page := loop.call(_page, entries):
                    for found in filter(None, map(_found, page)):
                        if self._ordered:
                            before = _later(found.key, before)
                        yield found
        except (BucketError, GeneratorExit):
            raise
        except Exception as error:
            raise error_of(error, listing=True) from None

    def read(self, key: str, most: int) -> tuple[bytes | None, int, datetime | None]:
        """Read an object whole, unless it is too large."""
        try:
            facts = self._operator.stat(key)
            size = facts.content_length
            data = bytes(self._operator.read(key)) if size <= most else None
        except Exception as error:
            raise error_of(error) from None
        return data, size, facts.last_modified

    def open(self, key: str) -> Opened:
        """Open an object; parts of another one that took its place are refused where the service can tell."""
        try:
            facts = self._operator.stat(key)
            matches = self._operator.capability().read_with_if_match
        except Exception as error:
            raise error_of(error) from None
        same: dict[str, Any] = {"if_match": facts.etag} if facts.etag and matches else {}

        def read(start: int, end: int) -> bytes:
            try:
                return bytes(self._operator.read(key, offset=start, size=end - start, **same))
            except Exception as error:
                raise error_of(error) from None

        return Opened(facts.content_length, facts.last_modified, read)

    def sign(self, key: str, seconds: int) -> str:
        """Sign an address, where the service has signed ones."""
        try:
            with event_loop() as loop:
                return loop.call(_signed, self._async, key, seconds)
        except Exception as error:
            raise error_of(error) from None


async def _lister(operator: Any, prefix: str) -> Any:
    return await asyncio.ensure_future(operator.list(prefix, recursive=True))


async def _page(entries: Any) -> list[Any]:
    page = []
    async for each in entries:
        page.append(each)
        if len(page) >= _CHUNK:
            break
    return page


async def _signed(operator: Any, key: str, seconds: int) -> str:
    request = await operator.presign_read(key, seconds)
    return str(request.url)


def _found(entry: Any) -> Found | None:
    key, facts = entry.path, entry.metadata
    if key.endswith("/") and not facts.content_length:
        return None  # a folder
    odd = _ODD if is_odd(key) else ""
    etag, version = (facts.etag or "").strip('"'), facts.version or ""
    return Found(key, facts.content_length, etag, version, facts.last_modified, odd)


def _later(key: str, before: str) -> str:
    """Return a key that comes after another one; opendal takes off the slash that some begin with."""
    if key.encode() <= before.encode():
        raise BucketError(alias_of(before))
    return key
