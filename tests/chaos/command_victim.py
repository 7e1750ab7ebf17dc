"""Processes that begin with a command of relance at once, to be killed in the middle of it.

All are forked from one that has imported everything, which costs 3 CPU-s, and has used nothing of it. The parsers alone
are half of what an edit of 20 documents costs a process of its own, and none of the moments in which to kill it.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

__all__ = ["Nursery"]

_ROOMS = ("chunkers", "cli", "config", "embedding", "evaluation", "http", "media", "parsers", "pipeline", "reembed", "search",
          "sources", "store", "telemetry")  # fmt: skip


class Nursery:
    """Starts victims, one at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "tests.chaos.command_victim"], text=True,
                                         cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        self._pid = 0

    def start(self, command: list[str], environment: dict[str, str], said: Path) -> None:
        """Start a command, whose output goes to the file `said`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, environment, str(said)]) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._line())

    def send(self, number: signal.Signals) -> bool:
        """Send a signal; returns whether the victim was at work still."""
        if self._ended():
            return False
        os.kill(self._pid, number)
        return True

    def end(self, timeout_s: float) -> int | None:
        """Wait for the end; returns the exit code, or None if there was no end in time."""
        if self._ended(timeout_s):
            return int(self._line())
        os.kill(self._pid, signal.SIGKILL)
        self._line()
        return None

    def close(self) -> None:
        """End."""
        self._process.communicate()

    def wait(self, timeout_s: float) -> bool:
        """Let the victim work for a while; returns whether it has ended before."""
        return self._ended(timeout_s)

    def _ended(self, timeout_s: float = 0.0) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], timeout_s)[0])

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def main() -> None:
    """Fork a process for each line of standard input; print its number, and its exit code when it has one."""
    import relance
    from relance.cli.main import main as command

    for room in _ROOMS:
        for each in pkgutil.walk_packages([f"{folder}/{room}" for folder in relance.__path__], f"relance.{room}."):
            importlib.import_module(each.name)

    warnings.simplefilter("ignore", RuntimeWarning)  # LanceDB warns of a fork in the middle of its work; there is none
    # One read at a time: a buffer would be the child's, too.
    while line := os.read(0, 65536):
        arguments, environment, said = json.loads(line)
        pid = os.fork()
        if not pid:
            output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            for descriptor, file in enumerate([os.open(os.devnull, os.O_RDONLY), output, output]):
                os.dup2(file, descriptor)
            os.environ.update(environment)
            tempfile.tempdir = None
            command(arguments)
            return
        os.write(1, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
