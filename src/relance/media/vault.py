"""Files that notes embed by their name alone, in whatever folder they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

__all__ = ["Vault"]


class Vault:
    """The folder of a source, looked through once, when the first file is not where its note is."""

    def __init__(self, base: Path, root: Path | None) -> None:
        self._base, self._root = base, root

    def find(self, place: str) -> str:
        """Say where a file is, relative to the spec's folder; `place` itself where it is there, or nowhere.

        Of several files of a name it is the one nearest to the top, as in Obsidian.
        """
        if self._root is None or "://" in place or (self._base / place).exists():
            return place
        return self._names.get(PurePosixPath(place).name.casefold(), place)

    @cached_property
    def _names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in sorted(self._files(), key=lambda each: (each.count("/"), each)):
            found.setdefault(PurePosixPath(path).name.casefold(), path)
        return found

    def _files(self) -> Iterator[str]:
        assert self._root is not None  # noqa: S101  # as in `find`
        for folder, folders, names in os.walk(self._root):
            folders[:] = [each for each in folders if not each.startswith(".")]
            place = Path(os.path.relpath(folder, self._base)).as_posix()
            for name in names:
                yield name if place == "." else f"{place}/{name}"
