"""The git program: run unattended, with nothing of a repository executed, ended with its children."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from relance.errors import ConfigurationError

__all__ = ["Failed", "Git", "GitProcess"]

# Variables of git that say how to reach servers; all others would point it at another repository, or make it talk.
_OURS = ("GIT_SSH", "GIT_SSL_", "GIT_PROXY_", "GIT_HTTP_", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM",
         "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH")  # fmt: skip
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
# A repository may bring a configuration along, which names programs: none of them is run. Nothing is asked, nothing is
# left running, and no transport but these four is opened.
_CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.askPass": "",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "safe.directory": "*",  # a repository of another user: what could make that dangerous is turned off here
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "protocol.version": "2",
    "advice.detachedHead": "false",
}
_PIECE = 1 << 18
_SHOWN = 64 * 1024

_running: set[subprocess.Popen[bytes]] = set()


class Failed(Exception):  # noqa: N818  # it is turned into an error that says what to do
    """A git command that did not end well; `text` is what it said."""

    def __init__(self, text: str, *, late: bool = False) -> None:
        super().__init__(text)
        self.text, self.late = text, late


class GitProcess:
    """One process of git with its children, which end together."""

    def __init__(self, command: list[str], environment: Mapping[str, str], stdin: Any) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`; a pipe nobody reads would block git
        try:
            self.popen: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  # no shell, options are ours
                command, env=dict(environment), stdin=stdin, stdout=subprocess.PIPE, stderr=self._said,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._said.close()
            raise ConfigurationError(f"git does not start: {(error.strerror or str(error)).lower()}") from None
        _running.add(self.popen)
        self.late = False

    @property
    def stdout(self) -> IO[bytes]:
        """What it writes."""
        assert self.popen.stdout is not None  # noqa: S101  # a pipe
        return self.popen.stdout

    @property
    def stdin(self) -> IO[bytes]:
        """What it reads."""
        assert self.popen.stdin is not None  # noqa: S101  # a pipe, where it is asked for
        return self.popen.stdin

    @contextlib.contextmanager
    def within(self, seconds: float) -> Generator[None]:
        """End it if what is done meanwhile takes longer."""
        timer = threading.Timer(seconds, self._too_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def end(self) -> str:
        """End it with its children, if it has not ended; returns what it said."""
        _kill(self.popen)
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.popen.wait()
        _running.discard(self.popen)
        if self._said.closed:
            return ""
        self._said.seek(0)
        text = self._said.read(_SHOWN).decode("utf-8", "replace")
        self._said.close()
        return text

    def _too_late(self) -> None:
        self.late = True
        _kill(self.popen)


class Git:
    """Runs git commands in one repository.

    Args:
        folder: the repository (its `.git`, or a bare one); None for commands that need none.
        config: more configuration. It is passed by the environment, where other users do not see it.
        variables: more environment.
        timeout_s: seconds a command may take.
    """

    def __init__(self, folder: Path | None = None, *, config: Mapping[str, str] | None = None,
                 variables: Mapping[str, str] | None = None, timeout_s: float = 600) -> None:  # fmt: skip
        self.folder, self.timeout_s = folder, timeout_s
        self._config, self._variables = dict(config or {}), dict(variables or {})

    def run(self, *words: str, data: bytes | None = None) -> bytes:
        """Run a command to its end; returns what it wrote, raises Failed."""
        process = self.start(*words, stdin=data is not None)
        writer = None
        try:
            with process.within(self.timeout_s):
                if data is not None:
                    writer = threading.Thread(target=_write, args=(process.stdin, data), daemon=True)
                    writer.start()
                written = process.stdout.read()
                process.popen.wait()
                if writer is not None:
                    writer.join()
        finally:
            said = process.end()
        self._check(process, said)
        return written

    def stream(self, *words: str) -> Iterator[bytes]:
        """Stream what a command writes, in pieces; raises Failed at the end, or when a piece takes too long."""
        process = self.start(*words)
        said = ""
        try:
            while True:
                with process.within(self.timeout_s):
                    piece = process.stdout.read(_PIECE)
                if not piece:
                    break
                yield piece
            with process.within(self.timeout_s):
                process.popen.wait()
        finally:
            said = process.end()
        self._check(process, said)

    def start(self, *words: str, stdin: bool = False) -> GitProcess:
        """Start a command; who starts it ends it."""
        program = shutil.which("git")
        if program is None:
            msg = "the git program is missing, which a source of type git needs; install it (apt-get install git)"
            raise ConfigurationError(msg)
        place = [] if self.folder is None else [f"--git-dir={self.folder}"]
        command = [program, *place, *words]
        return GitProcess(command, self._environment(), subprocess.PIPE if stdin else subprocess.DEVNULL)

    def _check(self, process: GitProcess, said: str) -> None:
        if process.late:
            raise Failed(f"git took more than {self.timeout_s:g} seconds (timeout_s)", late=True)
        if process.popen.returncode:
            raise Failed(said.strip() or f"git ended with status {process.popen.returncode}")

    def _environment(self) -> dict[str, str]:
        found = {name: value for name, value in os.environ.items()
                 if not name.startswith("GIT_") or name.startswith(_OURS)}  # fmt: skip
        found |= {
            "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never",
            "GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1",
        }  # fmt: skip
        if "GIT_SSH" not in found:
            found.setdefault("GIT_SSH_COMMAND", _SSH)
        found |= self._variables
        pairs = [*_CONFIG.items(), *self._config.items()]
        found["GIT_CONFIG_COUNT"] = str(len(pairs))
        for number, (name, value) in enumerate(pairs):
            found[f"GIT_CONFIG_KEY_{number}"], found[f"GIT_CONFIG_VALUE_{number}"] = name, value
        return found


def _write(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError):  # it has ended, and says why
        stream.write(data)
        stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started, unless it has ended and was waited for: its number may be another's."""
    if process.returncode is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


@atexit.register
def _end_all() -> None:
    for process in list(_running):
        _kill(process)
