"""Commands that bring an index in sync, or show what that would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from relance.cli.changes import show_changes
from relance.cli.ending import until_signalled
from relance.cli.operations import operations
from relance.cli.options import CHANGES, DONE, FAILED, HERE, WITH_FAILURES, AsJson, Spec
from relance.cli.terminal import Terminal
from relance.errors import RejectedError
from relance.pipeline.changes import LISTED
from relance.pipeline.run_handle import RunHandle

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.pipeline.run import Run

__all__ = ["ingest", "plan"]

Engine = Literal["threads", "processes", "dask", "ray", "work-pool"]


def plan(spec: Spec = HERE, *, full: bool = False, only: list[str] | None = None,
         limit: Annotated[int, Parameter(validator=Number(gte=0))] = LISTED,
         detailed_exitcode: Annotated[bool, Parameter(negative="")] = False, json: AsJson = False) -> int:  # fmt: skip
    """Show what an ingest would do and cost, without doing it.

    Documents are listed as added (+), changed (~) and removed (-), by the reason. Nothing is sent, so no key is needed.

    Parameters
    ----------
    full
        Of an ingest that reads and writes every document again.
    only
        Uris of documents to look at.
    limit
        Documents to list for each reason.
    detailed_exitcode
        Exit with 4 if an ingest would change the index, and with 0 if it is in sync.
    """
    from relance.config.load import load_spec
    from relance.index import Index
    from relance.pipeline.named_documents import check_named

    terminal = Terminal(as_json=json)
    check_named(load_spec(spec), only or ())
    planned = Index(spec).plan(full=full, only=only or (), listed=limit)
    made = planned.as_dict()
    if json:
        terminal.json(made)
    else:
        show_changes(terminal, made)
        terminal.plan(made)
    if detailed_exitcode and not planned.in_sync:
        return CHANGES
    return WITH_FAILURES if made["failed"] or made.get("media", {}).get("failed") else DONE


def ingest(spec: Spec = HERE, *, full: bool = False, only: list[str] | None = None, wait: float = 0.0,  # noqa: PLR0913
           direct: bool = False,
           yes: Annotated[bool, Parameter(negative="")] = False, engine: Engine | None = None, workers: int = 0,
           json: AsJson = False) -> int:  # fmt: skip
    """Bring the index in sync with its sources.

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
    engine
        What reads, splits and embeds: this process, all cores of the machine, or a cluster; else as the spec says.
    workers
        How many of that engine; else as the spec says.
    """
    from relance.config.load import load_spec
    from relance.pipeline.engines.choice import choose, open_engine
    from relance.pipeline.named_documents import check_named
    from relance.pipeline.run import Run

    terminal, handle = Terminal(as_json=json), RunHandle()
    declared, documents = load_spec(spec), only or []
    check_named(declared, documents)
    if terminal.asks():
        handle.approve = lambda preview: terminal.approve(preview.reasons, preview.plan.as_dict())
    parameters: dict[str, Any] = {"index": str(spec), "mode": "full" if full else "incremental", "only": documents,
                                  "approval": "given" if yes else "refuse", "wait_s": wait,
                                  "workers": workers}  # fmt: skip
    parameters |= {"engine": engine} if engine else {}
    runs: list[Run] = []

    def work() -> dict[str, Any]:
        if not direct:
            operations("api").reach()  # before the run begins, which would be one that failed
        if not direct and choose(declared.engine, engine or "").name == "work-pool":  # it is Prefect's own
            return _through_prefect(parameters, handle)
        with Run(declared, full=full, only=documents, wait_s=wait, approved=yes,
                 engine=open_engine(declared, engine or "", workers), handle=handle) as run:  # fmt: skip
            runs.append(run)
            if not direct and (operations("api").configured_api() or not run.nothing_to_do()):
                return _through_prefect(parameters, handle, run)
            run.approve()
            report = run.execute().as_dict()
        if not documents and report["status"] != "stopped":
            report["reembed"] = _past_the_gate(declared, yes=yes, handle=handle)
        return report

    def record() -> None:
        for run in runs:
            run.stopped()

    try:
        with terminal.progress(declared.name, handle):
            report = until_signalled(work, stop=handle.stop.set, record=record, say=terminal.alarm)
    except RejectedError as rejected:
        terminal.problem(str(rejected))
        return FAILED
    anew = report.get("reembed")
    terminal.json(report) if json else terminal.report(report)
    if anew and not json:
        terminal.note(f"{declared.name} anew: {anew['status']}; {anew['told']}")
    if anew and anew["status"] not in {"switched", "up to date"}:
        return FAILED
    if report["status"] == "stopped":
        terminal.note("stopped before the end; run again to continue")
        return FAILED
    return WITH_FAILURES if report["status"] == "completed with failures" else DONE


def _past_the_gate(declared: IndexSpec, *, yes: bool, handle: RunHandle) -> dict[str, Any] | None:
    """Build the index anew where its spec has a gate and names another model or splitting; None where it does not."""
    if declared.gate is None:
        return None
    from relance.reembed import is_due, reembed

    return reembed(declared, approved=yes, handle=handle).as_dict() if is_due(declared) else None


def _through_prefect(parameters: dict[str, Any], handle: RunHandle, run: Run | None = None) -> dict[str, Any]:
    """Let the flow do a run, which may have begun to look meanwhile: Prefect's server takes its time to start.

    Where the flow would ask in the UI, `handle` does, since the terminal is nearer.
    """
    report, startup = operations("launch").run_flow(parameters, handle, run)
    report["startup"] = startup
    return report
