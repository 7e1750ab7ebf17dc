"""A signal at any moment: the command ends within ten seconds, says what became of it, and leaves no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from files import put

from relance.index import Index

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")

SECONDS = 10.0


class Command:
    """A command in a session of its own; what it starts is known by a variable of its environment."""

    def __init__(self, arguments: Sequence[str], folder: Path, **environment: str) -> None:
        self._mark = f"RELANCE_TEST_MARK={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "relance", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, cwd=folder,
            env=os.environ | {"PREFECT_HOME": str(folder / "prefect"), "COLUMNS": "200", name: value} | environment,
        )  # fmt: skip

    def alive(self) -> set[int]:
        found = set()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self._mark.encode() in path.read_bytes():
                    found.add(int(path.parent.name))
            except OSError:  # it has ended, or is another account's
                continue
        return found

    def wait_for(self, what: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> tuple[float, str]:
        """Send a signal; returns how long it took, and what was said."""
        began = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        took = time.monotonic() - began
        time.sleep(0.3)  # workers look twice a second whether their coordinator is there
        left = self.alive()
        for each in left:
            os.kill(each, signal.SIGKILL)
        assert not left
        assert took < SECONDS
        assert "Traceback" not in out + err
        return took, err


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Where `nohup` or `&` runs the tests they ignore signals, and what they start would, too."""
    ignored = [number for number in signal.Signals if signal.getsignal(number) is signal.SIG_IGN]
    ignored = [number for number in ignored if number in {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def many(docs: Path, declare: Callable[..., Path]) -> Path:
    """An index of 200 documents, each of which takes a request; some are read in worker processes."""
    for i in range(200):
        put(docs / f"{i}.{'md' if i % 4 else 'rst'}", f"Note {i}\n======\n\nIt says {i} and nothing else.\n")
    return declare(embedding={"model": "fake/hash", "batch_texts": 2, "max_concurrency": 2})


def ingest_again(spec: Path) -> None:
    index = Index(spec)
    assert index.ingest().status == "completed"
    assert index.status().documents == 200


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGTERM, ["--direct"]),
        pytest.param(signal.SIGHUP, ["--direct", "--engine", "processes", "--workers", "2"], marks=pytest.mark.e2e),
    ],
)
def test_a_signal_stops_a_run_that_is_recorded_as_stopped(
    many: Path, tmp_path: Path, log: Callable[[], list[str]], number: signal.Signals, options: list[str]
) -> None:
    command = Command(["ingest", str(many), *options], tmp_path, RELANCE_FAKE_DELAY_S="0.4")
    command.wait_for(log)
    _, err = command.end(number)
    assert command.process.returncode == 1
    assert number.name in err
    assert [run.status for run in Index(many).runs()] == ["stopped"]
    assert 0 < len(log()) < 200
    ingest_again(many)
    assert len(log()) == len(set(log())), "what was bought before the signal is not bought again"


@pytest.mark.e2e
def test_a_run_that_hangs_is_cut_off(many: Path, tmp_path: Path, log: Callable[[], list[str]]) -> None:
    """A service that does not answer for a minute; two Ctrl-C are too many to wait."""
    command = Command(["ingest", str(many), "--direct"], tmp_path, RELANCE_FAKE_DELAY_S="60")
    command.wait_for(log)
    command.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    took, err = command.end(signal.SIGINT)
    assert took < 3
    assert command.process.returncode == 1
    assert "run again to continue" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.e2e)])
def test_a_temporary_server_that_is_starting_does_not_stay(many: Path, tmp_path: Path, number: signal.Signals) -> None:
    command = Command(["ingest", str(many)], tmp_path)
    command.wait_for(lambda: len(command.alive()) > 1 and (tmp_path / "prefect").exists())
    if number is signal.SIGKILL:
        command.process.kill()
        command.process.communicate()
        deadline = time.monotonic() + SECONDS
        while command.alive():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return
    command.end(number)
    assert command.process.returncode == 1


MOMENTS = [0.05, 0.3, 0.8, 1.5, 2.5, 4.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0]


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_any_moment_will_do(
    many: Path, tmp_path: Path, moment: float, number: signal.Signals, record_property: Callable[[str, object], None]
) -> None:
    command = Command(["ingest", str(many)], tmp_path, RELANCE_FAKE_DELAY_S="0.05")
    time.sleep(moment)
    if command.process.poll() is None:
        took, err = command.end(number)
        record_property("seconds", took)
        print(f"{number.name} after {moment} s: {took:.1f} s, exit code {command.process.returncode}, {err.strip()!r}")  # noqa: T201
        # Before the command line is there, the signal itself ends the process.
        assert command.process.returncode in {0, 1, -number}
    else:
        command.process.communicate()  # the machine is fast: it has ended before
    ingest_again(many)


@pytest.mark.long
@pytest.mark.parametrize("moment", [0.5, 3.0, 6.0, 10.0, 15.0, 20.0, 26.0, 33.0, 40.0, 50.0])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_up_ends_with_all_that_it_started(tmp_path: Path, moment: float, number: signal.Signals) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = Command(["up", "--port", str(port)], tmp_path)
    time.sleep(moment)
    took, err = command.end(number)
    print(f"{number.name} after {moment} s: {took:.1f} s, exit code {command.process.returncode}, {err.strip()!r}")  # noqa: T201
    assert command.process.returncode in {0, 1, -number}
