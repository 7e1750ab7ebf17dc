"""A spare: an interpreter that imports what a flow run needs, waits for one, becomes it, and ends with it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from importlib.abc import InspectLoader
from importlib.machinery import PathFinder
from io import TextIOWrapper
from pathlib import Path
from types import CodeType
from typing import Any

from relance_operate.warm import say

__all__ = ["RefusedError", "main", "refresh_prefect", "take_on"]

# Read once, while an interpreter starts or a library is imported: a run that has others needs its own interpreter.
READ_AT_START = (
    "PYTHON", "LD_", "DYLD_", "LANG", "LC_", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "RAYON_", "TOKIO_", "RUST_",
    "LANCE_", "ARROW_", "OTEL_PYTHON_", "OTEL_PROPAGATORS",
)  # fmt: skip
OURS = ("flows", "tasks", "infra", "relance")
NICE = 10
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


class RefusedError(Exception):
    """A run that cannot be exactly what it would be in an interpreter of its own."""


def main(channel: int, modules: list[str]) -> None:
    """Import, wait, and run what comes as `python -m` would."""
    control = socket.socket(fileno=channel)
    control.set_inheritable(False)
    if sys.platform == "linux":  # at once, even from within a call that lets no thread of Python's run
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    before = dict(os.environ)
    _import(modules)
    said = b""
    with contextlib.suppress(OSError):
        control.send(b"R")
        said, fds, *_ = socket.recv_fds(control, 1, 4)
    if not said:
        os._exit(0)  # the keeper has ended
    threading.Thread(target=_end_with, args=[control], name="relance-keeper", daemon=True).start()
    try:
        for standard, given in enumerate(fds[1:]):
            os.dup2(given, standard)
            os.close(given)
        with os.fdopen(fds[0], "rb") as file:
            job = json.load(file)
        take_on(job, before)
        program = _program(job["module"])
    except Exception as error:  # nothing has begun: the client starts an interpreter, whatever the reason
        reason = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
        control.send(b"N" + " ".join(reason.split()).encode(errors="replace")[:1000])
        os._exit(0)
    control.send(b"S")
    exec(program, sys.modules["__main__"].__dict__)  # noqa: S102  # what `python -m` does


def take_on(job: dict[str, Any], before: dict[str, str]) -> None:
    """Become what the client is: environment, folder, import path, settings; RefusedError if that cannot be.

    `before` is the environment before the imports: what they have set, they would have set for the run as well.
    """
    environment: dict[str, str] = job["environment"]
    imported = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
    if job["executable"] != sys.executable:
        raise RefusedError(f"the run is of {job['executable']}, the warm interpreter is {sys.executable}")
    for name in sorted(environment.keys() | before.keys() | imported):
        at_start = name.startswith(READ_AT_START) or name in imported
        if at_start and environment.get(name) not in {before.get(name), os.environ.get(name)}:
            raise RefusedError(f"{name} is not what the warm interpreter was started with")
    os.chdir(job["directory"])
    os.umask(job["umask"])
    sys.path[:] = job["path"]
    importlib.invalidate_caches()
    for name in OURS:
        _same_place(name)
    kept = {name: os.environ.get(name) for name in imported}
    os.environ.clear()
    os.environ.update(environment)
    for name, value in kept.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    time.tzset()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))  # a terminal's; standard error always is
    if "prefect" in sys.modules:
        refresh_prefect()


def _program(name: str) -> CodeType:
    """Put a module in the place of the program, as new: it may have been imported as a library."""
    spec = importlib.util.find_spec(name)
    if spec is None or not isinstance(spec.loader, InspectLoader):
        raise RefusedError(f"there is no module {name}")
    code = spec.loader.get_code(name)
    if code is None:
        raise RefusedError(f"{name} has no code")
    program = importlib.util.module_from_spec(spec)
    program.__name__ = "__main__"
    sys.modules["__main__"] = program
    sys.argv = [str(spec.origin)]
    return code


def refresh_prefect() -> None:
    """Read Prefect's settings again, and set its logging up by them."""
    from prefect import context
    from prefect.logging import configuration
    from prefect.settings import get_current_settings

    before = get_current_settings()
    for name in before.logging.extra_loggers or ():
        logging.getLogger(name).handlers.clear()
    context.refresh_global_settings_context()
    after = get_current_settings()
    # Decorators have put these into the flows and tasks that are imported already.
    if before.tasks != after.tasks or _decorated(before.flows) != _decorated(after.flows):
        raise RefusedError("Prefect's settings of flows and tasks are not those the warm interpreter was started with")
    configuration.PROCESS_LOGGING_CONFIG.clear()
    configuration.setup_logging(incremental=False)


def _decorated(flows: Any) -> dict[str, Any]:
    return flows.model_dump(exclude={"heartbeat_frequency"})  # read by the run


def _same_place(name: str) -> None:
    """Refuse if the run would import another package of this name than is imported."""
    module = sys.modules.get(name)
    if module is None or not module.__file__:
        return
    spec = PathFinder.find_spec(name)
    there = spec.origin if spec else None
    if there is None or not Path(there).samefile(module.__file__):
        raise RefusedError(f"the run would import {name} from {there}, the warm interpreter has {module.__file__}")


def _import(modules: list[str]) -> None:
    """Import, letting others go first where that can be undone afterwards."""
    quiet = _can_return()
    if quiet:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # the run that needs it will say so where people look
            say(f"importing {name}: {type(error).__name__}: {error}")
    if quiet:
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def _can_return() -> bool:
    """Whether this user may become less nice again; tried in a thread that ends, for Linux has a niceness for each."""
    if not sys.platform.startswith("linux") or os.getpriority(os.PRIO_PROCESS, 0):
        return False
    can = []

    def attempt() -> None:
        try:
            for niceness in (1, 0):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
        except PermissionError:
            return
        can.append(True)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return bool(can)


def _end_with(control: socket.socket) -> None:
    """End when the keeper has: nobody could tell the worker how the run ends."""
    while control.recv(1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
