"""Reading blobs: one process of git answers for many."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import weakref
from collections.abc import Callable, Generator, Iterable
from typing import IO, BinaryIO, cast

from relance.sources.git.program import Failed, Git, GitProcess

__all__ = ["Blobs", "MissingBlobError"]

_IN_MEMORY = 8 << 20


class MissingBlobError(Exception):
    """The repository does not have a blob, or has something else by that name."""


class Blobs:
    """The blobs of one repository; threads may share it.

    The process is started by the first read and ends with this object, or with ours: it reads our questions from a
    pipe. It fetches nothing: what a repository lacks is missing.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._lock = threading.Lock()
        self._process: GitProcess | None = None
        self._finalizer: Callable[[], str | None] = str

    def missing(self, oids: Iterable[str]) -> list[str]:
        """Name those that are not there, in their order."""
        wanted = list(dict.fromkeys(oids))
        if not wanted:
            return []
        found = self._git.run("cat-file", "--batch-check", data="".join(f"{oid}\n" for oid in wanted).encode())
        there = {line.split()[0].decode() for line in found.splitlines() if not line.endswith(b" missing")}
        return [oid for oid in wanted if oid not in there]

    def read(self, oid: str, limit: int) -> tuple[bytes, int]:
        """Read a blob of at most so many bytes; returns it with its size, and nothing of one that is larger.

        Raises MissingBlobError, or Failed where git cannot read it.
        """
        with self._lock, self._asked(oid) as (stream, size):
            if size > limit:
                self._end()  # it would send all of it
                return b"", size
            data = _exactly(stream, size)
            _exactly(stream, 1)
            return data, size

    def copy(self, oid: str) -> tuple[BinaryIO, int]:
        """Copy a blob of any size to a temporary file, which is to be closed; raises as `read`."""
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # who asked for it closes it
        try:
            with self._lock, self._asked(oid) as (stream, size):
                left = size
                while left:
                    piece = _exactly(stream, min(left, 1 << 20))
                    file.write(piece)
                    left -= len(piece)
                _exactly(stream, 1)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return cast("BinaryIO", file), size

    @contextlib.contextmanager
    def _asked(self, oid: str) -> Generator[tuple[IO[bytes], int]]:
        process = self._process or self._start()
        try:
            with process.within(self._git.timeout_s):
                size = _ask(process, oid)
                if size is not None:
                    yield process.stdout, size
        except (EOFError, OSError) as error:
            said = self._end()
            if process.late:
                raise Failed(f"git took more than {self._git.timeout_s:g} seconds (timeout_s)", late=True) from None
            raise Failed(said.strip() or f"git ended while it was read ({type(error).__name__})") from None
        except BaseException:  # half an answer is in the pipe
            self._end()
            raise
        if size is None:
            raise MissingBlobError(oid)

    def _start(self) -> GitProcess:
        self._process = process = self._git.start("cat-file", "--batch", stdin=True)
        self._finalizer = weakref.finalize(self, process.end)
        return process

    def _end(self) -> str:
        self._process = None
        return self._finalizer() or ""


def _ask(process: GitProcess, oid: str) -> int | None:
    """Ask for a blob; returns its size, None where there is none by that name."""
    process.stdin.write(f"{oid}\n".encode())
    process.stdin.flush()
    head = process.stdout.readline().split()
    if head[-1:] == [b"missing"]:
        return None
    if len(head) != 3:
        raise EOFError
    if head[1] != b"blob":
        _exactly(process.stdout, int(head[2]) + 1)
        return None
    return int(head[2])


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
