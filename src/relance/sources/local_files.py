"""The files that documents were read from: only those the index holds, only below the declared folders."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from relance.config import IndexSpec
from relance.sources.registry import open_sources
from relance.sources.walk import inside

__all__ = ["LocalFiles", "source_file"]


class LocalFiles:
    """Finds the files of an index on this machine."""

    def __init__(self, spec: IndexSpec) -> None:
        places = (source.location() for source in open_sources(spec))
        self._base = spec.path(".")
        self._folders = [place.path for place in places if place is not None and place.path is not None]
        self._limit = max(source.max_size for source in spec.sources)

    def find(self, uri: str, *, media: bool = False) -> Path | None:
        """Find the regular file of a uri that stands in the index; None if it is gone, or leads anywhere else.

        The path that is returned has no links in it. Pictures may lie in the folder of the spec as well, where
        documents may show them from (`MediaReader.read_place`).
        """
        if not uri or "\0" in uri or "://" in uri:
            return None
        folders = [*self._folders, self._base] if media else self._folders
        try:
            real = os.path.realpath(os.path.normpath(self._base / uri), strict=True)
            status = os.lstat(real)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode) or not any(inside(real, os.path.realpath(each)) for each in folders):
            return None
        return Path(real) if status.st_size <= self._limit else None


def source_file(spec: IndexSpec, uri: str, *, media: bool = False) -> Path | None:
    """Find one file of an index; see `LocalFiles.find`."""
    return LocalFiles(spec).find(uri, media=media)
