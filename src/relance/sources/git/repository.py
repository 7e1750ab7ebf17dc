"""What a repository is to the source, wherever it is: a commit to list, and blobs to read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from relance.errors import ConfigurationError, RelanceError
from relance.sources.git.blobs import Blobs
from relance.sources.git.problems import problem
from relance.sources.git.program import Failed, Git

__all__ = ["COMMIT", "Head", "Repository", "no_such_ref"]

COMMIT = 40  # digits of a commit


class Head(NamedTuple):
    """What a ref leads to now; `branch` is how people call it, empty for a commit without a name."""

    commit: str
    branch: str


class Repository(ABC):
    """A repository that can be read.

    Attributes:
        uri: how it is called in errors, and what uris begin with.
        has_sizes: whether a listing can say how large files are, without fetching them.
    """

    has_sizes = False

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @abstractmethod
    def head(self, ref: str) -> Head:
        """Look what a branch, tag or commit is now (empty: the default branch), so that its trees can be read.

        Raises ConfigurationError where there is no such repository or ref, SourceError where nobody knows.
        """

    @property
    @abstractmethod
    def git(self) -> Git:
        """Git in the repository, reaching no network; after `head`."""

    @property
    @abstractmethod
    def blobs(self) -> Blobs:
        """Its blobs; after `head`."""

    def fetch(self, oids: Sequence[str]) -> None:  # noqa: ARG002  # of a repository on this machine all are there
        """Bring blobs here, all at once; those that cannot be had stay missing. Raises SourceError."""
        return

    def damaged(self, failed: Failed) -> RelanceError:
        """Return the error for a listing that broke off."""
        return problem(failed, self.uri)

    def tree(self, commit: str, folder: str) -> str:
        """Return the name of the tree of a commit, or of a folder in it; ConfigurationError where it has none."""
        try:
            top = self.git.run("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}").decode().strip()
        except Failed as failed:
            raise self.damaged(failed) from None
        if not folder:
            return top
        kind, oid = self.entry(commit, folder)
        if kind == "tree":
            return oid
        folders = [path for mode, _, path in self._top(top) if mode == "040000"]
        raise ConfigurationError(_unknown(f"{self.uri} has no folder {folder!r} in this commit", folder, folders))

    def entry(self, commit: str, path: str) -> tuple[str, str]:
        """Return what is at a path, `blob`, `tree`, `link` or `commit`, and its name; empty where nothing is."""
        if "\0" in path or path.endswith("/"):
            return "", ""
        try:
            for mode, oid, found in _entries(self.git.run("ls-tree", "-z", "--full-tree", commit, path)):
                if found == path:
                    return {"040000": "tree", "120000": "link", "160000": "commit"}.get(mode, "blob"), oid
        except Failed as failed:
            raise self.damaged(failed) from None
        return "", ""

    def _top(self, tree: str) -> Iterator[tuple[str, str, str]]:
        return _entries(self.git.run("ls-tree", "-z", "--full-tree", tree))


def _entries(listed: bytes) -> Iterator[tuple[str, str, str]]:
    for line in listed.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, _, oid = head.decode().split()[:3]
            yield mode, oid, path.decode("utf-8", "surrogateescape")


def no_such_ref(uri: str, ref: str, names: Sequence[str]) -> ConfigurationError:
    """Return the error for a ref that is not there, with the nearest that is."""
    hint = "; a commit needs all 40 digits" if set(ref) <= set("0123456789abcdef") else ""
    return ConfigurationError(_unknown(f"{uri} has no branch or tag {ref!r}{hint}", ref, names))


def _unknown(message: str, name: str, names: Sequence[str]) -> str:
    close = get_close_matches(name, names, 1, 0.5) or get_close_matches(name.rpartition("/")[2], names, 1, 0.5)
    if close:
        return f"{message}; did you mean {close[0]!r}?"
    return (
        f"{message}; there are {', '.join(sorted(names)[:5])}{', …' if len(names) > 5 else ''}" if names else message
    )  # as many as are read
