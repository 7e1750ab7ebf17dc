"""Commands that run relance: bring everything up, deploy indexes, tell about changes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from relance.cli.ending import interrupting, stopping
from relance.cli.operations import operations, use_server
from relance.cli.options import DONE, FAILED, HERE, AsJson, Host, Port, Specs, named
from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError, InputError

__all__ = ["deploy", "emit", "exporter", "up"]

UpPort = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))]


def up(
    specs: Specs = [],  # noqa: B006  # never changed
    *,
    check: Annotated[bool, Parameter(negative="")] = False,
    bootstrap_only: Annotated[bool, Parameter(negative="")] = False,
    port: UpPort = 0,
    notify: str = "",
    pool_type: str = "relance",
    indexes: Path | None = None,
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
    indexes
        Folder on the worker's machine for the specs that the flow `new-index` writes, a folder for each.
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
    with stopping(brought.stopped), contextlib.ExitStack() as exits:
        exits.callback(brought.down)
        if bootstrap_only:
            use_server()
            operations("api").reach()
        brought.server(port)
        brought.bootstrap(notify=notify, pool_type=pool_type, indexes=indexes)
        brought.deployments(specs)
        if bootstrap_only:
            return DONE
        brought.worker()
        page = brought.address.removesuffix("/api")
        which = "the one of your index" if specs else "`ingest` with the path of an index file"
        terminal.say(f"\nopen      {page}/v2/deployments   and run {which}")
        elsewhere = (
            [f"export PREFECT_API_URL={brought.address}"] if brought.address != operations("api").LOCAL_API else []
        )
        elsewhere += ["relance deploy SPEC   gives an index its schedule and its trigger",
                      "relance watch SPEC    reindexes what you save"]  # fmt: skip
        for label, line in zip_longest(["          in other terminals:  "], elsewhere, fillvalue=" " * 31):
            terminal.say(f"{label}{line}")
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

    from relance.config.load import find_file

    terminal = Terminal(as_json=json)
    paths = list(specs) + (_specs_below(all_below) if all_below else [])
    if paths and remove:
        raise InputError("--remove takes the name of an index and no index files; leave one of the two out")
    if not paths and not remove:
        paths = [HERE]
    if len(paths) == 1:  # of several the others are deployed all the same
        find_file(paths[0])  # a mistyped one is said before Prefect is loaded
    use_server()
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
        if each.get("note"):
            terminal.note(each["note"])
    if wrong:
        raise ConfigurationError("\n".join(wrong))
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
    use_server()
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


def exporter(specs: Specs = [], *, host: Host = "127.0.0.1", port: Port = 9464) -> int:  # noqa: B006  # never changed
    """Serve metrics of indexes to Prometheus at /metrics; if RELANCE_METRICS_TOKEN is set, only with that token."""
    from relance.config.load import load_spec
    from relance.config.settings import read_settings
    from relance.store.readings import TableReader
    from relance.telemetry.serve import serve_metrics

    terminal = Terminal()
    readers, token = [TableReader(load_spec(path)) for path in named(specs)], read_settings().metrics_token

    def ready(address: str) -> None:
        terminal.say(f"GET {address}/metrics{'   with RELANCE_METRICS_TOKEN' if token.get_secret_value() else ''}")
        terminal.say("Ctrl-C ends it")

    with interrupting():
        serve_metrics(readers, host, port, ready=ready, token=token)
    return DONE


def _specs_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    found = sorted(path for name in ("index.yaml", "index.yml") for path in folder.rglob(name))
    if not found:
        raise InputError(f"no index.yaml is below {folder}")
    return found
