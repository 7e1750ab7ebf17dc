"""Commands that bring an index in sync, or tell what that would take."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator
from typing import Annotated, Any

from cyclopts import Parameter

from relance.cli.operations import operations
from relance.cli.options import DONE, FAILED, WITH_FAILURES, AsJson, Spec
from relance.cli.terminal import Terminal
from relance.errors import ApprovalNeededError
from relance.pipeline.run_handle import RunHandle

__all__ = ["ingest", "plan"]


def plan(spec: Spec, *, full: bool = False, only: list[str] | None = None, json: AsJson = False) -> int:
    """Tell what an ingest would do and cost, without doing it."""
    from relance.index import Index

    terminal = Terminal(as_json=json)
    made = Index(spec).plan(full=full, only=only or ()).as_dict()
    terminal.json(made) if json else terminal.plan(made)
    return WITH_FAILURES if made["failed"] or made.get("media", {}).get("failed") else DONE


def ingest(spec: Spec, *, full: bool = False, only: list[str] | None = None, wait: float = 0.0, direct: bool = False,
           yes: Annotated[bool, Parameter(negative="")] = False, json: AsJson = False) -> int:  # fmt: skip
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
    """
    from relance.config.load import load_spec
    from relance.pipeline.modalities import check_models

    terminal, handle = Terminal(as_json=json), RunHandle()
    declared, documents = load_spec(spec), only or []
    check_models(declared)  # before a server is started for nothing

    def run(*, approved: bool) -> dict[str, Any]:
        from relance.index import Index

        index = Index(declared)
        with terminal.progress(declared.name, handle), _ctrl_c(handle, terminal):
            if not direct:
                return _through_prefect(
                    str(spec), full=full, only=documents, wait=wait, approved=approved, handle=handle
                )
            # What would go of the media is known late: the texts would be in sync by then.
            if not approved and declared.media is not None:
                reasons = index.preview(full=full, only=documents, handle=handle).reasons
                if reasons:
                    raise ApprovalNeededError(declared.name, reasons)
            done = index.ingest(full=full, only=documents, wait_s=wait, approved=approved, handle=handle)
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


def _through_prefect(spec: str, *, full: bool, only: list[str], wait: float, approved: bool,
                     handle: RunHandle) -> dict[str, Any]:  # fmt: skip
    """Run the flow; it raises ApprovalNeededError where it would ask in the UI, since the terminal is nearer."""
    mode, approval = "full" if full else "incremental", "given" if approved else "refuse"
    parameters = {"index": spec, "mode": mode, "only": only, "approval": approval, "wait_s": wait}
    report, startup = operations("launch").run_flow(parameters, handle)
    report["startup"] = startup
    return report


@contextlib.contextmanager
def _ctrl_c(handle: RunHandle, terminal: Terminal) -> Generator[None]:
    """Let the first Ctrl-C end the run after the batches under way, the second at once."""
    default: Callable[..., Any] | int | None = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, default)
        handle.stop.set()
        terminal.err.print("stopping after the batches under way (Ctrl-C again: at once)")

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, default)
