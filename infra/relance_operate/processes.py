"""Processes that run beside ours: started in a session of their own, watched, and stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from relance.errors import ConfigurationError

__all__ = ["Process"]


class Process:
    """A Python module of this environment as a process; what it prints goes into a log file."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and modules
                [sys.executable, "-P", "-m", *arguments],  # -P: the folder it is run in may hold modules of any name
                env=os.environ | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, in the right order
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ConfigurationError with the end of its log if it has ended."""
        code = self._process.poll()
        if code is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            msg = f"the {self.name} ended with exit code {code}; its log {self.log} ends with:\n" + "\n".join(lines)
            raise ConfigurationError(msg)

    def stop(self, grace_s: float = 3.5) -> None:
        """Ask it to end, and end it and what it started if it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        # A worker that was killed leaves its flow runs behind; they are in its session.
        deadline = time.monotonic() + 2
        while _alive(self._process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if _alive(self._process.pid):
            os.killpg(self._process.pid, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
