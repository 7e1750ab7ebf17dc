"""Files below a folder, and rows of the tables among them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import ByteSize

from relance.config import FilesSource, fingerprint
from relance.documents import Content, Document, Item, digest
from relance.errors import ConfigurationError, DocumentError
from relance.parsers import Raw, has_parser, parse, parser_version, refusal
from relance.parsers.decoding import codec
from relance.parsers.media_types import TABLES, is_media, language_of, media_type_of
from relance.sources.ignore import Rules
from relance.sources.rows import list_rows, parse_row, read_row
from relance.sources.walk import inside, walk

__all__ = ["Files"]

_EVERYTHING = ["**/*"]
# An office document or e-book may unpack to so many times the size limit of a file.
_UNPACKED = 20


class Files:
    """The `files` source.

    Documents are named by their path relative to the spec's folder. A file's version is its mtime and size, so a
    listing opens nothing; whether it really changed is decided by the hash of its bytes.
    """

    def __init__(self, section: FilesSource, root: Path, base: Path, position: int, *,
                 skip_media: bool = False) -> None:  # fmt: skip
        """Prepare to read; both folders are absolute. ConfigurationError for a bad pattern or encoding."""
        self._skip_media = skip_media
        relative = Path(os.path.relpath(root, base)).as_posix()
        self._prefix = "" if relative == "." else relative + "/"
        self._section, self._root, self._position = section, root, position
        self._real_root = os.path.realpath(root)
        self._include = None if section.include == _EVERYTHING else Rules(section.include, strict=True)
        Rules(section.exclude, strict=True)
        try:
            self._encoding = codec(section.encoding) if section.encoding else ""
        except LookupError:
            raise ConfigurationError(f"encoding: {section.encoding!r} is no encoding Python knows") from None

    def list(self) -> Iterator[Item | DocumentError]:
        """Stream the files that patterns, ignore files and policies let through, in ascending order of uri.

        With the default `include`, files of a type that holds no text (images, archives, unknown) are passed over, and
        where the index has media, images and videos are in any case: they are `MediaFiles`' business.
        """
        rows = self._section.rows
        only_media = rows is not None and rows.url and "text" not in rows.model_fields_set
        for item in self._files():
            if isinstance(item, Item) and self._skip_media and is_media(item.media_type):
                continue
            if isinstance(item, Item) and item.collection and only_media:
                continue
            yield item

    def _files(self) -> Iterator[Item | DocumentError]:
        if not self._root.exists():
            raise ConfigurationError(f"the folder {self._root} does not exist; is it mounted, is `root` right?")
        if not self._root.is_dir():
            raise ConfigurationError(
                f"{self._root} is a file; set `root` to its folder and `include` to [{self._root.name}]"
            )
        rows = self._section.rows is not None
        for found in walk(self._root, self._prefix, self._section, self._wanted):
            if isinstance(found, DocumentError):
                yield found
                continue
            path, status = found
            media_type = media_type_of(path)
            yield Item(
                uri=self._prefix + path,
                version=f"{status.st_mtime_ns:x}-{status.st_size:x}",
                media_type=media_type,
                size=status.st_size,
                source=self._position,
                collection=rows and media_type in TABLES,
            )

    def rows(self, collection: Item) -> Iterator[Item | DocumentError]:
        """Stream the rows of a table; memory stays flat but for 30 bytes an id."""
        if self._section.rows is None:
            yield DocumentError(collection.uri, "this source has no `rows`")
            return
        try:
            with self._open(collection.uri) as (stream, size):
                if size:
                    limit = self._section.max_size
                    yield from list_rows(stream, collection, self._section.rows, encoding=self._encoding, max_row=limit)
                else:
                    yield DocumentError(collection.uri, "empty file")
        except DocumentError as error:
            yield error
        except OSError as error:
            yield DocumentError(collection.uri, _reason(error))

    def read(self, item: Item) -> Content:
        """Read a file whole, unless it is of no use or too large."""
        if item.row is not None:
            return read_row(item)
        if reason := refusal(item.media_type):
            raise DocumentError(item.uri, reason)
        data = self._read_path(self._root / item.uri.removeprefix(self._prefix), item.uri, self._real_root)
        return Content(item, data, digest("file", data))

    def _read_path(self, path: Path, uri: str, real_root: str) -> bytes:
        """Read a file that lies inside a folder (resolved); DocumentError with a plain reason."""
        limit = self._section.max_size
        try:
            with _Opened(path, uri, real_root) as (stream, size):
                data = stream.read(limit + 1) if size <= limit else b""
        except OSError as error:
            raise DocumentError(uri, _reason(error)) from None
        if size > limit or len(data) > limit:  # the latter: it is growing right now
            large = ByteSize(max(size, len(data))).human_readable()
            reason = f"{large} is more than max_size ({limit.human_readable()}); raise max_size or exclude it"
            raise DocumentError(uri, reason)
        if not data:
            raise DocumentError(uri, "empty file")
        return data

    def parse(self, content: Content) -> Document:
        """Turn a file or row into text."""
        item = content.item
        if item.row is not None:
            return parse_row(content)
        max_unpacked = _UNPACKED * self._section.max_size
        parsed = parse(Raw(content.data, item.uri, item.media_type, self._encoding, max_unpacked))
        metadata = parsed.metadata | {"path": item.uri, "media_type": item.media_type}
        if modified := _modified(item.version):
            metadata["mtime"] = modified
        return Document(
            uri=item.uri,
            text=parsed.text,
            media_type=item.media_type,
            content_hash=content.content_hash,
            title=parsed.title,
            syntax=parsed.syntax,
            metadata=metadata,
            pages=parsed.pages,
        )

    def parser_version(self, media_type: str) -> str:
        """Name the parser and the options that decide the text."""
        rows = self._section.rows
        if rows is not None and media_type in TABLES:
            version = f"rows-1/{fingerprint(rows)}"
        else:
            version = parser_version(media_type)
        is_text = media_type.startswith("text/") or media_type in TABLES or bool(language_of(media_type))
        return f"{version}/{self._encoding}" if self._encoding and is_text else version

    def _wanted(self, path: str) -> bool:
        if self._include is None:
            return has_parser(media_type_of(path))
        return bool(self._include.verdict(path))

    def _open(self, uri: str) -> _Opened:
        return _Opened(self._root / uri.removeprefix(self._prefix), uri, self._real_root)


class _Opened:
    """A regular file below the root, open for reading, with its size."""

    def __init__(self, path: Path, uri: str, real_root: str) -> None:
        self._path, self._uri, self._real_root = path, uri, real_root

    def __enter__(self) -> tuple[BinaryIO, int]:
        # A link may have taken the file's place since it was listed.
        if not inside(os.path.realpath(self._path), self._real_root):
            raise DocumentError(self._uri, "it leads out of the folder of this source")
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._stream = open(descriptor, "rb")  # noqa: PTH123  # closed by __exit__
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self._stream.close()
            raise DocumentError(self._uri, "no regular file")
        return self._stream, status.st_size

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _modified(version: str) -> str:
    """Read the time of modification out of a file's version: ISO 8601, UTC, to the second."""
    nanoseconds = int(version.rpartition("-")[0], 16)
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return ""  # a clock of another age is not worth the document


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "it vanished while being read"
        case PermissionError():
            return "permission denied"
        case _:
            return f"cannot be read: {(error.strerror or str(error)).lower()}"
