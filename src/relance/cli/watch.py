"""Following what changes: sources are watched and listened to, and Prefect is informed, or this process runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from cyclopts import Parameter

from relance.cli.ending import stopping
from relance.cli.operations import use_server
from relance.cli.options import DONE, Specs, named
from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError, InputError, RelanceError

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.events.change import Change

__all__ = ["watch"]

_LONGEST_S = 7 * 24 * 3600


def watch(specs: Specs = [], *, ingest: Annotated[bool, Parameter(negative="")] = False,  # noqa: B006  # never changed
          debounce: float | None = None, every: float = 0.0, metrics_port: int | None = None) -> int:  # fmt: skip
    """Watch the sources of indexes until Ctrl-C, and reindex what changes: through Prefect, or in this process.

    Parameters
    ----------
    ingest
        Run in this process: as a flow where a Prefect server is configured, without Prefect where none is.
    debounce
        Seconds of quiet that end a burst of changes; by default 1, with --ingest 0.3.
    every
        Seconds between looks at sources that cannot be watched, such as buckets: they are listed, and where something
        is new, changed or gone, all are looked at.
    metrics_port
        Port on 127.0.0.1 to serve the state of the indexes to Prometheus.
    """
    from relance.cli.live_runs import live_runs
    from relance.config.load import load_spec
    from relance.events.watch import watch as watch_index

    terminal, declared = Terminal(), {path: load_spec(path) for path in named(specs)}
    if every and not 1 <= every <= _LONGEST_S:
        msg = f"--every {every:g} is no time to wait: name a number of seconds from 1 to {_LONGEST_S}"
        raise InputError(msg)
    if debounce is None:
        debounce = 0.3 if ingest else 1.0  # a run here is cheap, and takes what comes meanwhile with the next one
    failed: list[BaseException] = []
    with contextlib.ExitStack() as exits:
        taking = exits.enter_context(live_runs(declared, terminal) if ingest else _telling(declared, terminal))
        stop = exits.enter_context(stopping(threading.Event(), *(each.end for each in taking)))
        if metrics_port is not None:
            from relance.config.settings import read_settings
            from relance.store.readings import TableReader
            from relance.telemetry.serve import serving_metrics

            readers, token = map(TableReader, declared.values()), read_settings().metrics_token
            terminal.say(f"metrics at {exits.enter_context(serving_metrics(readers, port=metrics_port, token=token))}")

        def keep_watching(spec: IndexSpec, taker: _Taker) -> None:
            try:
                watch_index(spec, taker.take, stop=stop, debounce_s=debounce, every_s=every)
            except RelanceError as error:
                failed.append(error)
                stop.set()

        threads = [threading.Thread(target=keep_watching, args=each, name=f"watch {each[0].name}")
                   for each in zip(declared.values(), taking, strict=True)]  # fmt: skip
        for thread in threads:
            thread.start()
        terminal.say(f"watching {', '.join(spec.name for spec in declared.values())}; Ctrl-C ends it")
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    return DONE


class _Taker(Protocol):
    """Takes the changes of an index; `end` comes with Ctrl-C."""

    def take(self, change: Change) -> None: ...
    def end(self) -> None: ...


@dataclass(slots=True)
class _Teller:
    """Tells Prefect of the changes."""

    emit: Callable[[Change], object]
    say: Callable[[str], None]

    def take(self, change: Change) -> None:
        self.emit(change)
        self.say(f"{change}")

    def end(self) -> None:
        """Do nothing, since nothing is left to be sent: `take` sends each change at once."""


@contextlib.contextmanager
def _telling(declared: Mapping[Path, IndexSpec], terminal: Terminal) -> Generator[Sequence[_Taker]]:
    from relance.events.events_api import EventsApi

    use_server()
    with EventsApi() as api:
        for path, spec in declared.items():
            if not api.is_deployed(spec.name):
                msg = f"index {spec.name!r} is not deployed, so nothing would listen; first: relance deploy {path}"
                raise ConfigurationError(msg)
        yield [_Teller(api.emit, terminal.say) for _ in declared]
