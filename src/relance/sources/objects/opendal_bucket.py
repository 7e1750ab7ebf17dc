"""Alibaba OSS, WebDAV, HDFS and other services, by opendal; and buckets with keys that obstore cannot list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from relance.errors import MissingExtraError
from relance.http.event_loop import event_loop
from relance.sources.objects.address import Address, is_odd
from relance.sources.objects.bucket import BucketError, Found, Opened, alias_of
from relance.sources.objects.opendal_services import service_options
from relance.sources.objects.spec import ObjectsSource
from relance.sources.objects.words import error_of

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

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
        service, given = service_options(address, section)
        config = {name: value for name, value in given.items() if value}
        config |= {name: value.get_secret_value() for name, value in section.options.items()}
        layers = opendal.layers
        try:
            operator = opendal.Operator(service, **config)
            operator = operator.layer(layers.TimeoutLayer(timeout=_TIMEOUT_S, io_timeout=_TIMEOUT_S))
            self._operator = operator.layer(layers.RetryLayer(max_times=_TRIES))
            self._async = self._operator.to_async_operator()
            self._has_keys = self._operator.capability().list_with_recursive
        except Exception as error:
            raise error_of(error) from None

    def list(self, prefix: str) -> Iterator[Found]:
        """Stream the objects.

        By the async half of opendal: the other one holds Python's lock while it waits for the server.
        """
        try:
            with event_loop() as loop:
                yield from self._keys(loop, prefix) if self._has_keys else self._walk(loop, prefix)
        except (BucketError, GeneratorExit):
            raise
        except Exception as error:
            raise error_of(error, listing=True) from None

    def _keys(self, loop: BlockingPortal, prefix: str) -> Iterator[Found]:
        """List a service that has keys, in their order."""
        before = ""
        for found in self._entries(loop, prefix, recursive=True):
            before = _later(found.key, before)
            yield found

    def _walk(self, loop: BlockingPortal, prefix: str) -> Iterator[Found]:
        """List a service that has folders, one after the other.

        Opendal can walk, too, but after an error that it tries again, it passes over the folder without a word. It
        also takes a folder that is missing for an empty one.
        """
        if prefix:
            self._operator.stat(prefix)
        stack = [self._folder(loop, prefix)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
            elif found.key.endswith("/"):
                stack.append(self._folder(loop, found.key))
            else:
                yield found

    def _folder(self, loop: BlockingPortal, path: str) -> Iterator[Found]:
        listed = self._entries(loop, path, recursive=False)
        return iter(sorted(each for each in listed if each.key not in {path, "/"}))

    def _entries(self, loop: BlockingPortal, path: str, *, recursive: bool) -> Iterator[Found]:
        entries = loop.call(partial(_lister, self._async, path or "/", recursive=recursive))
        while page := loop.call(_page, entries):
            yield from map(_found, page)

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


async def _lister(operator: Any, path: str, *, recursive: bool) -> Any:
    return await operator.list(path, recursive=recursive)


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


def _found(entry: Any) -> Found:
    key, facts = entry.path, entry.metadata
    odd = _ODD if is_odd(key) else ""
    etag, version = (facts.etag or "").strip('"'), facts.version or ""
    return Found(key, facts.content_length, etag, version, facts.last_modified, odd)


def _later(key: str, before: str) -> str:
    """Return a key that comes after another one; opendal takes off the slash that some begin with."""
    if key.encode() <= before.encode():
        raise BucketError(alias_of(before))
    return key
