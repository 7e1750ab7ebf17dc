"""Commands that run relance: bring everything up, deploy indexes, tell about changes."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from cyclopts import Parameter

from relance.cli.ending import catching
from relance.cli.operations import operations
from relance.cli.options import DONE, FAILED, HERE, AsJson, Host, Port, Specs
from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError, InputError, RelanceError

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.events.change import Change

__all__ = ["deploy", "emit", "exporter", "up", "watch", "webhook"]

_LONGEST_S = 7 * 24 * 3600


def up(
    specs: Specs = [],  # noqa: B006  # never changed
    *,
    check: Annotated[bool, Parameter(negative="")] = False,
    bootstrap_only: Annotated[bool, Parameter(negative="")] = False,
    port: int = 0,
    notify: str = "",
    pool_type: str = "relance",
) -> int:
    """Start Prefect on this machine: server, work pool, limits, blocks, automations, deployments, worker.

    What is running already is used, and left running by Ctrl-C.

    Parameters
    ----------
    check
        Only say what is missing; exit code 1 if anything is.
    bootstrap_only
        Prepare the server that PREFECT_API_URL names and register the deployments, start nothing, and end.
    port
        Port of a server that has to be started; 4200 by default.
    notify
        Notification block for failed and late runs, as type/name, e.g. slack-webhook/team.
    pool_type
        Type of a work pool that has to be made: relance, process, docker or kubernetes.
    """
    from relance.config.load import FILE_NAMES, find_file

    if not specs and any((HERE / name).is_file() for name in FILE_NAMES):
        specs = [HERE]
    for path in specs:
        find_file(path)  # a mistyped one is said before a server is started
    terminal = Terminal()
    if not check:
        terminal.say("loading   Prefect, which takes some seconds")
    module = operations("up")
    if check:
        lacking = module.check()
        for each in lacking:
            terminal.say(f"missing   {each}")
        terminal.say("everything is up" if not lacking else "`relance up` brings it up")
        return FAILED if lacking else DONE
    brought: Any = module.Up(say=terminal.say)
    with _stopping(brought.stopped), contextlib.ExitStack() as exits:
        exits.callback(brought.down)
        if bootstrap_only:
            _use_server()
            operations("api").reach()
        brought.server(port)
        brought.bootstrap(notify=notify, pool_type=pool_type)
        brought.deployments(specs)
        if bootstrap_only:
            return DONE
        brought.worker()
        page = brought.address.removesuffix("/api")
        named = "the one of your index" if specs else "`ingest` with the path of an index file"
        terminal.say(f"\nopen      {page}/v2/deployments   and run {named}")
        terminal.say("          in other terminals:  relance deploy SPEC   gives an index its schedule and its trigger")
        terminal.say("                               relance watch SPEC    reindexes what you save")
        terminal.say("Ctrl-C    stops what was started here")
        brought.stay()
    return DONE


def deploy(
    specs: Specs = [],  # noqa: B006  # never changed
    *,
    all_below: Annotated[Path | None, Parameter(name="--all")] = None,
    remove: str = "",
    json: AsJson = False,
) -> int:
    """Register an index with Prefect: manual runs, its schedule, and runs when its sources change.

    Parameters
    ----------
    all_below
        A folder: every index file below it.
    remove
        Name of an index to take the deployments of away; its tables stay.
    """
    import asyncio

    terminal = Terminal(as_json=json)
    paths = list(specs) + (_specs_below(all_below) if all_below else [])
    if paths and remove:
        raise InputError("--remove takes the name of an index and no index files; leave one of the two out")
    if not paths and not remove:
        paths = [HERE]
    _use_server()
    operations("api").reach()
    module = operations("deployments")
    done, wrong = [asyncio.run(module.remove(remove))] if remove else [], []
    for path in paths:
        try:
            done.append(asyncio.run(module.deploy(path)))
        except ConfigurationError as error:  # the others are deployed all the same
            wrong.append(str(error))
    if json:
        terminal.json({"indexes": done})
    for each in [] if json else done:
        for name, what in each["deployments"].items():
            terminal.say(f"{what:8}{name}")
        if each.get("schedule"):
            terminal.say(f"        runs {each['schedule']}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return DONE


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
    from relance.config.load import load_spec
    from relance.events.watch import watch as watch_index

    terminal, declared = Terminal(), {path: load_spec(path) for path in specs or [HERE]}
    if every and not 1 <= every <= _LONGEST_S:
        msg = f"--every {every:g} is no time to wait: name a number of seconds from 1 to {_LONGEST_S}"
        raise InputError(msg)
    if debounce is None:
        debounce = 0.3 if ingest else 1.0  # a run here is cheap, and takes what comes meanwhile with the next one
    failed: list[BaseException] = []
    with contextlib.ExitStack() as exits:
        taking = exits.enter_context(_running(declared, terminal) if ingest else _telling(declared, terminal))
        stop = exits.enter_context(_stopping(threading.Event(), *(each.end for each in taking)))
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


def emit(spec: str = ".", *, changed: list[str] | None = None, removed: list[str] | None = None, source: str = "",
         json: AsJson = False) -> int:  # fmt: skip
    """Report changed documents to Prefect, from a script or CI; without names, every document is checked.

    Where the spec is on this machine, documents that neither its sources nor the index have are refused.

    Parameters
    ----------
    spec
        The index file, or the folder with an index.yaml; or the name of an index that is deployed from elsewhere.
    changed
        Uris of documents that are new or different, e.g. docs/a.md.
    removed
        Uris of documents that are gone.
    source
        Where it happened, for people.
    """
    from relance.config.load import load_spec
    from relance.events.change import Change
    from relance.events.events_api import EventsApi
    from relance.pipeline.named_documents import check_named

    path = Path(spec).expanduser()
    _use_server()
    with EventsApi(timeout_s=60.0) as api:  # a server on SQLite may answer a burst of events after a minute
        place = api.spec_of(spec) if Path(spec).name == spec else None
        declared, why = None, "is not on this machine"
        try:
            declared = load_spec(place or path) if Path(place or path).exists() else None
        except ConfigurationError as error:
            if place is None:
                raise
            why = f"cannot be read here ({error})"
        index = declared.name if declared is not None and place is None else spec
        own = api.is_deployed(index)
        if declared is None and place is None and not own:
            raise InputError(_no_index(spec, api.indexes()))
        if declared is not None:
            check_named(declared, changed or (), gone=removed or ())
        # Without a deployment of its own, the flow has to find the spec, wherever it runs: by its whole path.
        target = index if own or place else str(path.absolute())
        change = Change(target, source, tuple(changed or ()), tuple(removed or ()), everything=not (changed or removed))
        api.emit(change)
    terminal = Terminal(as_json=json)
    if json:
        terminal.json({"index": index, "change": str(change), "deployed": own, "checked": declared is not None})
    else:
        terminal.say(f"sent  {change}")
        if declared is None and (changed or removed):
            terminal.note(f"the spec of {index} {why}, so the names were not checked")
        if not own:
            terminal.note(f"{index} has no deployment of its own; `ingest-on-change` looks for it by name or path")
    return DONE


def _no_index(index: str, deployed: Sequence[str]) -> str:
    close = get_close_matches(index, deployed, 1, 0.6)
    there = f"deployed are {', '.join(deployed)}" if deployed else "none is deployed"
    hint = f"did you mean {close[0]!r}?" if close else f"{there}; `relance deploy SPEC` registers one"
    return f"there is no index {index!r}, and no spec at that path: {hint}"


def webhook(
    specs: Specs = [],  # noqa: B006  # never changed
    *,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    metrics_port: int | None = None,
    metrics_host: str = "127.0.0.1",
    show_secrets: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Receive notifications over HTTP and tell Prefect: S3 and MinIO, Alibaba OSS, GitHub pushes, plain JSON.

    Senders prove themselves by secrets derived from RELANCE_WEBHOOK_SECRET, one for each route. /metrics is served
    where RELANCE_METRICS_TOKEN is set, to who sends it.

    Parameters
    ----------
    metrics_port
        Another port to serve the state of the indexes to Prometheus.
    metrics_host
        Address for it.
    show_secrets
        Print the secret of each route, for its senders, and end.
    """
    from relance.config.load import load_spec
    from relance.config.settings import read_settings
    from relance.events.events_api import EventsApi
    from relance.events.receiver import KINDS, receiver
    from relance.events.serve import serve_receiver
    from relance.events.settings import read_webhook_secrets
    from relance.store.readings import TableReader
    from relance.telemetry.exporter import metrics_routes
    from relance.telemetry.serve import serving_metrics

    terminal = Terminal()
    declared = {spec.name: spec for spec in map(load_spec, specs or [HERE])}
    secrets, token = read_webhook_secrets(), read_settings().metrics_token
    if show_secrets:
        for kind, name in itertools.product(KINDS, declared):
            terminal.say(f"/{kind}/{name}  {secrets.of(kind, name).newest}")
        return DONE
    _use_server()

    def ready(address: str) -> None:
        for name in declared:
            terminal.say(f"POST {address}/{{generic,s3,oss,github}}/{name}")

    with EventsApi() as api, contextlib.ExitStack() as exits:
        for name in declared:
            if not api.is_deployed(name):
                terminal.note(f"{name} is not deployed yet; until `relance deploy` its changes set off nothing useful")
        readers = [TableReader(spec) for spec in declared.values()]
        if metrics_port is not None:
            page = serving_metrics(readers, metrics_host, metrics_port, token=token)
            terminal.say(f"metrics at {exits.enter_context(page)}")
        routes = metrics_routes(readers, token) if token.get_secret_value() else []
        app = receiver(declared, secrets, api.emit, routes=routes)
        serve_receiver(app, host, port, ready=ready)
    return DONE


def exporter(specs: Specs = [], *, host: Host = "127.0.0.1", port: Port = 9464) -> int:  # noqa: B006  # never changed
    """Serve metrics of indexes to Prometheus at /metrics; if RELANCE_METRICS_TOKEN is set, only with that token."""
    from relance.config.load import load_spec
    from relance.config.settings import read_settings
    from relance.store.readings import TableReader
    from relance.telemetry.serve import serve_metrics

    terminal = Terminal()
    readers, token = [TableReader(load_spec(path)) for path in specs or [HERE]], read_settings().metrics_token
    serve_metrics(readers, host, port, ready=terminal.say, token=token)
    return DONE


def _specs_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    found = sorted(path for name in ("index.yaml", "index.yml") for path in folder.rglob(name))
    if not found:
        raise InputError(f"no index.yaml is below {folder}")
    return found


def _use_server() -> None:
    """Talk to the server that is configured or listens on this machine; ConfigurationError if there is none."""
    os.environ["PREFECT_API_URL"] = operations("api").find_api()


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

    _use_server()
    with EventsApi() as api:
        for path, spec in declared.items():
            if not api.is_deployed(spec.name):
                msg = f"index {spec.name!r} is not deployed, so nothing would listen; first: relance deploy {path}"
                raise ConfigurationError(msg)
        yield [_Teller(api.emit, terminal.say) for _ in declared]


@contextlib.contextmanager
def _running(declared: Mapping[Path, IndexSpec], terminal: Terminal) -> Generator[Sequence[_Taker]]:
    from relance.cli.live_runs import LiveRuns

    with contextlib.ExitStack() as exits:
        yield [exits.enter_context(LiveRuns(path, spec, terminal)) for path, spec in declared.items()]


@contextlib.contextmanager
def _stopping(stopped: threading.Event, *calls: Callable[[], None]) -> Generator[threading.Event]:
    """Set an event at a signal, and call what is given, instead of ending at once."""

    def stop(_: int) -> None:
        stopped.set()
        for call in calls:
            call()

    with catching(stop):
        yield stopped
