"""The keeper: holds interpreters ready that have imported what a flow run needs, and gives each of them one run.

One thread, no heavy import, nothing forked: spares are started like any program. As their parent it knows how they end
and can end them; it listens to the client of each run, whose death is the run's.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from relance_operate.warm import credible, private, say, socket_path
from relance_operate.warm_code import CODE, Code, own_code, read_code

__all__ = ["MODULES", "Keeper", "keep"]

# What a run imports sooner or later; one that is gone in another version is told in the log, and missed by nobody.
MODULES = (
    "prefect.engine", "prefect.flow_engine", "prefect.task_engine", "prefect.utilities.visualization",
    "anyio._backends._asyncio", "opentelemetry.metrics",
    "relance_flows.ingest", "relance_flows.on_change",
    "relance.sources.files", "relance.parsers.html", "relance.chunkers.markdown", "relance.embedding.runtime",
    "relance.embedding.providers.wordllama", "safetensors", "tokenizers",
    "lancedb", "pyarrow.dataset",
)  # fmt: skip
DELAY_S = 5.0  # the run that has just begun needs the processors more than the next one
LOOK_S = 5.0  # how often the code is looked at; what has changed is taken in once it has been left alone for that long
OWN = own_code()
PATIENCE_S = 60.0  # between attempts, where spares die before they are ready


@dataclass(eq=False, slots=True)
class Spare:
    """An interpreter that waits for a run, or runs it."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    code: Code
    ready: bool = False
    client: socket.socket | None = None
    handed: bool = False  # it has the run
    started: bool = False  # it runs it
    dropped: bool = False  # ended by us
    refusal: str = ""


@dataclass(slots=True)
class Keeper:
    """Keeps spares for one user on one machine."""

    path: Path
    count: int = 1
    modules: Sequence[str] = MODULES
    code: Sequence[Path] = CODE
    delay_s: float = DELAY_S
    look_s: float = LOOK_S
    _spares: list[Spare] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _listener: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    _stopping: bool = False
    _outdated: bool = False
    _next: float = 0.0
    _failures: int = 0
    _looked: float = 0.0
    _seen: Code = frozenset()

    def serve(self) -> bool:
        """Serve until SIGTERM or SIGINT, while runs under way go on to their end; whether it is to start again.

        That is where its own code has changed: clients speak with the new one already.
        """
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        self._selector.register(woken, selectors.EVENT_READ, partial(self._reap, woken))
        self._listen()
        while True:
            if self._stopping and self._listener.fileno() >= 0:
                self._close_down()
            if self._stopping and not any(spare.handed for spare in self._spares):
                break
            self._refill()
            for key, _ in self._selector.select(min(1.0, self.look_s)):
                if not isinstance(key.fileobj, socket.socket) or key.fileobj.fileno() >= 0:  # else closed just before
                    key.data()
        for spare in self._spares:
            spare.process.wait()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        return self._outdated

    def _listen(self) -> None:
        self.path.unlink(missing_ok=True)  # of one that was killed: the lock says that it is gone
        self._listener.bind(os.fspath(self.path))
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _asked_to_stop(self, *_: object) -> None:
        self._stopping, self._outdated = True, False

    def _close_down(self) -> None:
        self.path.unlink(missing_ok=True)
        self._selector.unregister(self._listener)
        self._listener.close()
        for spare in self._spares:
            if not spare.handed:
                self._drop(spare)

    # Spares

    def _refill(self) -> None:
        now = time.monotonic()
        if self._stopping:
            return
        if now - self._looked >= self.look_s:
            self._looked = now
            self._take_in(read_code(self.code))
        waiting = [spare for spare in self._spares if not spare.handed]
        if len(waiting) < self.count and now >= self._next:
            self._start()

    def _take_in(self, code: Code) -> None:
        """Replace the spares that have imported what is no longer there."""
        settled, self._seen = code == self._seen, code
        if settled and own_code() != OWN and not any(spare.handed for spare in self._spares):
            self._stopping = self._outdated = True
        elif settled:
            for spare in self._spares:
                if not spare.handed and spare.code != code:
                    self._drop(spare)
                    self._next, self._failures = 0.0, 0

    def _start(self) -> None:
        code = read_code(self.code)  # before it imports: what changes meanwhile outdates it
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "relance_operate.warm_spare", str(theirs.fileno()), *self.modules]
        try:
            with theirs:
                # In a group of its own, so that it can be ended with all that it has started.
                process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
                )
        except OSError as error:
            ours.close()
            self._failed(f"a spare could not be started: {error}")
            return
        ours.setblocking(False)
        spare = Spare(process, ours, code)
        self._spares.append(spare)
        self._selector.register(ours, selectors.EVENT_READ, partial(self._from_spare, spare))
        self._next = time.monotonic()

    def _drop(self, spare: Spare) -> None:
        spare.dropped = True
        spare.process.kill()

    def _from_spare(self, spare: Spare) -> None:
        while True:
            try:
                said = spare.control.recv(4096)
            except (BlockingIOError, ConnectionResetError):
                return
            if not said:
                with contextlib.suppress(KeyError):
                    self._selector.unregister(spare.control)
                return
            match said[:1]:
                case b"R":
                    spare.ready, self._failures = True, 0
                    say(f"the interpreter {spare.process.pid} is warm")
                case b"S":
                    spare.started = True
                case _:
                    spare.refusal = said[1:].decode(errors="replace")

    def _reap(self, woken: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while woken.recv(4096):
                pass
        for spare in [each for each in self._spares if each.process.poll() is not None]:
            self._from_spare(spare)  # what it said last
            self._spares.remove(spare)
            with contextlib.suppress(KeyError):
                self._selector.unregister(spare.control)
            spare.control.close()
            code = spare.process.returncode
            if spare.client:
                if spare.started:
                    answer = f"exit {code}" if code >= 0 else f"signal {-code}"
                else:
                    answer = f"unstarted {spare.refusal or 'the warm interpreter died before the run began'}"
                self._answer(spare.client, answer)
            if spare.handed:
                self._next = 0.0  # the processors are free again
            elif not spare.ready and not spare.dropped:
                self._failed(f"a spare ended with status {code} before it was ready")

    def _failed(self, what: str) -> None:
        self._failures += 1
        wait_s = min(PATIENCE_S, 2.0**self._failures)
        self._next = time.monotonic() + wait_s
        say(f"{what}; the next one starts in {wait_s:.0f} s")

    # Clients

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
            if not credible(client, self.path):
                client.close()
                return
        except OSError:  # it has gone already, or the folder has
            return
        code = read_code(self.code)
        spare = next(
            (
                each
                for each in self._spares
                if each.ready and not each.client and not each.dropped and each.code == code
            ),
            None,
        )
        if spare is None:
            self._selector.register(client, selectors.EVENT_READ, partial(self._drain, client))
            self._answer(client, "none")
            return
        spare.client = client
        self._selector.register(client, selectors.EVENT_READ, partial(self._from_client, spare, client))
        self._answer(client, f"spare {spare.process.pid}")

    def _from_client(self, spare: Spare, client: socket.socket) -> None:
        if spare.client is not client or spare.process.poll() is not None:
            self._drain(client)
            return
        try:
            said, fds, *_ = socket.recv_fds(client, 1 if not spare.handed else 64, 4)
        except ConnectionResetError:
            said, fds = b"", []
        if not said:
            self._close(client)
            spare.client = None
            if spare.handed:  # killed, or what called it was
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(spare.process.pid, signal.SIGKILL)
        elif not spare.handed:
            spare.handed = True
            self._next = time.monotonic() + self.delay_s
            with contextlib.suppress(OSError):  # it has died; the client is told when it is reaped
                socket.send_fds(spare.control, [b"J"], fds)
        else:
            for number in said:
                with contextlib.suppress(OSError):
                    os.kill(spare.process.pid, number)
        for fd in fds:
            os.close(fd)

    def _answer(self, client: socket.socket, line: str) -> None:
        with contextlib.suppress(OSError):  # it has gone; reading will tell
            client.sendall(line.encode() + b"\n")

    def _drain(self, client: socket.socket) -> None:
        """Wait for a client that has its answer to hang up."""
        try:
            said, fds, *_ = socket.recv_fds(client, 64, 4)
        except ConnectionResetError:
            said, fds = b"", []
        for fd in fds:
            os.close(fd)
        if not said:
            self._close(client)

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        client.close()


def keep(arguments: Sequence[str]) -> int:
    """Keep spares until SIGTERM; returns the exit code, 1 if there is a keeper already."""
    parser = argparse.ArgumentParser(
        prog="python -m relance_operate.warm keep", description="Keep warm interpreters for runs."
    )
    parser.add_argument("--socket", type=Path, default=socket_path(), metavar="PATH")
    parser.add_argument("--spares", type=int, default=1, metavar="N")
    parser.add_argument("--delay", type=float, default=DELAY_S, metavar="SECONDS", help="from a run to the next spare")
    parser.add_argument("--look", type=float, default=LOOK_S, metavar="SECONDS", help="between looks at the code")
    parser.add_argument("--import", dest="modules", nargs="*", default=MODULES, metavar="MODULE")
    parser.add_argument(
        "--code", type=Path, nargs="*", default=CODE, metavar="FOLDER", help="replaces spares it outdates"
    )
    options = parser.parse_args(arguments)
    path: Path = options.socket.absolute()
    if len(os.fsencode(path)) > 100:  # what all systems take
        say(f"{path} is too long for a socket; set RELANCE_WARM_SOCKET to a shorter path")
        return 1
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not private(path.parent):
        say(f"{path.parent} is open to others; choose a folder for the socket that only you can enter")
        return 1
    with _locked(path) as locked:
        if not locked:
            say(f"another keeper serves {path}")
            return 1
        again = Keeper(path, options.spares, options.modules, options.code, options.delay, options.look).serve()
    if again:
        os.execv(sys.executable, [sys.executable, "-m", "relance_operate.warm", "keep", *arguments])  # noqa: S606
    return 0


@contextlib.contextmanager
def _locked(path: Path) -> Generator[bool]:
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
