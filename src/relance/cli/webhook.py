"""Receiving notifications over HTTP, and what becomes of them: Prefect gets an event, or this process indexes."""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from relance.cli.ending import catching, interrupting
from relance.cli.operations import use_server
from relance.cli.options import DONE, Host, Port, Specs, named
from relance.cli.terminal import Terminal

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.events.change import Change

__all__ = ["webhook"]


def webhook(
    specs: Specs = [],  # noqa: B006  # never changed
    *,
    ingest: Annotated[bool, Parameter(negative="")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    metrics_port: int | None = None,
    metrics_host: str = "127.0.0.1",
    show_secrets: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Receive notifications over HTTP, and reindex what they name: through Prefect, or in this process.

    Senders prove themselves by secrets derived from RELANCE_WEBHOOK_SECRET, one for each route. /metrics is served
    where RELANCE_METRICS_TOKEN is set, to who sends it.

    Parameters
    ----------
    ingest
        Run in this process: as a flow where a Prefect server is configured, without Prefect where none is.
    metrics_port
        Another port to serve the state of the indexes to Prometheus.
    metrics_host
        Address for it.
    show_secrets
        Print the secret of each route, for its senders, and end.
    """
    from relance.config.load import load_spec
    from relance.config.settings import read_settings
    from relance.events.receiver import KINDS, Limits, receiver
    from relance.events.serve import serve_receiver
    from relance.events.settings import read_webhook_secrets
    from relance.store.readings import TableReader
    from relance.telemetry.exporter import metrics_routes
    from relance.telemetry.serve import serving_metrics

    terminal, declared = Terminal(), {path: load_spec(path) for path in named(specs)}
    by_name = {spec.name: spec for spec in declared.values()}
    secrets, token = read_webhook_secrets(), read_settings().metrics_token
    if show_secrets:
        for kind, name in itertools.product(KINDS, by_name):
            terminal.say(f"/{kind}/{name}  {secrets.of(kind, name).newest}")
        return DONE
    with contextlib.ExitStack() as exits:
        emit, begin = exits.enter_context(_running(declared, terminal) if ingest else _telling(by_name, terminal))
        readers = [TableReader(spec) for spec in by_name.values()]
        if metrics_port is not None:
            page = serving_metrics(readers, metrics_host, metrics_port, token=token)
            terminal.say(f"metrics at {exits.enter_context(page)}")
        routes = metrics_routes(readers, token) if token.get_secret_value() else []
        limits = Limits(gather_s=_GATHER_S) if ingest else Limits()

        def ready(address: str) -> None:
            for name in by_name:
                terminal.say(f"POST {address}/{{{','.join(KINDS)}}}/{name}")
            terminal.say("secrets of these addresses: the same command with --show-secrets; Ctrl-C ends it")
            begin()

        serve_receiver(receiver(by_name, secrets, emit, limits=limits, routes=routes), host, port, ready=ready)
    return DONE


# A run here is cheap, and takes what comes meanwhile with the next one.
_GATHER_S = 0.3

# Takes a change, and what begins to work once the receiver listens.
_Taking = tuple["Callable[[Change], object]", "Callable[[], object]"]


@contextlib.contextmanager
def _telling(declared: Mapping[str, IndexSpec], terminal: Terminal) -> Generator[_Taking]:
    from relance.events.events_api import EventsApi

    use_server()
    with EventsApi() as api, interrupting():
        for name in declared:
            if not api.is_deployed(name):
                terminal.note(f"{name} is not deployed yet; until `relance deploy` its changes set off nothing useful")
        yield api.emit, lambda: None


@contextlib.contextmanager
def _running(declared: Mapping[Path, IndexSpec], terminal: Terminal) -> Generator[_Taking]:
    """Index in this process, from when the receiver listens until it ends."""
    from relance.cli.live_runs import live_runs
    from relance.events.courier import Courier

    with live_runs(declared, terminal) as runs, contextlib.ExitStack() as exits:
        couriers = {spec.name: Courier(spec.name, each.take)
                    for spec, each in zip(declared.values(), runs, strict=True)}  # fmt: skip

        def end() -> None:
            for each in runs:
                each.end()

        def heard(number: int) -> None:
            end()
            if number not in {signal.SIGINT, signal.SIGTERM}:  # the server knows these two, and has ended
                signal.raise_signal(signal.SIGTERM)

        def begin() -> None:
            for courier in couriers.values():
                exits.enter_context(courier)
            exits.callback(end)  # called first: the couriers wait for the runs under way

        with catching(heard):
            yield lambda change: couriers[change.index].add(change), begin
