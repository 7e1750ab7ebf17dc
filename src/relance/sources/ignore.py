"""Patterns as .gitignore has them."""

from __future__ import annotations

from collections.abc import Iterable

from pathspec import GitIgnoreSpec

from relance.errors import ConfigurationError
from relance.sources.glob_pattern import glob_pattern

__all__ = ["Rules"]


class Rules:
    """The patterns of one folder; the last one that matches decides."""

    def __init__(self, lines: Iterable[str], folder: str = "", *, strict: bool = False, name: str = "") -> None:
        """Compile patterns.

        Args:
            lines: as in a .gitignore file.
            folder: what the patterns are relative to: empty, or a path that ends with `/`.
            strict: raise ConfigurationError for a pattern without meaning; git passes over those.
            name: of the file they are from.
        """
        patterns = []
        for line in lines:
            # The folder itself is not in `folder/**`, or a later `!folder/kept` could never be reached.
            full = line.rstrip() + "/*" if line.rstrip().endswith("/**") else line
            try:
                patterns.append(glob_pattern(full))
            except Exception as error:  # re.error, or one of pathspec's own
                if strict:
                    raise ConfigurationError(f"{line!r} is no valid pattern: {error}") from None
        self._spec = GitIgnoreSpec([pattern for pattern in patterns if pattern.include is not None])
        self._folder = folder
        self.name = name

    def __bool__(self) -> bool:
        return bool(self._spec.patterns)

    def verdict(self, path: str) -> bool | None:
        """Whether a path below the folder is matched (True), taken out by `!` (False), or neither.

        The path is relative to the root; one that ends with `/` is a folder.
        """
        return self._spec.check_file(path[len(self._folder) :], separators=()).include
