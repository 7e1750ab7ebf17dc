"""The command of a flow run: hand the run to an interpreter that has imported everything, or start one for it.

Prefect's worker starts `python -m relance_operate.warm run` in place of `python -m prefect.engine`. This process keeps
the pid, the pipes and the exit status the worker knows of; the run itself is in a spare of the keeper (`warm_keeper`).
It imports next to nothing, so that it is there at once, and turns into `python -m prefect.engine` if there is no spare.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["ENGINE", "Outcome", "credible", "main", "private", "run", "say", "socket_path"]

ENGINE = "prefect.engine"
# The keeper answers at once, also that it has none; starting an interpreter takes twenty times as long.
ANSWER_S = 0.5
# What may be sent to a process to make it end or report; others are not for us to pass on.
FORWARDED = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]  # fmt: skip

Outcome = tuple[str, str]  # how it ended, and the number or the reason that goes with it


def main(arguments: Sequence[str]) -> None:
    """Run a flow run (`run`), or keep spares for runs (`keep`)."""
    match arguments:
        case ["run"]:
            run(ENGINE)
        case ["run", module]:
            run(module)
        case ["keep", *options]:
            from relance_operate.warm_keeper import keep

            sys.exit(keep(options))
        case _:
            sys.exit("usage: python -m relance_operate.warm run [MODULE] | keep [--socket PATH] [--spares N]")


def run(module: str) -> NoReturn:
    """Run a module as `python -m` would, in a spare if there is one, and end the way it ends."""
    outcome: Outcome = ("unstarted", "")
    offer = _ask()
    if offer:
        keeper, pid = offer
        outcome = _hand_over(keeper, pid, module)
    match outcome:
        case "exit", number:
            sys.exit(int(number))
        case "signal", number:
            _end_by(int(number))
        case "lost", reason:
            sys.exit(f"relance_operate.warm: {reason}")
    if outcome[1]:
        say(f"{outcome[1]}; this run starts an interpreter of its own")
    command = [sys.executable, "-m", module]
    if sys.platform == "win32":  # where a process that replaces itself has ended, for the one that waits for it
        import subprocess

        sys.exit(subprocess.call(command))  # noqa: S603  # our own interpreter
    os.execv(sys.executable, command)  # noqa: S606  # our own interpreter


def socket_path() -> Path:
    """Return where the keeper listens: $RELANCE_WARM_SOCKET, or a place in Prefect's folder."""
    if path := os.environ.get("RELANCE_WARM_SOCKET"):
        return Path(path)
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser() / "relance" / "warm" / "socket"


def credible(peer: socket.socket, path: Path) -> bool:
    """Whether only this user can have made the socket, and is at its other end."""
    if not private(path.parent):
        return False
    if not hasattr(socket, "SO_PEERCRED"):  # macOS: the folder says enough
        return True
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid == os.getuid()


def private(folder: Path) -> bool:
    """Whether only this user can enter a folder."""
    status = folder.stat()
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077


def say(text: str) -> None:
    """Write a line where the worker, or the terminal, shows what we print."""
    sys.stderr.write(f"relance_operate.warm: {text}\n")
    sys.stderr.flush()


def _ask() -> tuple[socket.socket, int] | None:
    """Ask the keeper for a spare: nobody has one, nothing has happened."""
    if not hasattr(socket, "send_fds") or not hasattr(socket, "AF_UNIX"):  # Windows
        return None
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    keeper.settimeout(ANSWER_S)
    path = socket_path()
    try:
        keeper.connect(os.fspath(path))
        if not credible(keeper, path):
            say(f"{path} is open to others: it is not used")
            return None
        kind, _, number = _line(keeper).partition(" ")
    except OSError:  # no keeper, one that has just ended, or a busy one
        return None
    if kind != "spare":
        return None
    keeper.settimeout(None)
    return keeper, int(number)


def _hand_over(keeper: socket.socket, pid: int, module: str) -> Outcome:
    """Give the run to the spare, pass signals on to it, and wait for its end."""
    passed: list[int] = []

    def pass_on(number: int, _: object) -> None:
        passed.append(number)
        try:
            keeper.send(bytes([number]))
        except OSError:  # it has ended, which the line below will find out
            return

    reader, writer = os.pipe()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in FORWARDED}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, pass_on)
        try:
            socket.send_fds(keeper, [b"J"], [reader, 0, 1, 2])
        except OSError:  # the spare has died since
            return _not_begun("", before, passed)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        os.close(reader)
    with suppress(BrokenPipeError), os.fdopen(writer, "wb") as job:  # broken: the spare has died; the keeper says so
        job.write(_job(module))
    try:
        how, _, what = _line(keeper).partition(" ")
    except OSError:
        how, what = "", ""
    if how == "unstarted":
        return _not_begun(what, before, passed)
    if how in {"exit", "signal"}:
        return how, what
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # nobody can tell any more how it ends: it must not go on
    return "lost", "the keeper of warm interpreters has ended, and this run with it"


def _not_begun(reason: str, before: dict[int, Any], passed: list[int]) -> Outcome:
    for number, handler in before.items():
        signal.signal(number, handler)
    return ("signal", str(passed[0])) if passed else ("unstarted", reason)


def _job(module: str) -> bytes:
    mask = os.umask(0o077)
    os.umask(mask)
    job = {
        "module": module,
        "executable": sys.executable,
        "environment": dict(os.environ),
        "directory": os.getcwd(),  # noqa: PTH109  # as a text
        "path": sys.path,
        "umask": mask,
    }
    return json.dumps(job).encode()


def _line(keeper: socket.socket) -> str:
    """Read a line; OSError if there is none."""
    line = b""
    while not line.endswith(b"\n"):
        part = keeper.recv(512)
        if not part:
            raise ConnectionResetError
        line += part
    return line.decode().strip()


def _end_by(number: int) -> NoReturn:
    """End as the spare did, so that the worker sees the same status."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # it has dumped its own
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)  # a signal that ends nobody


if __name__ == "__main__":
    main(sys.argv[1:])
