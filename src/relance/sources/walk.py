"""Walk a folder: a stream in order of path, nothing read, one stat per file that is wanted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from relance.config import FilesSource
from relance.errors import ConfigurationError, DocumentError
from relance.sources.ignore import Rules

__all__ = ["VERSION_CONTROL", "inside", "walk"]

# Never documents, not even where hidden files are read.
VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".jj"})


def inside(path: str, folder: str) -> bool:
    """Whether a resolved path is a resolved folder or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def walk(
    root: Path, prefix: str, section: FilesSource, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, os.stat_result] | DocumentError]:
    """Stream (path, stat) of the regular files below a root, in ascending order of path.

    Paths are relative to the root, with `/`. A folder that cannot be listed is an error whose uri ends with `/`:
    what is below it is unknown, not gone. ConfigurationError if that folder is the root.
    """
    walker = _Walk(root, prefix, section, wanted)
    stack = [walker.enter("", str(root), os.path.realpath(root), ())]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
        elif isinstance(step, _Folder):
            try:
                stack.append(walker.enter(step.path, step.place, step.real, step.rules))
            except FileNotFoundError:
                continue  # gone since its parent was listed
            except DocumentError as error:
                yield error
        else:
            yield step


class _Folder:
    """A folder to enter: its path ends with `/`, `real` is where it is when links are resolved."""

    __slots__ = ("path", "place", "real", "rules")

    def __init__(self, path: str, place: str, real: str, rules: tuple[Rules, ...]) -> None:
        self.path, self.place, self.real, self.rules = path, place, real, rules


_Step = _Folder | tuple[str, os.stat_result] | DocumentError


class _Walk:
    def __init__(self, root: Path, prefix: str, section: FilesSource, wanted: Callable[[str], bool]) -> None:
        self.prefix, self.section, self.wanted = prefix, section, wanted
        self.real_root = os.path.realpath(root)
        self.exclude = Rules(section.exclude, strict=True)
        self.linked: set[str] = set()  # each folder is entered through a link once: links cannot multiply

    def enter(self, folder: str, place: str, real: str, rules: tuple[Rules, ...]) -> Iterator[_Step]:
        """List a folder now, and its entries as they are asked for."""
        try:
            with os.scandir(place) as entries:
                listed = sorted((self._key(entry), entry) for entry in entries)
        except OSError as error:
            if not folder:
                raise ConfigurationError(f"the folder {place} cannot be listed: {_words(error)}") from None
            if isinstance(error, FileNotFoundError):
                raise
            raise self._error(folder, f"this folder cannot be listed: {_words(error)}") from None
        names = {entry.name for _, entry in listed}
        for name in self.section.ignore_files:
            if name in names:
                rules = (*rules, self._load(folder, place, name))
        return self._entries(folder, listed, real, tuple(rule for rule in rules if rule))

    def _key(self, entry: os.DirEntry[str]) -> str:
        # A folder sorts as its paths do, so that the whole listing is in order of uri.
        try:
            is_folder = entry.is_dir(follow_symlinks=self.section.follow_symlinks)
        except OSError:
            is_folder = False
        return entry.name + "/" if is_folder else entry.name

    def _load(self, folder: str, place: str, name: str) -> Rules:
        try:
            with open(os.path.join(place, name), encoding="utf-8-sig", errors="surrogateescape") as file:  # noqa: PTH118, PTH123  # on the hot path
                return Rules(file.read().splitlines(), folder)
        except OSError as error:
            # Reading on without the rules might index what they were written to keep out.
            raise self._error(folder, f"its {name} cannot be read: {_words(error)}") from None

    def _entries(
        self, folder: str, listed: list[tuple[str, os.DirEntry[str]]], real: str, rules: tuple[Rules, ...]
    ) -> Iterator[_Step]:
        hidden, exclude, wanted = self.section.hidden, self.exclude, self.wanted
        for key, entry in listed:
            name = entry.name
            if (name[0] == "." and not hidden) or name in VERSION_CONTROL:
                continue
            path = folder + key
            if (exclude and exclude.verdict(path)) or (rules and _ignored(path, rules)):
                continue
            is_folder = key[-1] == "/"
            if not is_folder and not wanted(path):
                continue
            if not key.isascii() and not _is_unicode(key):
                yield self._error(path, "its name is not valid UTF-8; rename it")
                continue
            target = f"{real}/{name}"
            if entry.is_symlink():
                target = self._follow(entry, real, is_folder=is_folder)
                if not target:
                    continue
            step = _Folder(path, entry.path, target, rules) if is_folder else self._file(path, entry)
            if step is not None:
                yield step

    def _follow(self, entry: os.DirEntry[str], real: str, *, is_folder: bool) -> str:
        """Resolve a link that policy lets us follow; empty for the others."""
        if not self.section.follow_symlinks:
            return ""
        target = os.path.realpath(entry.path)
        if not inside(target, self.real_root):
            return ""
        if is_folder:
            if inside(real, target) or target in self.linked:
                return ""
            self.linked.add(target)
        return target

    def _file(self, path: str, entry: os.DirEntry[str]) -> _Step | None:
        try:
            status = entry.stat(follow_symlinks=self.section.follow_symlinks)
        except FileNotFoundError:  # gone since the folder was listed, or:
            return self._error(path, "this link leads nowhere") if entry.is_symlink() else None
        except OSError as error:
            return self._error(path, _words(error))
        return (path, status) if stat.S_ISREG(status.st_mode) else None

    def _error(self, path: str, reason: str) -> DocumentError:
        uri = (self.prefix + path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return DocumentError(uri, reason)


def _ignored(path: str, rules: tuple[Rules, ...]) -> bool:
    for rule in reversed(rules):  # the deepest folder has the last word
        verdict = rule.verdict(path)
        if verdict is not None:
            return verdict
    return False


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
