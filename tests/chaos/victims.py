"""A process that ingests, and is killed by SIGKILL while it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["Victim"]


class Victim:
    """Imports everything as soon as it is made, and works from `release` on."""

    def __init__(self, spec: Path, *options: str, **environment: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("victim.py")), str(spec), *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
        self.pid = self._process.pid

    def release(self) -> None:
        """Wait until it has imported everything and let it work."""
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        assert self._process.stdout.readline() == "ready\n"
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    @property
    def at_work(self) -> bool:
        """Whether it has neither finished nor died."""
        return self._process.poll() is None

    def kill(self) -> bool:
        """Kill it; returns false if it had finished by then."""
        self._process.send_signal(signal.SIGKILL)
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return code == -signal.SIGKILL
