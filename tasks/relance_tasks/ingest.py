"""A whole run as one task, for flows of others: `from relance_tasks import ingest_task`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.runtime import task_run

from relance.config import IndexSpec
from relance.config.engine import EngineName
from relance.index import Index
from relance.pipeline.plan import Plan
from relance.pipeline.report import Report
from relance.safe_text import protect_logs
from relance.telemetry.start import start_telemetry
from relance_tasks.report import show_plan, show_report
from relance_tasks.retries import BATCH

__all__ = ["ingest_task", "plan_task"]


def _named() -> str:
    """Name a task run for people: `ingest handbook`."""
    index: Any = task_run.parameters["index"]
    spec = index.spec if isinstance(index, Index) else index
    named = spec.name if isinstance(spec, IndexSpec) else _folder(Path(spec))
    return f"{task_run.task_name.removesuffix('_task')} {named}"


def _folder(path: Path) -> str:
    return path.resolve().parent.name if path.suffix in {".yaml", ".yml"} else path.resolve().name


@task(task_run_name=_named, **BATCH)
def ingest_task(index: Index | IndexSpec | str | Path, *, full: bool = False, only: Sequence[str] = (),
                wait_s: float = 0.0, approved: bool = False, engine: EngineName = "",
                workers: int = 0) -> Report:  # fmt: skip
    """Bring an index in sync with its sources; what `relance ingest` shows in the Prefect UI is shown, too.

    It is tried again where that can help, such as for an index that another run holds. Documents that fail do not make
    it fail: `failed` of the report counts them. Raises ApprovalNeededError where the index wants a person's approval;
    `ingest_flow` of `relance_flows` pauses for it.

    Args:
        index: an `Index`, or the file or folder of its spec, on the machine that runs the task.
        full: these, and what it raises: see `Index.ingest`.
        only: likewise.
        wait_s: likewise.
        approved: likewise.
        engine: likewise.
        workers: likewise.
    """
    start_telemetry()
    protect_logs()
    opened = index if isinstance(index, Index) else Index(index)
    report = opened.ingest(full=full, only=only, wait_s=wait_s, approved=approved, engine=engine, workers=workers)
    show_report(report, opened.spec)
    return report


@task(task_run_name=_named, **BATCH)
def plan_task(index: Index | IndexSpec | str | Path, *, full: bool = False, only: Sequence[str] = ()) -> Plan:
    """Say what `ingest_task` would do and cost, and show it in the Prefect UI; writes nothing."""
    protect_logs()
    plan = (index if isinstance(index, Index) else Index(index)).plan(full=full, only=only)
    show_plan(plan)
    return plan
