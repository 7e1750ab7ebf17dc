"""Check an index, repair it if that is wanted, and show what was found in the Prefect UI."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact

from relance.counted import counted
from relance.index import Index
from relance.store.doctor import Examination
from relance_tasks.artifacts import key_of
from relance_tasks.findings import rows_markdown
from relance_tasks.plain_text import escape
from relance_tasks.retries import STAGE

__all__ = ["check_index", "examination_markdown"]

_WAIT_S = 3600.0
_LISTED = 20  # uris of a finding


@task(task_run_name="check {index.spec.name}", **STAGE)
def check_index(index: Index, *, repair: bool) -> Examination:
    """Check everything, and publish a table of what was found."""
    exam = index.doctor(repair=repair, wait_s=_WAIT_S, record=True)
    create_markdown_artifact(
        examination_markdown(exam), key=key_of("doctor", exam.index), description=f"{len(exam.findings)} findings"
    )
    return exam


def examination_markdown(exam: Examination) -> str:
    """List the findings, each with what was or would be done about it."""
    looked = (
        f"{exam.tables:,} tables, {exam.files:,} files, {exam.rows:,} rows, {exam.search_indexes:,} search indexes and "
        f"{exam.cache_entries:,} cache entries were read in {exam.seconds:.1f} s."
    )
    said = "healthy" if exam.healthy else "**not healthy**"
    head = f"**{escape(exam.index)}** is {said}. {looked}"
    if exam.waiting:
        head += f" The next run writes {counted(exam.waiting, 'document')} again."
    rows = []
    for each in exam.findings:
        uris = ", ".join(each.documents[:_LISTED])
        more = f" … and {len(each.documents) - _LISTED:,} more" if len(each.documents) > _LISTED else ""
        cost = "" if not each.tokens else f"{each.tokens:,} tokens" + (f", ${each.usd:.4f}" if each.usd else "")
        rows.append((each.state, each.level, each.code, each.where, f"{each.what} {uris}{more}".strip(),
                     each.done or each.remedy, "; ".join(filter(None, (each.lost, cost)))))  # fmt: skip
    names = ["state", "level", "code", "where", "what is wrong", "repair", "lost, to buy again"]
    notes = [f"> {escape(note)}" for note in exam.notes]
    return "\n\n".join([head, *([rows_markdown(names, rows)] if rows else []), *notes])
