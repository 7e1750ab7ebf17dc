"""Objects of a bucket, or files of a server, by their keys."""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import BinaryIO, ClassVar, cast
from urllib.parse import quote

from pydantic import ByteSize

from relance.documents import Content, Ignored, Item
from relance.errors import ConfigurationError, DocumentError, RelanceError, SourceError, install_command
from relance.sources.abilities import Announcing, Bucketed
from relance.sources.ignore import Rules
from relance.sources.objects.address import Address, is_below
from relance.sources.objects.bucket import Bucket, BucketError, Found, NoBucketError, UnlistableKeyError
from relance.sources.objects.key_filter import KeyFilter
from relance.sources.objects.obstore_bucket import ObstoreBucket
from relance.sources.objects.opendal_bucket import OpendalBucket
from relance.sources.objects.queue_news import QueueNews
from relance.sources.objects.ranged_file import ranged_file
from relance.sources.objects.spec import ObjectsSource
from relance.sources.objects.sqs_queue import SqsQueue
from relance.sources.source import Location, Source, SourceContext

__all__ = ["Objects"]

_EVERYTHING = ["**/*"]
_BY_OBSTORE = ("s3", "gcs", "azure")


class Objects(Source, Bucketed, Announcing):
    """The `objects` source.

    Documents are named by their address, `s3://bucket/key`. An object's version is its ETag and size, with its version
    id where the listing brings it; its time and size where a service has no ETag. Of a bucket that keeps versions, the
    current ones are listed.
    """

    Spec = ObjectsSource
    version = "objects-1"
    has_pages = False
    reads_at_once: ClassVar[int] = 16
    spec: ObjectsSource

    def __init__(self, spec: ObjectsSource, context: SourceContext) -> None:
        """Prepare to read; asks nothing of the service. ConfigurationError for a bad pattern."""
        super().__init__(spec, context)
        self._address = Address.read(spec.url)
        self._include = None if spec.include == _EVERYTHING else Rules(spec.include, strict=True)
        KeyFilter(spec.exclude, self._refusal, hidden=spec.hidden)
        self._own = tuple(uri for each in context.own_addresses if (uri := _canonical(each)))

    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the objects that patterns and policies let through, in the order of the service.

        ConfigurationError if there is no such bucket; SourceError if it cannot be listed to its end.
        """
        try:
            yield from self._listed()
        except NoBucketError as error:
            raise ConfigurationError(f"{self._address}: {error}; check `url` and `endpoint`") from None
        except BucketError as error:
            raise SourceError(f"{self._address} cannot be listed: {error}") from None

    def read(self, item: Item) -> Content:
        """Read an object whole, unless it is too large or empty."""
        limit = self.spec.max_size
        try:
            data, size, modified = self._bucket.read(self._key(item.uri), limit)
        except BucketError as error:
            raise DocumentError(item.uri, str(error)) from None
        if data is None:
            large = ByteSize(size).human_readable()
            reason = f"{large} is more than max_size ({limit.human_readable()}); raise max_size or exclude it"
            raise DocumentError(item.uri, reason)
        if not data:
            raise DocumentError(item.uri, "empty file")
        return Content(item, data, metadata={"size": size} | ({"mtime": _utc(modified)} if modified else {}))

    @contextmanager
    def open(self, item: Item) -> Generator[tuple[BinaryIO, int]]:
        """Open an object of any size; parts of it are fetched as they are read."""
        try:
            opened = self._bucket.open(self._key(item.uri))
        except BucketError as error:
            raise DocumentError(item.uri, str(error)) from None
        with ranged_file(opened, item.uri) as stream:
            yield cast("BinaryIO", stream), opened.size

    def location(self, uri: str = "") -> Location | None:
        """Say where an object is; with `presign` the address is signed anew at each call, without asking anybody."""
        if not uri:
            return Location(str(self._address), url=self.spec.public_url)
        key = self._address.key(uri)
        if not key:
            return None
        return Location(uri, url=self._url(key))

    def named(self, bucket: str, key: str) -> str | None:
        """Return the uri of an object; empty for one of this bucket that is not below the folder."""
        if bucket != self._address.place.partition("@")[0]:
            return None
        uri = self._address.uri(key)
        return uri if self._address.key(uri) == key else ""

    def news(self, stop: threading.Event) -> Iterator[frozenset[str] | None] | None:
        """Receive the notifications that come to `queue`."""
        return QueueNews(SqsQueue(self.spec), self._announced, stop) if self.spec.queue else None

    def _announced(self, bucket: str, key: str) -> str:
        """Name an object of a notification, also of another bucket: two sources of an index may share a queue."""
        return self.named(bucket, key) or Address(self._address.scheme, bucket, "").uri(key)

    @cached_property
    def _bucket(self) -> Bucket:
        kind = ObstoreBucket if self._address.kind in _BY_OBSTORE else OpendalBucket
        try:
            return kind(self._address, self.spec)
        except BucketError as error:
            raise ConfigurationError(f"{self._address}: {error}") from None

    def _key(self, uri: str) -> str:
        key = self._address.key(uri)
        if not key:
            raise DocumentError(uri, f"it is not below {self._address}")
        return key

    def _url(self, key: str) -> str:
        if public := self.spec.public_url:
            return f"{public.rstrip('/')}/{quote(key.removeprefix(self._address.prefix))}"
        if not self.spec.presign_s:
            return ""
        try:
            return self._bucket.sign(key, self.spec.presign_s)
        except (BucketError, RelanceError):
            return ""  # without credentials nothing is signed; reading says why

    def _objects(self) -> Iterator[Found]:
        """Stream what is below the folder, by opendal from a key on that obstore takes for no path."""
        last = b""
        try:
            for found in self._bucket.list(self._address.prefix):
                last = found.key.encode()
                yield found
        except UnlistableKeyError as error:
            yield from (each for each in self._otherwise(error) if each.key.encode() > last)

    def _otherwise(self, error: UnlistableKeyError) -> Iterator[Found]:
        try:
            return OpendalBucket(self._address, self.spec).list(self._address.prefix)
        except ConfigurationError:
            raise SourceError(
                f"{self._address} cannot be listed because of a key ({error}); rename it, or, to go on without it, "
                f"{install_command('opendal')}"
            ) from None

    def _listed(self) -> Iterator[Item | DocumentError | Ignored]:
        prefix, uri_of = self._address.prefix, self._address.uri
        keys = KeyFilter(self.spec.exclude, self._refusal, hidden=self.spec.hidden)
        media_type_of, position = self.context.media_type_of, self.context.position
        last = ""
        for found in self._objects():
            path = found.key[len(prefix) :]
            uri = uri_of(found.key)
            if not path or any(is_below(uri, each) for each in self._own):
                continue
            ignored, reason = keys.verdict(path)
            if reason:
                if ignored != last and reason.strip():
                    kind = posixpath.splitext(path)[1].lower() if ignored == path and reason == _UNREAD else ""
                    yield Ignored(uri_of(prefix + ignored), reason, kind)
                last = ignored
            elif not found.size:
                yield Ignored(uri, "empty")
            elif found.odd:
                yield DocumentError(uri, found.odd)
            else:
                yield Item(uri, _marker(found), media_type_of(path), found.size, position)

    def _refusal(self, path: str) -> str:
        """Say why an object is not read; empty if it is."""
        if self._include is None:
            return "" if self.context.wanted(self.context.media_type_of(path)) else _UNREAD
        return "" if self._include.verdict(path) else "not in include"


_UNREAD = "type that is not read"


def _marker(found: Found) -> str:
    mark = found.etag or (f"{found.modified.timestamp():.6f}" if found.modified else "")
    return f"{mark}-{found.size:x}" + (f"-{found.version}" if found.version else "")


def _canonical(uri: str) -> str:
    """Write the address of the store as uris of objects are written; empty if it is of no bucket."""
    try:
        address = Address.read(uri)
    except ValueError:
        return ""
    return address.uri(address.prefix.rstrip("/"))


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
