"""Files of a git repository, as a branch, tag or commit has them."""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, TypeVar

from pydantic import ByteSize

from relance.documents import Content, Ignored, Item
from relance.errors import ConfigurationError, DocumentError, RelanceError
from relance.sources.abilities import Linking, Prefetching, Pushed
from relance.sources.git.address import Address
from relance.sources.git.blobs import MissingBlobError
from relance.sources.git.lfs import pointer
from relance.sources.git.local import LocalRepository
from relance.sources.git.pages import page, page_template
from relance.sources.git.problems import said
from relance.sources.git.program import Failed
from relance.sources.git.remote import RemoteRepository
from relance.sources.git.repository import Head, Repository
from relance.sources.git.spec import GitSpec
from relance.sources.git.tree import Blob, blobs_named, walk_tree
from relance.sources.ignore import Rules
from relance.sources.source import Location, Source, SourceContext

__all__ = ["Git"]

T = TypeVar("T")

_EVERYTHING = ["**/*"]
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST_RULES = 1 << 20


class Git(Source, Linking, Prefetching, Pushed):
    """The `git` source.

    A listing is of one commit. A file's version is the name of its blob, which git makes of its content: commits that
    do not change a file do not change its version, and neither do its mode and its date. Blobs of a remote repository
    are fetched when they are read, those of a batch in one request.
    """

    Spec = GitSpec
    version = "git-1"
    spec: GitSpec

    def __init__(self, spec: GitSpec, context: SourceContext) -> None:
        """Prepare to read. ConfigurationError for a bad pattern or address."""
        super().__init__(spec, context)
        try:
            self.address = Address.of(spec.url, context.folder)
        except ValueError as error:
            raise ConfigurationError(f"url: {error}") from None
        is_commit = _OID.fullmatch(spec.ref) is not None
        self._base = self.address.uri + (f"@{spec.ref}" if spec.ref and not is_commit else "")
        self._folder = f"{spec.folder}/" if spec.folder else ""
        self._include = None if spec.include == _EVERYTHING else Rules(spec.include, strict=True)
        Rules(spec.exclude, strict=True)
        self._template = page_template(self.address, spec.web_url)
        self._repository = self._open()
        self._head: Head | None = None
        self._looking = threading.Lock()

    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the files of the commit that the ref is now, in ascending order of path."""
        head = self._repository.head(self.spec.ref)
        self._head = head
        tree = self._repository.tree(head.commit, self.spec.folder)
        try:
            yield from self._listed(tree)
        except Failed as failed:
            raise self._repository.damaged(failed) from None

    def read(self, item: Item) -> Content:
        """Read a file whole, unless it is too large or empty."""
        oid = self._oid(item)
        with self._reading(item.uri):
            head = self._known_head()
            data, size = self._brought(oid, partial(self._repository.blobs.read, oid, self.spec.max_size))
        limit = self.spec.max_size
        if size > limit:
            large = ByteSize(size).human_readable()
            reason = f"{large} is more than max_size ({limit.human_readable()}); raise max_size or exclude it"
            raise DocumentError(item.uri, reason)
        if not data:
            raise DocumentError(item.uri, "empty file")
        if reason := pointer(data):
            raise DocumentError(item.uri, reason)
        return Content(item, data, metadata=self._metadata(item.uri, head))

    @contextmanager
    def open(self, item: Item) -> Generator[tuple[BinaryIO, int]]:
        """Open a file of any size."""
        oid = self._oid(item)
        with self._reading(item.uri):
            self._known_head()
            stream, size = self._brought(oid, partial(self._repository.blobs.copy, oid))
        with stream:
            if reason := pointer(stream.read(2048)):
                raise DocumentError(item.uri, reason)
            stream.seek(0)
            yield stream, size

    def prefetch(self, items: Sequence[Item]) -> None:
        """Fetch the blobs of a batch that are not here, in one request; reading says what could not be had."""
        oids = [item.version for item in items if _OID.fullmatch(item.version)]
        try:
            self._known_head()
            self._repository.fetch(oids)
        except RelanceError:
            return

    def location(self, uri: str = "") -> Location | None:
        """Say where a file is; its page is at the commit that was listed, else at the branch."""
        if not uri:
            return Location(self._base, self.address.path)
        path = self._path(uri)
        if not path or not path.startswith(self._folder) or path == self._folder:
            return None
        head = self._head
        commit = head.commit if head is not None else ""
        return Location(uri, link=page(self._template, path, commit, self.spec.ref))

    def page(self, uri: str, metadata: Mapping[str, Any], line: int | None = None, line_end: int | None = None) -> str:
        """Return the page of a file at the commit in its metadata, with its lines; of a row that of its file."""
        file = metadata.get("path", "")
        path = self._path(file if uri.startswith(f"{file}#") else uri)
        if not path:
            return ""
        commit, ref = metadata.get("commit"), metadata.get("branch")
        return page(self._template, path, str(commit or ""), str(ref or self.spec.ref), line, line_end)

    def reads(self, addresses: Sequence[str], branch: str, *, is_default: bool) -> bool:
        """Tell whether a push may change what is listed; nobody knows of which repository a local one is a copy."""
        ref = self.spec.ref.removeprefix("refs/heads/")
        here = self.address.path is not None or any(map(self.address.is_same, addresses))
        return here and (ref == branch if ref else is_default)

    def pushed(self, paths: Iterable[str]) -> Mapping[str, str] | None:
        """Return the uris of files below the folder that is read; None for a local repository."""
        if self.address.path is not None:
            return None
        return {path: f"{self._base}/{path}" for path in paths if path.startswith(self._folder)}

    # -- details -----------------------------------------------------------------------------------------------

    def _open(self) -> Repository:
        if self.address.path is not None:
            return LocalRepository(self.address.uri, self.address.path, self.spec.timeout_s)
        return RemoteRepository(self.address, self.spec)

    def _listed(self, tree: str) -> Iterator[Item | DocumentError | Ignored]:
        git = self._repository.git
        rules: dict[str, tuple[Rules, ...]] = {}
        if self.spec.ignore_files:
            found = blobs_named(git.stream("ls-tree", "-r", "-z", "--full-tree", tree), self.spec.ignore_files)
            rules = self._rules([*found])
        words = ["ls-tree", "-r", "-z", "--full-tree", *(["-l"] if self._repository.has_sizes else []), tree]
        pieces = git.stream(*words)
        for found in walk_tree(pieces, self.spec, self._named, self._verdict, rules):
            if not isinstance(found, Blob):
                yield found
                continue
            path, oid, size = found
            yield Item(
                uri=self._named(path), version=oid, media_type=self.context.media_type_of(path), size=size,
                source=self.context.position,
            )  # fmt: skip

    def _rules(self, found: Sequence[Blob]) -> dict[str, tuple[Rules, ...]]:
        """Read the ignore files; listing on without one might index what it was written to keep out."""
        self._repository.fetch([each.oid for each in found])
        rules: dict[str, dict[str, Rules]] = {}
        for path, oid, _ in found:
            folder, _, name = path.rpartition("/")
            folder = f"{folder}/" if folder else ""
            try:
                data, _ = self._repository.blobs.read(oid, _LARGEST_RULES)
            except MissingBlobError:
                raise Failed(f"its {path} cannot be fetched") from None
            lines = data.decode("utf-8-sig", "surrogateescape").splitlines()
            rules.setdefault(folder, {})[name] = Rules(lines, folder, name=name)
        order = self.spec.ignore_files
        return {folder: tuple(each[name] for name in order if each.get(name)) for folder, each in rules.items()}

    def _brought(self, oid: str, read: Callable[[], T]) -> T:
        """Read a blob, after it was fetched if it is not here."""
        try:
            return read()
        except MissingBlobError:
            self._repository.fetch([oid])
            return read()

    def _named(self, path: str) -> str:
        return f"{self._base}/{self._folder}{path}"

    def _path(self, uri: str) -> str:
        """Return the path of a uri in the repository; empty if it cannot be of this source."""
        path = uri.removeprefix(f"{self._base}/")
        if path == uri or not path or posixpath.normpath(path) != path or path.startswith(("/", "../")) or path == "..":
            return ""
        return path

    def _known_head(self) -> Head:
        """Return the commit that was listed; a process that lists nothing looks for itself, once."""
        with self._looking:
            if self._head is None:
                self._head = self._repository.head(self.spec.ref)
            return self._head

    def _oid(self, item: Item) -> str:
        if _OID.fullmatch(item.version):
            return item.version
        path = self._path(item.uri)
        with self._reading(item.uri):
            kind, oid = self._repository.entry(self._known_head().commit, path) if path else ("", "")
        if kind != "blob":
            reasons = {"tree": "it is a folder", "link": "it is a symbolic link", "commit": "it is a submodule"}
            raise DocumentError(item.uri, reasons.get(kind, "there is no such file in this commit"))
        return oid

    @contextmanager
    def _reading(self, uri: str) -> Generator[None]:
        try:
            yield
        except MissingBlobError:
            raise DocumentError(uri, "its content is not in the repository, or damaged (git fsck says more)") from None
        except Failed as failed:
            raise DocumentError(uri, f"git cannot read it: {said(failed)}") from None
        except DocumentError:
            raise
        except RelanceError as error:
            raise DocumentError(uri, str(error)) from None

    def _metadata(self, uri: str, head: Head) -> dict[str, Any]:
        found = {"repository": self.address.uri.removeprefix("git+"), "path": self._path(uri), "commit": head.commit}
        return found | ({"branch": head.branch} if head.branch else {})

    def _verdict(self, path: str) -> str:
        """Say why a file is not read; empty if it is."""
        if self._include is None:
            return "" if self.context.wanted(self.context.media_type_of(path)) else "type that is not read"
        return "" if self._include.verdict(path) else "not in include"
