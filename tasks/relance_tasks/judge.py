"""Compare old and new tables of an index, and show what came of building them."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact

from relance.config import IndexSpec
from relance.evaluation.tables import comparison_markdown
from relance.reembed import Outcome, Reembedding, Verdict
from relance_tasks.artifacts import key_of
from relance_tasks.log import run_log
from relance_tasks.plain_text import escape
from relance_tasks.retries import STAGE

__all__ = ["judge", "show_outcome"]


@task(task_run_name="compare {spec.name}", **STAGE)
def judge(work: Reembedding, spec: IndexSpec) -> Verdict | None:
    """Ask old and new tables the golden queries; None where the spec has none, or the new ones are not whole."""
    found = work.judge()
    if found is not None:
        run_log().info("%s: %s", spec.name, found.told)
    return found


@task(task_run_name="report {outcome.index}", **STAGE)
def show_outcome(outcome: Outcome) -> None:
    """Publish what came of it, with the comparison."""
    log = run_log()
    (log.info if outcome.status.startswith(("switched", "up")) else log.warning)("%s: %s", outcome.index, outcome.told)
    parts = [f"**{outcome.index}: {outcome.status}.** {escape(outcome.told)}"]
    if outcome.verdict is not None:
        parts.append(comparison_markdown(outcome.verdict.comparison))
    parts.append(f"In use: `{outcome.table}`. Beside it: `{outcome.beside or 'nothing'}`.")
    create_markdown_artifact("\n\n".join(parts), key=key_of("reembed", outcome.index), description=outcome.status)
