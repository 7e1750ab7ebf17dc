"""Finish a run and show what it did in the Prefect UI."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact

from relance.config import IndexSpec
from relance.counted import counted
from relance.pipeline.coordinator import Coordinator
from relance.pipeline.plan import Plan
from relance.pipeline.report import Report
from relance_tasks.artifacts import failures_markdown, key_of, plan_markdown, report_markdown, told, why
from relance_tasks.lineage import publish_lineage
from relance_tasks.log import run_log
from relance_tasks.retries import STAGE

__all__ = ["finish", "show_plan", "show_report"]


@task(task_run_name="finish {run.title}", **STAGE)
def finish(run: Coordinator) -> Report:
    """Remove what is gone, refresh indexes, publish, record the run."""
    return run.finish()


@task(task_run_name="report {report.index}", **STAGE)
def show_report(report: Report, spec: IndexSpec) -> None:
    """Publish the summary, the failures and the lineage."""
    for part in (report, report.media):
        if part is None:
            continue
        run_log().info("%s", told(part))
        if part.failures:
            run_log().warning("%s: %s", part.title, why(part, spec))
        create_markdown_artifact(report_markdown(part, spec), key=key_of("ingest", part.title), description=told(part))
        if part.failures or part.warnings:
            listed = failures_markdown([*part.failures, *part.warnings], spec)
            counts = f"{counted(part.failed, 'failure')}, {counted(part.warned, 'warning')}"
            create_markdown_artifact(listed, key=key_of("failures", part.title), description=counts)
        publish_lineage(spec, part)


@task(task_run_name="plan {plan.index}", **STAGE)
def show_plan(plan: Plan) -> None:
    """Publish a change plan."""
    for part, title in ((plan, plan.index), (plan.media, f"{plan.index} media")):
        if part is not None:
            shown = plan_markdown(part, title)
            create_markdown_artifact(shown, key=key_of("plan", title), description="change plan")
