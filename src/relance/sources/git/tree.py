"""Walking through the tree of a commit: a stream in order of path, with the rules that files have in folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from relance.documents import Ignored
from relance.errors import DocumentError
from relance.sources.git.spec import GitSpec
from relance.sources.ignore import Rules
from relance.sources.walk import VERSION_CONTROL, is_table

__all__ = ["Blob", "blobs_named", "walk_tree"]

_LINK, _SUBMODULE = b"120000", b"160000"
# A file without content, in repositories of SHA-1 and of SHA-256.
_EMPTY = frozenset({
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
})  # fmt: skip
_STRANGE = frozenset({".", ".."}) | VERSION_CONTROL


class Blob(NamedTuple):
    """A file of a commit; its path is relative to the folder that is listed, its size is 0 where unknown."""

    path: str
    oid: str
    size: int


class _Level(NamedTuple):
    """A folder that we are in; its path ends with `/`."""

    path: str
    rules: tuple[Rules, ...]


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put together what ends with a zero byte."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\0")
        yield from lines
    if rest:
        yield rest


def blobs_named(pieces: Iterable[bytes], names: list[str]) -> Iterator[Blob]:
    """Stream the files of some names, out of what `ls-tree -r -z` writes."""
    wanted = re.compile(b"[/\t](?:" + b"|".join(re.escape(name.encode()) for name in names) + b")$")
    for line in lines_of(pieces):
        if wanted.search(line):
            head, _, path = line.partition(b"\t")
            mode, kind, oid = head.split()[:3]
            if kind == b"blob" and mode != _LINK:
                yield Blob(path.decode("utf-8", "surrogateescape"), oid.decode(), 0)


def walk_tree(
    pieces: Iterable[bytes], section: GitSpec, uri: Callable[[str], str], refusal: Callable[[str], str],
    rules: dict[str, tuple[Rules, ...]],
) -> Iterator[Blob | DocumentError | Ignored]:  # fmt: skip
    """Stream the files that patterns, rules and policies let through, out of what `ls-tree -r -z` writes.

    Args:
        pieces: what it writes.
        section: of the spec.
        uri: names a path.
        refusal: says why a file by such a name is not read (empty: it is).
        rules: of the ignore files, by folder.
    """
    walk = _Walk(section, uri, refusal, rules)
    for line in lines_of(pieces):
        yield from walk.step(line)


class _Walk:
    def __init__(self, section: GitSpec, uri: Callable[[str], str], refusal: Callable[[str], str],
                 rules: dict[str, tuple[Rules, ...]]) -> None:  # fmt: skip
        self.section, self.uri, self.refusal, self.rules = section, uri, refusal, rules
        self.exclude = Rules(section.exclude, strict=True)
        self.levels = [_Level("", rules.get("", ()))]
        self.passed_over = ""  # a folder that is ignored with all below it

    def step(self, line: bytes) -> Iterator[Blob | DocumentError | Ignored]:
        head, _, raw = line.partition(b"\t")
        mode, _, oid, *size = head.split()
        try:
            path = raw.decode()
        except UnicodeDecodeError:
            shown = raw.decode("utf-8", "backslashreplace")
            if not (self.passed_over and shown.startswith(self.passed_over)):
                yield DocumentError(self.uri(shown), "its name is not valid UTF-8; rename it")
            return
        if self.passed_over and path.startswith(self.passed_over):
            return
        folder = path[: path.rfind("/") + 1]
        if folder != self.levels[-1].path and (ignored := self._enter(folder)):
            yield ignored
            return
        name = path[len(folder) :]
        reason, kind = self._reason(path, name)
        if not reason and mode == _SUBMODULE:
            reason, kind = "submodule", name
        elif not reason and mode == _LINK:
            reason, kind = "symbolic link", ""
        elif not reason and (reason := self.refusal(path)):
            kind = PurePosixPath(name).suffix.lower() or name
        elif not reason and oid.decode() in _EMPTY:
            reason = "empty"
        if reason:
            yield Ignored(self.uri(path), reason, kind)
        else:
            yield Blob(path, oid.decode(), int(size[0]) if size and size[0].isdigit() else 0)

    def _enter(self, folder: str) -> Ignored | None:
        """Go to a folder; returns what is ignored on the way there."""
        while not folder.startswith(self.levels[-1].path):
            self.levels.pop()
        while (here := self.levels[-1]).path != folder:
            below = folder[: folder.index("/", len(here.path)) + 1]
            name = below[len(here.path) : -1]
            reason, kind = self._reason(below, name)
            if is_table(name):
                reason, kind = "LanceDB table", ""
            if reason:
                self.passed_over = below
                return Ignored(self.uri(below), reason, kind)
            self.levels.append(_Level(below, here.rules + self.rules.get(below, ())))
        return None

    def _reason(self, path: str, name: str) -> tuple[str, str]:
        """Say why a file or folder is ignored for its name; empty if it is not."""
        if name in _STRANGE:
            return "name that git itself refuses", ""
        if name[0] == "." and not self.section.hidden:
            return "hidden", ""
        if self.exclude and self.exclude.verdict(path):
            return "in exclude", ""
        for rule in reversed(self.levels[-1].rules):  # the deepest folder has the last word
            verdict = rule.verdict(path)
            if verdict is not None:
                return (f"by {rule.name}", "") if verdict else ("", "")
        return "", ""
