"""A repository on this machine, read where it is."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path

from relance.errors import ConfigurationError, SourceError
from relance.sources.git.blobs import Blobs
from relance.sources.git.problems import said
from relance.sources.git.program import Failed, Git
from relance.sources.git.repository import COMMIT, Head, Repository, no_such_ref

__all__ = ["LocalRepository"]


class LocalRepository(Repository):
    """A checkout or a bare repository; what counts is what was committed."""

    has_sizes = True

    def __init__(self, uri: str, path: Path, timeout_s: float) -> None:
        super().__init__(uri)
        self._path, self._timeout_s = path, timeout_s

    def head(self, ref: str) -> Head:
        """Look what a ref is now."""
        if not ref:
            branch = self._asked("symbolic-ref", "--quiet", "--short", "HEAD")
            commit = self._commit("HEAD")
            if not commit:
                raise ConfigurationError(f"the repository {self._path} has no commits yet, or its HEAD is damaged")
            return Head(commit, branch)
        for name in (
            [ref] if ref.startswith("refs/") else [f"refs/{kind}/{ref}" for kind in ("heads", "tags", "remotes")]
        ):
            if commit := self._commit(name):
                return Head(commit, ref)
        if len(ref) == COMMIT and (commit := self._commit(ref)):
            return Head(commit, "")
        names = self._asked("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags").splitlines()
        raise no_such_ref(self.uri, ref, names)

    @cached_property
    def git(self) -> Git:
        """Git in the repository."""
        if not self._path.exists():
            raise ConfigurationError(f"the repository {self._path} does not exist; is it mounted, is `url` right?")
        # Not a repository that the folder only happens to lie in.
        variables = {"GIT_CEILING_DIRECTORIES": str(self._path.parent)}
        outside = Git(variables=variables, timeout_s=self._timeout_s)
        try:
            found = outside.run("-C", str(self._path), "rev-parse", "--absolute-git-dir")
        except Failed as failed:
            if failed.late:
                raise SourceError(f"{self._path}: {said(failed)}") from None
            raise ConfigurationError(f"{self._path} is no git repository ({said(failed)})") from None
        return Git(Path(found.decode("utf-8", "surrogateescape").strip()), timeout_s=self._timeout_s)

    @cached_property
    def blobs(self) -> Blobs:
        """Its blobs."""
        return Blobs(self.git)

    def _commit(self, name: str) -> str:
        return self._asked("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def _asked(self, *words: str) -> str:
        with contextlib.suppress(Failed):
            return self.git.run(*words).decode("utf-8", "replace").strip()
        return ""
