"""Walk a folder: a stream in order of path, nothing read, one stat per file that is wanted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from relance.config import FilesSource
from relance.documents import Ignored
from relance.errors import ConfigurationError, DocumentError
from relance.sources.ignore import Rules

__all__ = ["VERSION_CONTROL", "inside", "is_table", "walk"]

# Never documents, not even where hidden files are read.
VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".jj"})
_ODD = "no regular file"


def is_table(name: str) -> bool:
    """Whether a folder is a LanceDB table by its name: written by this index or another one, never a document."""
    return name.endswith(".lance")


def inside(path: str, folder: str) -> bool:
    """Whether a resolved path is a resolved folder or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def walk(
    root: Path, prefix: str, section: FilesSource, refusal: Callable[[str], str], own: Sequence[Path] = ()
) -> Iterator[tuple[str, os.stat_result] | DocumentError | Ignored]:
    """Stream (path, stat) of the regular files below a root, in ascending order of path; others are `Ignored`.

    `refusal` says why a file by such a name is not read (empty: it is), `own` are the index's files.

    Paths are relative to the root, with `/`. A folder that cannot be listed is an error whose uri ends with `/`:
    what is below it is unknown, not gone. ConfigurationError if that folder is the root.
    """
    walker = _Walk(root, prefix, section, refusal, own)
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


_Step = _Folder | tuple[str, os.stat_result] | DocumentError | Ignored


class _Walk:
    def __init__(self, root: Path, prefix: str, section: FilesSource, refusal: Callable[[str], str],
                 own: Sequence[Path]) -> None:  # fmt: skip
        self.prefix, self.section, self.refusal = prefix, section, refusal
        self.own = {os.path.realpath(path) for path in own}
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
                return Rules(file.read().splitlines(), folder, name=name)
        except OSError as error:
            # Reading on without the rules might index what they were written to keep out.
            raise self._error(folder, f"its {name} cannot be read: {_words(error)}") from None

    def _entries(
        self, folder: str, listed: list[tuple[str, os.DirEntry[str]]], real: str, rules: tuple[Rules, ...]
    ) -> Iterator[_Step]:
        section, exclude, own = self.section, self.exclude, self.own
        for key, entry in listed:
            name, path, is_folder = entry.name, folder + key, key[-1] == "/"
            target = f"{real}/{name}"
            if name in VERSION_CONTROL or target in own:
                continue
            if is_folder and is_table(name):
                reason, kind = "LanceDB table", ""
            elif name[0] == "." and not section.hidden:
                reason, kind = "hidden", ""
            elif exclude and exclude.verdict(path):
                reason, kind = "in exclude", ""
            elif rules and (rule := _ignored(path, rules)):
                reason, kind = f"by {rule.name}", ""
            elif not is_folder and (reason := self.refusal(path)):
                kind = os.path.splitext(name)[1].lower() or name  # noqa: PTH122  # on the hot path
            else:
                yield from self._found(path, entry, real, target, rules, is_folder=is_folder)
                continue
            yield Ignored(self._uri(path), reason, kind)

    def _found(
        self, path: str, entry: os.DirEntry[str], real: str, target: str, rules: tuple[Rules, ...], *, is_folder: bool
    ) -> Iterator[_Step]:
        """Take an entry that no rule takes out."""
        if not path.isascii() and not _is_unicode(path):
            yield self._error(path, "its name is not valid UTF-8; rename it")
            return
        if entry.is_symlink():
            target, reason = self._follow(entry, real, is_folder=is_folder)
            if reason:
                yield Ignored(self._uri(path), reason)
                return
        step = _Folder(path, entry.path, target, rules) if is_folder else self._file(path, entry)
        if step is not None:
            yield step

    def _follow(self, entry: os.DirEntry[str], real: str, *, is_folder: bool) -> tuple[str, str]:
        """Resolve a link that policy lets us follow; for the others, say why not."""
        if not self.section.follow_symlinks:
            return "", "link that is not followed (follow_symlinks)"
        target = os.path.realpath(entry.path)
        if not inside(target, self.real_root):
            return "", "link out of the folder"
        if is_folder:
            if inside(real, target) or target in self.linked:
                return "", "link to a folder that is read already"
            self.linked.add(target)
        return target, ""

    def _file(self, path: str, entry: os.DirEntry[str]) -> _Step | None:
        try:
            status = entry.stat(follow_symlinks=self.section.follow_symlinks)
        except FileNotFoundError:  # gone since the folder was listed, or:
            return self._error(path, "this link leads nowhere") if entry.is_symlink() else None
        except OSError as error:
            return self._error(path, _words(error))
        if not stat.S_ISREG(status.st_mode):
            return Ignored(self._uri(path), _ODD)
        return (path, status) if status.st_size else Ignored(self._uri(path), "empty")

    def _error(self, path: str, reason: str) -> DocumentError:
        return DocumentError(self._uri(path), reason)

    def _uri(self, path: str) -> str:
        return (self.prefix + path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _ignored(path: str, rules: tuple[Rules, ...]) -> Rules | None:
    """Return the rules that take a path out; None if none do."""
    for rule in reversed(rules):  # the deepest folder has the last word
        verdict = rule.verdict(path)
        if verdict is not None:
            return rule if verdict else None
    return None


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
