"""A repository on a server: its newest trees in a folder of this user, its blobs as they are needed."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relance.config.state_folder import state_folders
from relance.documents import digest
from relance.errors import ConfigurationError, RelanceError, SourceError
from relance.sources.git.blobs import Blobs
from relance.sources.git.problems import is_passing, problem, said
from relance.sources.git.program import Failed, Git
from relance.sources.git.repository import COMMIT, Head, Repository, no_such_ref

if TYPE_CHECKING:
    from relance.sources.git.address import Address
    from relance.sources.git.spec import GitSpec

__all__ = ["RemoteRepository"]

_PROTOCOLS = "https:http:ssh:git"
# Prints what git asks for; the words themselves travel in the environment, never in arguments or files.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$RELANCE_GIT_USER" "$RELANCE_GIT_TOKEN"; }; f'
)
# Blobs are left out of what is fetched with a commit. This is said in the environment, not in the repository: without
# it git looks for nothing on the server, and a blob that is not here is missing.
_PARTIAL = {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none"}
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no")
_ATTEMPTS = 3
# A server that did not answer is not asked again for each of a thousand files.
_PAUSE_S = 30.0
# Said of what was fetched before; what the server says of itself begins with `remote:`.
_DAMAGE = re.compile(r"^(?:fatal|error): (?:bad object|unable to read|missing|packfile|object file)", re.MULTILINE)
_WANTED = 5000  # blobs in one request


class RemoteRepository(Repository):
    """A repository that is fetched: one commit deep, without blobs, where the server allows that."""

    def __init__(self, address: Address, spec: GitSpec) -> None:
        super().__init__(address.uri)
        self._url, self._timeout_s = address.url, float(spec.timeout_s)
        self._token = spec.token.get_secret_value().strip()
        self._user = spec.username or address.username or "git"
        self._scope = "://".join((address.uri.removeprefix("git+").split("://")[0], address.host))
        self._away: tuple[float, RelanceError] | None = None

    def head(self, ref: str) -> Head:
        """Ask the server what a ref is, and fetch that commit unless it is here."""
        with self._locked():
            oid, branch = self._resolve(ref)
            name = f"refs/relance/{digest('git ref', ref, size=8)}"
            if self._here(name) != oid or not self._here(f"{name}^{{tree}}"):
                self._fetch_commit(oid, name, is_commit=oid == ref)
            commit = self._here(f"{name}^{{commit}}")
            if not commit:
                raise self.damaged(Failed("the commit that was fetched cannot be read"))
            return Head(commit, branch)

    @cached_property
    def git(self) -> Git:
        """Git in the folder of this repository."""
        return Git(self._folder, timeout_s=self._timeout_s)

    @cached_property
    def blobs(self) -> Blobs:
        """Its blobs, as far as they were fetched."""
        self._prepare()
        return Blobs(self.git)

    def fetch(self, oids: Sequence[str]) -> None:
        """Bring blobs here, thousands in one request."""
        wanted = self._missing(oids)
        if not wanted:
            return
        if self._away is not None and time.monotonic() < self._away[0]:
            raise self._away[1]
        with self._locked():
            wanted = self._missing(wanted)  # another process may have fetched them
            for at in range(0, len(wanted), _WANTED):
                self._fetch_blobs(wanted[at : at + _WANTED])

    def damaged(self, failed: Failed) -> RelanceError:
        """Give up the folder of this repository: the next run fetches it anew."""
        if failed.late:
            return problem(failed, self.uri)
        shutil.rmtree(self._folder, ignore_errors=True)
        return SourceError(
            f"what was fetched of {self.uri} was damaged and is fetched anew by the next run ({said(failed)})"
        )

    # -- details -----------------------------------------------------------------------------------------------

    @cached_property
    def _folder(self) -> Path:
        # By the address with its user: what one may see is not shown to another.
        name = digest("git repository", self._url, self._user if self._token else "", size=12)
        error: OSError | None = None
        for place in state_folders(Path("git") / name):
            try:
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as refused:
                error = refused
            else:
                return place
        reason = (error.strerror if error else None) or "no folder"
        raise ConfigurationError(f"there is no folder to fetch {self.uri} to ({reason}); set XDG_STATE_HOME")

    @cached_property
    def _server(self) -> Git:
        config = {"remote.origin.url": self._url}
        variables = {"GIT_ALLOW_PROTOCOL": _PROTOCOLS}
        if self._token and not self._scope.startswith(("ssh", "git")):
            if not self._token.isprintable() or not self._user.isprintable():
                raise ConfigurationError(f"{self.uri}: username or token holds a line break or a control character")
            config |= {"credential.helper": "", f"credential.{self._scope}.helper": _HELPER}
            variables |= {"RELANCE_GIT_USER": self._user, "RELANCE_GIT_TOKEN": self._token}
        return Git(self._folder, config=config | _PARTIAL, variables=variables, timeout_s=self._timeout_s)

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder.with_name(self._folder.name + ".lock"), thread_local=False)
        try:
            with lock.acquire(timeout=self._timeout_s):
                self._prepare()
                yield
        except Timeout:
            raise SourceError(
                f"{self.uri} is being fetched by another process for {self._timeout_s:g} seconds"
            ) from None

    def _prepare(self) -> None:
        if not (self._folder / "HEAD").exists() or not (self._folder / "objects").exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                Git(timeout_s=self._timeout_s).run("init", "--quiet", "--bare", "--template=", str(self._folder))
            except Failed as failed:
                raise ConfigurationError(f"{self.uri} cannot be fetched to {self._folder}: {said(failed)}") from None

    def _resolve(self, ref: str) -> tuple[str, str]:
        if len(ref) == COMMIT and set(ref) <= set("0123456789abcdef"):
            return ref, ""
        wanted = (
            ["HEAD"] if not ref else [ref] if ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        )
        found: dict[str, str] = {}
        branch = ref
        for line in self._ask("ls-remote", "--symref", "origin", *wanted).decode("utf-8", "replace").splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: "):
                branch = branch or value.removeprefix("ref: refs/heads/")
            else:
                found[name] = value
        for name in wanted:
            if name in found:
                return found[name], branch
        listed = self._ask("ls-remote", "--refs", "--heads", "--tags", "origin").decode("utf-8", "replace")
        names = [line.partition("\t")[2].split("/", 2)[2] for line in listed.splitlines()]
        if not ref:
            hint = f"; name a branch under ref, such as {names[0]}" if names else ""
            raise ConfigurationError(f"{self.uri} has no commits on its default branch{hint}")
        raise no_such_ref(self.uri, ref, names)

    def _ask(self, *words: str) -> bytes:
        """Run a command that reaches the server, again where that may help; raises the error of what went wrong."""
        import stamina

        attempts: Any = stamina.retry_context(
            on=lambda error: isinstance(error, Failed) and is_passing(error), attempts=_ATTEMPTS, timeout=None,
            wait_initial=0.5, wait_max=10.0,
        )  # fmt: skip
        try:
            for attempt in attempts:
                with attempt:
                    return self._server.run(*words)
        except Failed as failed:
            if str(self._folder) in failed.text or _DAMAGE.search(failed.text):
                raise self.damaged(failed) from None
            raise problem(failed, self.uri) from None
        raise AssertionError  # pragma: no cover  # an attempt returns or raises

    def _here(self, name: str) -> str:
        with contextlib.suppress(Failed):
            return self.git.run("rev-parse", "--verify", "--quiet", name).decode().strip()
        return ""

    def _fetch_commit(self, oid: str, name: str, *, is_commit: bool) -> None:
        self._unlock()
        words = ("origin", f"+{oid}:{name}")
        try:
            self._ask(*_FETCH, "--depth=1", "--filter=blob:none", *words)
        except SourceError as error:
            if "shallow" in str(error) and "dumb" in str(error):  # a server of files, which cannot choose
                self._ask(*_FETCH, *words)
            elif is_commit and any(each in str(error) for each in ("not our ref", "unadvertised", "upload-pack")):
                raise ConfigurationError(f"{self.uri} has no commit {oid}, or gives no single commits out") from None
            else:
                raise

    def _fetch_blobs(self, oids: list[str]) -> None:
        self._unlock()
        config = ("-c", "fetch.negotiationAlgorithm=noop")
        while oids:
            try:
                self._server.run(
                    *config,
                    *_FETCH,
                    "--filter=blob:none",
                    "--stdin",
                    "origin",
                    data="".join(f"{oid}\n" for oid in oids).encode(),
                )
            except Failed as failed:
                gone = [oid for oid in oids if oid in failed.text and "not our ref" in failed.text]
                if not gone:
                    self._away = time.monotonic() + _PAUSE_S, problem(failed, self.uri)
                    raise self._away[1] from None
                oids = [oid for oid in oids if oid not in gone]  # taken back meanwhile: the others are there
            else:
                return

    def _missing(self, oids: Sequence[str]) -> list[str]:
        try:
            return self.blobs.missing(oids)
        except Failed as failed:
            raise self.damaged(failed) from None

    def _unlock(self) -> None:
        """Remove locks of git that a killed process left; we hold the lock that all of ours wait for."""
        for lock in (*self._folder.glob("*.lock"), *(self._folder / "refs" / "relance").glob("*.lock")):
            lock.unlink(missing_ok=True)
