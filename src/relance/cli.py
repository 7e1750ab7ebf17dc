"""The command line.

Exit codes: 0 done, 1 failed or stopped, 2 wrong usage or spec, 3 finished with failures.
"""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from relance import __version__
from relance.control import Control
from relance.emulator.config import VectorsBy
from relance.errors import ApprovalNeededError, ConfigurationError, InputError, RelanceError
from relance.operate import DONE, FAILED, AsJson, Host, Port, add_commands
from relance.telemetry.start import start_telemetry
from relance.terminal import Terminal

__all__ = ["main"]

_WELCOME = """\
# Welcome

This document was written by `relance init`, so that there is something to find. Put your own documents beside it.
"""

USAGE, WITH_FAILURES = 2, 3

app = App(
    name="relance",
    help="Keep a LanceDB index in step with its sources.",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it would exit without a word; main says what became of the run
)

Spec = Annotated[Path, Parameter(help="The index file, or the folder with an index.yaml.")]
SearchMode = Literal["hybrid", "vector", "text", "sparse"]


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; a user's mistake is one message, never a traceback."""
    terminal = Terminal()
    logging.getLogger("stamina").setLevel(logging.ERROR)  # it would write a line for each request that is tried again
    try:
        start_telemetry()
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        terminal.problem(f"{error}\nsee `relance --help`")
        code = USAGE
    except (ConfigurationError, InputError) as error:
        terminal.problem(str(error))
        code = USAGE
    except RelanceError as error:
        terminal.problem(str(error))
        code = FAILED
    except KeyboardInterrupt:
        terminal.problem("interrupted; what was committed stays, run again to continue")
        code = FAILED
    except BrokenPipeError:
        code = FAILED
    except OSError as error:  # a full disk, a folder that may not be written
        if error.filename is None:
            raise
        terminal.problem(f"{error.filename}: {error.strerror}")
        code = FAILED
    sys.exit(code if isinstance(code, int) else DONE)


@app.command
def init(folder: Path = Path(), *, name: str = "", json: AsJson = False) -> int:
    """Write a commented index.yaml and its JSON Schema into a folder; an empty one gets a first document, too."""
    from relance.spec_file import SCHEMA_NAME, parse_spec, template

    target = folder / "index.yaml"
    if target.exists():
        msg = f"{target} is there already; remove it or name another folder"
        raise InputError(msg)
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; name a folder"
        raise InputError(msg)
    text = template(name or _name_of(folder))
    parse_spec(text, target, folder)  # refuses a name that no table can have
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        (folder / "docs").mkdir()
        (folder / "docs" / "welcome.md").write_text(_WELCOME, encoding="utf-8")
    target.write_text(text, encoding="utf-8")
    _write_schema(folder / SCHEMA_NAME)
    if json:
        Terminal(as_json=True).json({"spec": str(target), "schema": str(folder / SCHEMA_NAME)})
    else:
        Terminal().say(f"wrote {target}; edit its sources, then: relance ingest {target}")
    return DONE


@app.command
def schema(*, output: Path | None = None, json: AsJson = False) -> int:
    """Print the JSON Schema of index files, or write it to a file for an editor to complete from."""
    from relance.spec_file import json_schema

    if output is None:
        Terminal().json(json_schema())
    else:
        _write_schema(output)
        if json:
            Terminal(as_json=True).json({"schema": str(output)})
        else:
            Terminal().say(f"wrote {output}")
    return DONE


@app.command
def plan(spec: Spec, *, full: bool = False, only: list[str] | None = None, json: AsJson = False) -> int:
    """Tell what an ingest would do and cost, without doing it."""
    from relance.index import Index

    terminal = Terminal(as_json=json)
    made = Index(spec).plan(full=full, only=only or ()).as_dict()
    terminal.json(made) if json else terminal.plan(made)
    return WITH_FAILURES if made["failed"] or made.get("media", {}).get("failed") else DONE


@app.command
def ingest(spec: Spec, *, full: bool = False, only: list[str] | None = None, wait: float = 0.0, direct: bool = False,
           yes: Annotated[bool, Parameter(negative="")] = False, json: AsJson = False) -> int:  # fmt: skip
    """Bring the index in step with its sources.

    Parameters
    ----------
    full
        Read and write every document again; vectors are reused all the same.
    only
        Uris of documents to look at; the rest is left alone.
    wait
        Seconds to wait for another run on this index.
    direct
        Run in plain threads, without Prefect and its record of the run.
    yes
        Approve what the run costs and removes beyond `limits`, instead of being asked on the terminal.
    """
    from relance.spec_file import load_spec

    terminal, control = Terminal(as_json=json), Control()
    declared, documents = load_spec(spec), only or []

    def run(*, approved: bool) -> dict[str, Any]:
        from relance.index import Index

        index = Index(declared)
        with terminal.progress(declared.name, control), _ctrl_c(control, terminal):
            if not direct:
                return _through_prefect(
                    str(spec), full=full, only=documents, wait=wait, approved=approved, control=control
                )
            # What would go of the media is known late: the texts would be in step by then.
            if not approved and declared.media is not None:
                reasons = index.preview(full=full, only=documents, control=control).reasons
                if reasons:
                    raise ApprovalNeededError(declared.name, reasons)
            done = index.ingest(full=full, only=documents, wait_s=wait, approved=approved, control=control)
            return done.as_dict()

    try:
        report = run(approved=yes)
    except ApprovalNeededError as needed:
        from relance.index import Index

        if not terminal.asks():
            raise
        if not terminal.approve(needed.reasons, Index(declared).plan(full=full, only=documents).as_dict()):
            terminal.problem("not approved; nothing was changed")
            return FAILED
        report = run(approved=True)
    terminal.json(report) if json else terminal.report(report)
    if report["status"] == "stopped":
        terminal.note("stopped before the end; run again to continue")
        return FAILED
    return WITH_FAILURES if report["status"] == "completed with failures" else DONE


@app.command
def search(
    spec: Spec,
    query: str = "",
    *,
    image: str = "",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 5,
    mode: SearchMode = "hybrid",
    where: str | None = None,
    json: AsJson = False,
) -> int:
    """Find the chunks that answer a question, and the images and videos that fit it.

    Parameters
    ----------
    image
        Ask with a picture instead of words: a file or an address.
    k
        Hits to show, of texts and of media.
    mode
        By meaning (vector), by words (text), by weighted terms (sparse, where the index has them), or all of those
        with reciprocal rank fusion (hybrid).
    where
        SQL condition on columns, e.g. "media_type = 'text/markdown'" or "json_get_int(metadata, 'year') > 2020".
    """
    from relance.index import Index

    index, terminal = Index(spec), Terminal(as_json=json)
    if index.spec.media is None and not image:
        hits = [hit.as_dict() for hit in index.search(query, k=k, mode=mode, where=where)]
        terminal.json(hits) if json else terminal.hits(hits)
        return DONE
    texts, media = index.search_both(query, image=image, k=k, mode=mode, where=where)
    found = {"hits": [hit.as_dict() for hit in texts], "media": [hit.as_dict() for hit in media]}
    if json:
        terminal.json(found)
        return DONE
    if not image:
        terminal.hits(found["hits"])
    terminal.media_hits(found["media"])
    return DONE


@app.command
def emulator(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    vectors: VectorsBy = "local/wordllama",
    files: Path | None = None,
    limits: Literal["off", "published"] = "off",
    latency_ms: float = 0.0,
) -> int:
    """Serve a stand-in for DashScope on this machine, to try everything without a key.

    Parameters
    ----------
    vectors
        Local model the vectors are made by, or `hash` for quick ones without meaning.
    files
        Folder that is served below /files, for pictures and videos that are given by address.
    limits
        Whether requests over the published rates are refused, as the service does.
    latency_ms
        Milliseconds every request takes at least.
    """
    from relance.emulator.serve import EmulatorConfig, serve

    if files is not None and not files.is_dir():
        msg = f"{files} is not a folder"
        raise InputError(msg)
    config = EmulatorConfig(host=host, port=port, vectors=vectors, files=files, limits=limits, base_ms=latency_ms)
    terminal = Terminal()

    def ready(address: str) -> None:
        terminal.say(f"serving DashScope's protocol at {address}; in another terminal:")
        terminal.say(f"  export DASHSCOPE_BASE_URL={address}/api/v1")
        terminal.say("  relance ingest examples/gallery")

    serve(config, ready=ready)
    return DONE


@app.command
def status(spec: Spec, *, json: AsJson = False) -> int:
    """Describe the index as it is now."""
    from relance.index import Index

    terminal, described = Terminal(as_json=json), Index(spec).status()
    if json:
        terminal.json(described)
        return DONE
    media = described.pop("media", None)
    for part in [described, media] if media else [described]:
        last = part.pop("last_run")
        part["last run"] = f"{last['run_id']}, {last['status']}, {last['ended_at']}" if last else "never"
        name = str(part.pop("index"))
        terminal.pairs(f"{name}: media" if part is media else name, part)
    return DONE


@app.command
def failures(spec: Spec, *, json: AsJson = False) -> int:
    """List the documents that could not be indexed, with reasons; the next run tries them again."""
    from relance.index import Index

    terminal, rows = Terminal(as_json=json), Index(spec).failures()
    if json:
        terminal.json(rows)
    else:
        terminal.failures(rows, len(rows))
        terminal.out.print(f"{len(rows):,} failures")
    return DONE


@app.command
def runs(spec: Spec, *, limit: int = 20, json: AsJson = False) -> int:
    """List the latest runs, newest first."""
    from relance.index import Index

    terminal, rows = Terminal(as_json=json), Index(spec).runs(limit)
    if json:
        terminal.json(rows)
    for row in rows if not json else []:
        changes = ", ".join(f"{row[name]} {name}" for name in ("added", "changed", "removed") if name in row)
        version = f"{'media ' if row.get('part') == 'media' else ''}version {row['table_version']}"
        terminal.out.print(f"{row['run_id']}  {row['ended_at']}  {row['status']}  {version}  {changes}")
    return DONE


@app.command
def rollback(spec: Spec, *, run: str = "", json: AsJson = False) -> int:
    """Put the index back to how a run left it; by default the one before the latest change.

    Parameters
    ----------
    run
        Id of the run to go back to, from `relance runs`.
    """
    from relance.index import Index

    terminal, done = Terminal(as_json=json), Index(spec).rollback(run).as_dict()
    if json:
        terminal.json(done)
        return DONE
    media = done.pop("media", None)
    for part in [done, media] if media else [done]:
        terminal.pairs(f"{part.pop('index')}: rolled back", part)
    return DONE


@app.command
def maintain(spec: Spec, *, wait: float = 0.0, json: AsJson = False) -> int:
    """Tidy the index: compact its tables, refresh its search indexes, drop what is past the retention.

    Parameters
    ----------
    wait
        Seconds to wait for a run on this index.
    """
    from relance.index import Index

    terminal, done = Terminal(as_json=json), Index(spec).maintain(wait_s=wait)
    terminal.json(done.as_dict()) if json else terminal.maintained(done.as_dict())
    return DONE


@app.command
def evaluate(
    spec: Spec,
    *,
    dataset: Path,
    mode: SearchMode = "hybrid",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    json: AsJson = False,
) -> int:
    """Ask questions with known answers and tell how well they are found.

    Parameters
    ----------
    dataset
        A YAML file of golden queries ([{query: …, documents: [uri, …]}]), or a folder in BEIR format.
    k
        Documents looked at for each question.
    mode
        How it is searched; see `relance search`.
    """
    from relance.evaluation import evaluate, read_dataset
    from relance.index import Index

    terminal, (queries, qrels) = Terminal(as_json=json), read_dataset(dataset)
    found = evaluate(Index(spec), queries, qrels, mode=mode, k=k)
    terminal.json(found.as_dict(answers=True)) if json else terminal.evaluation(found.as_dict())
    return DONE


@app.command
def cache(spec: Spec, *, prune: str = "", json: AsJson = False) -> int:
    """Show the store of paid-for vectors, or prune it.

    Parameters
    ----------
    prune
        Size to prune to, oldest first, e.g. 500MB; 0 empties it.
    """
    from relance.index import Index

    terminal, index = Terminal(as_json=json), Index(spec)
    shown = index.prune_cache(prune) if prune else index.cache()
    if json:
        terminal.json(shown)
    else:
        terminal.pairs(
            "paid-for vectors", {row["space"]: f"{row['vectors']:,} · {row['bytes']:,} bytes" for row in shown}
        )
    return DONE


add_commands(app)


def _through_prefect(spec: str, *, full: bool, only: list[str], wait: float, approved: bool,
                     control: Control) -> dict[str, Any]:  # fmt: skip
    """Run the flow; it raises ApprovalNeededError where it would ask in the UI, since the terminal is nearer."""
    from relance.launch import has_flows, run_flow

    if not has_flows():
        msg = "the flows are in a checkout, not in the wheel; pass --direct to run without Prefect"
        raise ConfigurationError(msg)
    mode, approval = "full" if full else "incremental", "given" if approved else "refuse"
    parameters = {"index": spec, "mode": mode, "only": only, "approval": approval, "wait_s": wait}
    report, startup = run_flow(parameters, control)
    report["startup"] = startup
    return report


@contextlib.contextmanager
def _ctrl_c(control: Control, terminal: Terminal) -> Generator[None]:
    """Let the first Ctrl-C end the run after the batches under way, the second at once."""
    default: Callable[..., Any] | int | None = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, default)
        control.stop.set()
        terminal.err.print("stopping after the batches under way (Ctrl-C again: at once)")

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, default)


def _write_schema(path: Path) -> None:
    import json

    from relance.spec_file import json_schema

    path.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _name_of(folder: Path) -> str:
    name = re.sub("[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-")
    return name[:63].rstrip("-") or "index"


if __name__ == "__main__":
    main()
