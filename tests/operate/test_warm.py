"""A run in a warm interpreter is what it is in one of its own: the same, once, and gone when it is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(socket, "send_fds"), reason="there are no warm interpreters on Windows")


@pytest.fixture(autouse=True)
def interruptible() -> Generator[None]:
    """Whoever started us in the background or by nohup had signals ignored, which children inherit."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


WARM = "import sys; warm = 'relance_operate.warm_spare' in sys.orig_argv\n"
ONCE = WARM + "print('warm' if warm else 'direct', file=open('ran', 'a'))\n"


class Desk:
    """A folder with programs, a keeper, and runs."""

    def __init__(self, folder: Path, short: Path) -> None:
        self.folder, self.socket, self.log = folder, short / "warm" / "socket", short / "log"
        self.environment = dict(os.environ) | {"RELANCE_WARM_SOCKET": str(self.socket)}
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "module.py").write_text("1")
        self.started: list[subprocess.Popen[str]] = []

    def keep(self, *options: str, modules: Sequence[str] = ("json",), ready: int = 1,
             environment: Mapping[str, str] = {}) -> subprocess.Popen[str]:  # fmt: skip
        """Start a keeper whose spares have imported little, and wait until some are ready."""
        command = [sys.executable, "-m", "relance_operate.warm", "keep", *options, "--code", str(self.code)]
        with self.log.open("w") as log:
            keeper = subprocess.Popen([*command, "--import", *modules], cwd=self.folder, stderr=log, text=True,
                                      env=self.environment | dict(environment))  # fmt: skip
        self.started.append(keeper)
        self.until(lambda: len(self.warm()) >= ready or keeper.poll() is not None)
        return keeper

    def warm(self) -> list[int]:
        """The interpreters that have ever been ready, by pid."""
        return [int(line.split()[-3]) for line in self.log.read_text().splitlines() if line.endswith("is warm")]

    def run(self, program: str, *, warm: bool = True, **environment: str) -> subprocess.Popen[str]:
        """Start a program as the worker would."""
        (self.folder / "program.py").write_text(program)
        command = [sys.executable, "-m", *(["relance_operate.warm", "run"] if warm else []), "program"]
        run = subprocess.Popen(command, cwd=self.folder, env=self.environment | environment, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.started.append(run)
        return run

    def done(self, program: str, **keywords: Any) -> tuple[str, str, int]:
        """Run a program to its end: standard output, standard error, status."""
        run = self.run(program, **keywords)
        out, err = run.communicate("typed", timeout=60)
        return out, err, run.returncode

    def ran(self) -> list[str]:
        """How the runs of ONCE were run."""
        return (self.folder / "ran").read_text().split()

    def until(self, true: Callable[[], object], within_s: float = 30.0) -> None:
        """Wait for something to be true."""
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, self.log.read_text() if self.log.exists() else "no keeper"
            time.sleep(0.01)


@pytest.fixture
def desk(tmp_path: Path) -> Generator[Desk]:
    with tempfile.TemporaryDirectory(prefix="rl") as short:  # a socket's path is short
        desk = Desk(tmp_path, Path(short))
        yield desk
        for process in desk.started:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                with suppress(AttributeError, BrokenPipeError):
                    stream.close()


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


LOOK = """
import json, multiprocessing, os, signal, sys, threading, time
def answer(queue): queue.put(os.environ.get("X"))
if __name__ == "__main__":
    mask = os.umask(0)
    queue = multiprocessing.get_context("spawn").Queue()
    child = multiprocessing.get_context("spawn").Process(target=answer, args=[queue])
    child.start()
    print(json.dumps({
        "argv": sys.argv, "name": __name__, "module": __spec__.name, "main": sys.modules["__main__"].__spec__.name,
        "path": sys.path, "cwd": os.getcwd(), "umask": mask, "flags": list(sys.flags), "stdin": sys.stdin.read(),
        "environment": {name: value for name, value in os.environ.items() if name != "_"}, "zone": time.tzname,
        "nice": os.getpriority(os.PRIO_PROCESS, 0), "tty": [os.isatty(n) for n in range(3)],
        "buffered": [sys.stdout.line_buffering, sys.stderr.line_buffering, sys.stdout.encoding],
        "signals": {n.name: str(signal.getsignal(n)) for n in signal.valid_signals() if isinstance(n, signal.Signals)},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "thread": threading.current_thread() is threading.main_thread(), "spawned": queue.get(timeout=30),
    }))
    child.join()
"""


def test_a_program_finds_around_it_what_it_finds_in_an_interpreter_of_its_own(desk: Desk) -> None:
    desk.keep(environment={"SPARES_ONLY": "1"})
    given = {"X": "ü\n'\"=\udc80", "LONG": "x" * 100_000, "LONGER": "y" * 100_000, "TZ": "Asia/Tokyo", "EMPTY": ""}
    direct = desk.done(LOOK, warm=False, **given)
    warm = desk.done(WARM + "assert warm or __name__ != '__main__'\n" + LOOK, **given)
    assert json.loads(warm[0]) == json.loads(direct[0])
    assert warm[1:] == direct[1:] == ("", 0)
    assert "SPARES_ONLY" not in json.loads(warm[0])["environment"]


ENDS = {
    "pass": 0,
    "sys.exit(3)": 3,
    "sys.exit('text')": 1,
    "raise ValueError('text')": 1,
    "raise KeyboardInterrupt": -signal.SIGINT,
    "import os; os._exit(7)": 7,
    "import atexit, os; atexit.register(os._exit, 9)": 9,
    "import threading, time, os; threading.Thread(target=lambda: (time.sleep(0.2), os._exit(4))).start()": 4,
    "import os; os.kill(os.getpid(), 15)": -signal.SIGTERM,
    "import os; os.kill(os.getpid(), 9)": -signal.SIGKILL,
    "import os; os.abort()": -signal.SIGABRT,
}


def test_a_run_ends_with_the_status_its_program_ends_with(desk: Desk) -> None:
    desk.keep("--spares", "3", "--delay", "0", ready=3)
    for i, (end, status) in enumerate(ENDS.items()):
        desk.until(lambda i=i: len(desk.warm()) > i)
        out, err, returned = desk.done(WARM + f"print(warm)\n{end}")
        assert (end, returned) == (end, status)
        assert out.strip() == "True" or "os._exit" in end or status < 0  # what is buffered is lost there, as ever
        assert ("text" in err) == ("text" in end)


HANDLED = """
import signal, sys, time
def handle(number, frame): print(number); sys.exit(40 + number)
for each in {signals}: signal.signal(each, handle)
print(warm, flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_the_run_is_one_to_its_program(desk: Desk, number: int) -> None:
    desk.keep("--spares", "2", ready=2)
    for signals, status in (([int(number)], 40 + number), ([], -number)):
        run = desk.run(WARM + HANDLED.format(signals=signals))
        assert run.stdout.readline() == "True\n"
        run.send_signal(number)
        assert run.wait(10) == status


BUSY = """
import os, subprocess, sys
child = subprocess.Popen(["sleep", "60"])
print(os.getpid(), child.pid, warm, flush=True)
sum(range(10 ** 13))  # lets no other thread of Python's run, ever
"""


@pytest.mark.parametrize("victims", ["client", "keeper", "client and keeper"])
def test_a_run_that_is_killed_is_dead_within_a_second(desk: Desk, victims: str) -> None:
    keeper = desk.keep()
    run = desk.run(WARM + BUSY)
    *pids, warm = run.stdout.readline().split()
    child = pids[1]
    assert warm == "True"
    assert all(alive(int(pid)) for pid in pids)
    if victims == "client and keeper":
        run.send_signal(signal.SIGSTOP)  # so that it can do nothing when the keeper ends
        keeper.kill()
        del pids[1]  # what it started would go on, as it does beside `python -m prefect.engine`
    for name in victims.split(" and "):
        (run if name == "client" else keeper).kill()
    try:
        desk.until(lambda: not any(alive(int(pid)) for pid in pids), within_s=1.0)
        assert run.wait(5) != 0
    finally:
        for pid in (*pids, child):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def test_a_program_that_is_killed_takes_the_run_with_it_by_the_same_signal(desk: Desk) -> None:
    desk.keep()
    run = desk.run("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    os.kill(int(run.stdout.readline()), signal.SIGKILL)
    assert run.wait(5) == -signal.SIGKILL


def no_keeper(desk: Desk) -> None:
    pass


def a_keeper_that_was_killed(desk: Desk) -> None:
    keeper = desk.keep()
    keeper.kill()
    keeper.wait()


def a_keeper_that_does_not_answer(desk: Desk) -> None:
    desk.socket.parent.mkdir(mode=0o700)
    program = (
        "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();"
        "print(flush=True); time.sleep(60)"
    )
    listener = subprocess.Popen([sys.executable, "-c", program, desk.socket], stdout=subprocess.PIPE, text=True)
    desk.started.append(listener)
    listener.stdout.readline()


def a_keeper_that_is_stopped(desk: Desk) -> None:
    desk.keep().send_signal(signal.SIGSTOP)


def a_folder_that_others_can_enter(desk: Desk) -> None:
    desk.keep()
    desk.socket.parent.chmod(0o755)


def all_spares_at_work(desk: Desk) -> None:
    desk.keep("--delay", "60")
    desk.run("import time; print(flush=True); time.sleep(60)").stdout.readline()


def changed_code(desk: Desk) -> None:
    desk.keep("--look", "60")
    (desk.code / "module.py").write_text("1 + 1")


def removed_code(desk: Desk) -> None:
    desk.keep("--look", "60")
    (desk.code / "module.py").unlink()


def a_variable_that_is_read_at_start(desk: Desk) -> None:
    desk.keep(environment={"PYTHONHASHSEED": "7"})


def another_package_of_that_name(desk: Desk) -> None:
    desk.keep(modules=["relance"])
    (desk.folder / "relance").mkdir()
    (desk.folder / "relance" / "__init__.py").write_text("")


def a_spare_that_dies_as_it_takes_the_run_on(desk: Desk) -> None:
    (desk.folder / "sabotage.py").write_text("import os, sys; sys.modules['__main__'].take_on = lambda *_: os.abort()")
    desk.keep(modules=["sabotage"])


def spares_that_die_while_they_warm_up(desk: Desk) -> None:
    (desk.folder / "sabotage.py").write_text("import os; os._exit(1)")
    desk.keep(modules=["sabotage"], ready=0)
    desk.until(lambda: "before it was ready" in desk.log.read_text())


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (no_keeper, ""),
        (a_keeper_that_was_killed, ""),
        (a_keeper_that_does_not_answer, ""),
        (a_keeper_that_is_stopped, ""),
        (a_folder_that_others_can_enter, "is open to others"),
        (all_spares_at_work, ""),
        (changed_code, ""),
        (removed_code, ""),
        (a_variable_that_is_read_at_start, "PYTHONHASHSEED"),
        (another_package_of_that_name, "would import relance from"),
        (a_spare_that_dies_as_it_takes_the_run_on, "died before the run began"),
        (spares_that_die_while_they_warm_up, ""),
    ],
)
def test_a_run_no_spare_can_take_is_run_once_in_an_interpreter_of_its_own(
    desk: Desk, trouble: Callable[[Desk], None], told: str
) -> None:
    trouble(desk)
    out, err, status = desk.done(ONCE + "print(sys.stdin.read()); sys.exit(5)")
    assert (out, desk.ran(), status) == ("typed\n", ["direct"], 5)
    assert told in err if told else not err


def test_runs_that_come_at_once_are_each_run_once(desk: Desk) -> None:
    desk.keep("--spares", "2", "--delay", "0", ready=2)
    runs = [desk.run(ONCE) for _ in range(8)]
    assert [run.wait(30) for run in runs] == [0] * 8
    assert len(desk.ran()) == 8
    assert "warm" in desk.ran()


def test_a_signal_before_the_run_has_begun_is_not_lost_where_no_spare_takes_it(desk: Desk) -> None:
    (desk.folder / "sabotage.py").write_text(
        "import sys, time; sys.modules['__main__'].take_on = lambda *_: (print(flush=True), time.sleep(1), 1 / 0)"
    )
    desk.keep(modules=["sabotage"])
    run = desk.run(ONCE)
    assert run.stdout.readline()
    run.terminate()
    assert run.wait(10) == -signal.SIGTERM
    assert not (desk.folder / "ran").exists()


def test_spares_follow_the_code(desk: Desk) -> None:
    desk.keep("--look", "0.2")
    (desk.code / "module.py").write_text("1 + 1")
    desk.until(lambda: len(desk.warm()) == 2)
    assert desk.done(ONCE)[2] == 0
    assert desk.ran() == ["warm"]
    assert not alive(desk.warm()[0])


SETTING = [
    ({}, "warm"), ({"SET": "by the import"}, "warm"), ({"SET": "by the run"}, "direct"), ({"UNSET": "x"}, "direct"),
]  # fmt: skip
SET_BY_IMPORT = "import os; os.environ.setdefault('SET', 'by the import'); os.environ.pop('UNSET', None)"


@pytest.mark.parametrize(("given", "how"), SETTING)
def test_what_imports_do_to_the_environment_they_have_done_to_the_run_s(
    desk: Desk, given: dict[str, str], how: str
) -> None:
    (desk.folder / "sets.py").write_text(SET_BY_IMPORT)
    desk.environment |= {"UNSET": "here"}
    desk.keep(modules=["sets"])
    program = ONCE + "import os, sets; print(os.environ.get('SET'), os.environ.get('UNSET'))"
    out, _, _ = desk.done(program, **given)
    assert (out, desk.ran()) == (f"{given.get('SET', 'by the import')} None\n", [how])


def test_a_module_that_cannot_be_imported_is_told_and_keeps_nobody_from_running(desk: Desk) -> None:
    desk.keep(modules=["there_is_none", "json"])
    assert desk.done(ONCE)[2] == 0
    assert desk.ran() == ["warm"]
    assert "importing there_is_none: ModuleNotFoundError" in desk.log.read_text()


def test_a_keeper_that_is_asked_to_stop_lets_runs_end(desk: Desk) -> None:
    keeper = desk.keep("--delay", "0")
    run = desk.run(WARM + "print(warm, flush=True); sys.stdin.read(); sys.exit(6)")
    assert run.stdout.readline() == "True\n"
    desk.until(lambda: len(desk.warm()) == 2)
    keeper.terminate()
    desk.until(lambda: not alive(desk.warm()[1]))
    assert not desk.socket.exists()
    assert keeper.poll() is None
    run.stdin.close()
    assert run.wait(10) == 6
    assert keeper.wait(10) == 0


def test_there_is_one_keeper_for_a_socket(desk: Desk) -> None:
    desk.keep()
    second = subprocess.run([sys.executable, "-m", "relance_operate.warm", "keep", "--socket", desk.socket], cwd=desk.folder,
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert second.returncode == 1
    assert "another keeper" in second.stderr
    assert desk.done(ONCE)[2] == 0
    assert desk.ran() == ["warm"]


@pytest.mark.parametrize("path", ["open/socket", "x" * 120])
def test_a_place_for_a_socket_that_will_not_do_is_refused(desk: Desk, path: str) -> None:
    (desk.socket.parents[1] / "open").mkdir(mode=0o755)
    refused = subprocess.run([sys.executable, "-m", "relance_operate.warm", "keep", "--socket", desk.socket.parents[1] / path],
                             capture_output=True, text=True, check=False, timeout=30)  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.startswith("relance_operate.warm: ")
    assert (desk.socket.parents[1] / "open").stat().st_mode & 0o777 == 0o755


SETTINGS = (
    WARM
    + """
import json, logging
from prefect import flow  # sets logging up
from prefect.settings import get_current_settings, PREFECT_API_URL
from prefect.context import get_settings_context
settings = get_current_settings()
def handlers(logger): return [(type(each).__name__, each.level, type(each.formatter).__name__) for each in logger.handlers]
print(json.dumps({
    "warm": warm, "url": PREFECT_API_URL.value(), "home": str(settings.home), "heartbeat": settings.flows.heartbeat_frequency,
    "profile": get_settings_context().profile.name, "settings": settings.model_dump(mode="json"),
    "loggers": {name: [logging.getLogger(name).level, logging.getLogger(name).propagate, handlers(logging.getLogger(name))]
                for name in ("", "prefect", "prefect.flow_runs", "prefect.extra", "mine", "theirs")},
}, default=str))
"""
)


def test_prefect_has_the_settings_and_the_logging_of_the_run(desk: Desk) -> None:
    spare = {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_LOGGING_LEVEL": "ERROR",
             "PREFECT_LOGGING_EXTRA_LOGGERS": "mine,theirs", "PREFECT_HOME": str(desk.folder / "a")}  # fmt: skip
    run = {"PREFECT_API_URL": "http://127.0.0.1:2/api", "PREFECT_LOGGING_LEVEL": "DEBUG",
           "PREFECT_LOGGING_EXTRA_LOGGERS": "mine", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "31",
           "PREFECT_HOME": str(desk.folder / "b")}  # fmt: skip
    direct = desk.run(SETTINGS, warm=False, **run)  # beside the keeper: importing Prefect takes seconds
    desk.keep(modules=["prefect.main"], environment=spare)
    found = [json.loads(out) for out in (direct.communicate()[0], desk.done(SETTINGS, **run)[0])]
    assert [each.pop("warm") for each in found] == [False, True]
    assert found[0] == found[1]
    assert found[1]["url"] == run["PREFECT_API_URL"]
    assert found[1]["loggers"]["prefect"][0] == 10


def test_settings_that_decorators_have_read_are_those_of_the_run_or_there_is_no_spare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.context import refresh_global_settings_context  # noqa: TID251  # of the flows' processes

    from relance_operate.warm_spare import RefusedError, refresh_prefect

    refresh_global_settings_context()  # flow tests in this process may have left others
    monkeypatch.setenv("PREFECT_TASKS_DEFAULT_RETRIES", "3")
    try:
        with pytest.raises(RefusedError, match="settings of flows and tasks"):
            refresh_prefect()
    finally:
        monkeypatch.undo()
        refresh_global_settings_context()
