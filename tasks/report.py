"""Finish a run and show what it did in the Prefect UI."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from relance.ingestion import Ingestion
from relance.plan import Plan
from relance.report import Report
from tasks.retries import STAGE

__all__ = ["finish", "show_plan", "show_report"]

_LISTED = 200  # an artifact is shown whole, and the failures table has the rest


@task(task_run_name="finish {run.title}", **STAGE)
def finish(run: Ingestion) -> Report:
    """Remove what is gone, refresh indexes, publish, record the run."""
    return run.finish()


@task(task_run_name="report {report.index}", **STAGE)
def show_report(report: Report) -> None:
    """Publish the summary and the failures; the same key for every run, so that the UI shows a history."""
    for part in (report, report.media):
        if part is None:
            continue
        name = part.title
        get_run_logger().info(
            "%s: %s: %d added, %d changed, %d removed, %d chunks (%d reused), %d tokens, $%.4f, %d failures",
            name, part.status, part.added, part.changed, part.removed, part.chunks, part.reused, part.tokens,
            part.cost_usd, part.failed,
        )  # fmt: skip
        values = part.as_dict(failures=_LISTED)
        create_markdown_artifact(_markdown(values), key=_key("ingest", name), description=part.status)
        if part.failures:
            rows = [asdict(failure) for failure in part.failures[:_LISTED]]
            create_table_artifact(rows, key=_key("failures", name), description=f"{part.failed} failures")


@task(task_run_name="plan {plan.index}", **STAGE)
def show_plan(plan: Plan) -> None:
    """Publish a change plan."""
    for part, name in ((plan, plan.index), (plan.media, f"{plan.index} media")):
        if part is not None:
            values = {key: value for key, value in part.as_dict().items() if key not in {"failures", "media"}}
            create_markdown_artifact(_markdown(values), key=_key("plan", name), description="change plan")


def _key(kind: str, index: str) -> str:
    return f"{kind}-{index.replace('_', '-').replace(' ', '-')}"


def _markdown(values: dict[str, Any]) -> str:
    lines = [f"| {values['index']} | |", "|---|---:|"]
    for name, value in values.items():
        if isinstance(value, int | float | str) and name != "index":
            lines.append(f"| {name.replace('_', ' ')} | {value} |")
    lines += [f"| seconds: {stage} | {seconds} |" for stage, seconds in values.get("seconds", {}).items()]
    return "\n".join(lines)
