"""The process in which parsers run that a file could make explode: bounded in CPU time, memory and output.

It reads pickled requests from its standard input and answers on its standard output, one at a time, until its parent
closes the pipe or has asked nothing for long. It imports what parsers need and little else of relance.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from relance.errors import DocumentError, RelanceError
from relance.parsers.bounds import Bounds

__all__ = ["inside", "main", "receive", "send", "unforeseen"]

_IDLE_S = 300.0  # then it ends; the next file starts another
_HEAD = struct.Struct("<Q")


def send(pipe: IO[bytes], message: Any) -> None:
    """Write a message to a pipe that is buffered."""
    _write(pipe, pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))


def receive(pipe: IO[bytes]) -> Any:
    """Read a message; raises EOFError where there is none to the end."""
    (length,) = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301  # between a process and its own child


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_HEAD.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _exactly(pipe: IO[bytes], length: int) -> bytearray:
    data, at = bytearray(length), 0
    while at < length:
        read = pipe.readinto(memoryview(data)[at:])  # ty: ignore[missing-attribute]  # both kinds of file have it
        if not read:
            raise EOFError
        at += read
    return data


_inside = False


def inside() -> bool:
    """Tell whether this is such a process: what it parses on the way is bounded already."""
    return _inside


def main() -> None:
    """Answer requests `(parser, method, argument, size, bounds)` with `(kind, value)` until the pipe ends."""
    global _inside  # noqa: PLW0603  # of this process
    _inside = True
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What a library prints must not come between our answers, nor must it read our requests.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    while True:
        idle = threading.Timer(_IDLE_S, os._exit, (0,))
        idle.daemon = True
        idle.start()
        try:
            parser, method, argument, size, bounds = receive(requests)
        except EOFError:
            return
        idle.cancel()
        _limit(bounds, size)
        try:
            found = getattr(parser, method)(argument)
            # What streams is sent as it comes, so that nobody holds all of it.
            for part in found if isinstance(found, Iterator) else (found,):
                _answer(answers, part, argument, bounds)
        except BaseException as error:  # a Rust panic is no Exception
            _unlimit()
            send(answers, ("error", _portable(error, argument, bounds)))
        else:
            send(answers, ("end", None))


def _answer(answers: IO[bytes], part: Any, argument: Any, bounds: Bounds) -> None:
    data = pickle.dumps(("part", part), protocol=pickle.HIGHEST_PROTOCOL)
    if len(data) > bounds.parse_output:
        msg = f"it becomes {len(data) >> 20:,} MB of text; limits.parse_output allows {bounds.parse_output >> 20:,} MB"
        raise DocumentError(argument.uri, msg)
    _write(answers, data)


def _portable(error: BaseException, argument: Any, bounds: Bounds) -> RelanceError:
    """Return an error that can be sent and says what is wrong."""
    if isinstance(error, MemoryError):
        msg = f"reading it takes more than {bounds.parse_memory >> 20:,} MB of memory (limits.parse_memory)"
        return DocumentError(argument.uri, msg)
    if isinstance(error, RecursionError):
        return DocumentError(argument.uri, "it is nested too deep")
    return error if isinstance(error, RelanceError) else unforeseen(argument.uri, error)


def unforeseen(uri: str, error: BaseException) -> DocumentError:
    """Make one document's failure of whatever a parser raises: a file nobody has foreseen must not stop the others."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return DocumentError(uri, f"cannot be parsed ({reason})")


def _limit(bounds: Bounds, size: int) -> None:
    """Let the system end this process beyond its CPU time, and refuse it memory beyond its share."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no limits: the parent's clock remains
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # no dump of a crash
        until = int(time.process_time()) + 1 + bounds.cpu_s(size)
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        resource.setrlimit(
            resource.RLIMIT_DATA, (_held() + bounds.parse_memory, resource.getrlimit(resource.RLIMIT_DATA)[1])
        )


def _unlimit() -> None:
    """Lift the limit of memory: what was wrong has to be said."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _held() -> int:
    """Return the bytes of private memory that this process has already."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # once a document
        return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
