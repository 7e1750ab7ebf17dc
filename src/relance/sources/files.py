"""Files below a folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from relance.config.sources import FilesSource
from relance.documents import Content, Ignored, Item
from relance.errors import ConfigurationError, DocumentError
from relance.sources.abilities import Watchable
from relance.sources.ignore import Rules
from relance.sources.local_file import open_file, read_file
from relance.sources.source import Location, Source, SourceContext
from relance.sources.walk import walk
from relance.sources.watched_folder import WatchedFolder

__all__ = ["Files"]

_EVERYTHING = ["**/*"]
_OUTSIDE = "it leads out of the folder of this source"


class Files(Source, Watchable):
    """The `files` source.

    Documents are named by their path relative to the spec's folder. A file's version is its mtime and size, so a
    listing opens nothing; whether it really changed is decided by the hash of its bytes.
    """

    Spec = FilesSource
    version = "files-1"
    has_pages = False
    spec: FilesSource

    def __init__(self, spec: FilesSource, context: SourceContext) -> None:
        """Prepare to read. ConfigurationError for a bad pattern."""
        super().__init__(spec, context)
        self._root = (context.folder / spec.root.expanduser()).absolute()
        relative = Path(os.path.relpath(self._root, context.folder)).as_posix()
        self._prefix = "" if relative == "." else relative + "/"
        self._real_root = os.path.realpath(self._root)
        self._include = None if spec.include == _EVERYTHING else Rules(spec.include, strict=True)
        Rules(spec.exclude, strict=True)

    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the files that patterns, ignore files and policies let through, in ascending order of uri.

        With the default `include`, files that nothing reads (archives, unknown types) are ignored.
        """
        if not self._root.exists():
            raise ConfigurationError(f"the folder {self._root} does not exist; is it mounted, is `root` right?")
        if not self._root.is_dir():
            raise ConfigurationError(
                f"{self._root} is a file; set `root` to its folder and `include` to [{self._root.name}]"
            )
        media_type_of, position = self.context.media_type_of, self.context.position
        for found in walk(self._root, self._prefix, self.spec, self._verdict, self.context.own):
            if not isinstance(found, tuple):
                yield found
                continue
            path, status = found
            yield Item(
                uri=self._prefix + path,
                version=f"{status.st_mtime_ns:x}-{status.st_size:x}",
                media_type=media_type_of(path),
                size=status.st_size,
                source=position,
            )

    def read(self, item: Item) -> Content:
        """Read a file whole, unless it is too large or empty."""
        data = read_file(self._path(item.uri), item.uri, [self._real_root], self.spec.max_size, outside=_OUTSIDE)
        modified = _modified(item.version)
        return Content(item, data, metadata={"mtime": modified} if modified else {})

    @contextmanager
    def open(self, item: Item) -> Generator[tuple[BinaryIO, int]]:
        """Open a file of any size."""
        with open_file(self._path(item.uri), item.uri, [self._real_root], outside=_OUTSIDE) as opened:
            yield opened

    def location(self, uri: str = "") -> Location | None:
        """Say where a file is, whether it is there or not."""
        if not uri:
            return Location(str(self.spec.root), self._root, self.spec.public_url)
        if not uri.startswith(self._prefix) or uri.startswith("/") or posixpath.normpath(uri) != uri:
            return None
        path, public = uri.removeprefix(self._prefix), self.spec.public_url
        if path == ".." or path.startswith("../"):
            return None
        return Location(uri, self._path(uri), f"{public.rstrip('/')}/{quote(path)}" if public else "")

    def watched(self, *, shown: bool = False) -> WatchedFolder:
        """Return the folder, whose changes can be watched."""
        return WatchedFolder(
            self.spec, self._root, self._prefix, self._wanted, self.context.media_type_of,
            own=self.context.own, shown=shown,
        )  # fmt: skip

    def _path(self, uri: str) -> Path:
        return self._root / uri.removeprefix(self._prefix)

    def _wanted(self, path: str) -> bool:
        return not self._verdict(path)

    def _verdict(self, path: str) -> str:
        """Say why a file is not read; empty if it is."""
        if self._include is None:
            return "" if self.context.wanted(self.context.media_type_of(path)) else "type that is not read"
        return "" if self._include.verdict(path) else "not in include"


def _modified(version: str) -> str:
    """Read the time of modification out of a file's version: ISO 8601, UTC, to the second."""
    try:
        nanoseconds = int(version.rpartition("-")[0], 16)
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return ""  # a clock of another age is not worth the document; a file that was not listed has no version
