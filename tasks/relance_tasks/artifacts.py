"""What a run shows in the Prefect UI, as Markdown; the same key for every run, so that an index has a history."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from prefect.artifacts import acreate_markdown_artifact

from relance.config import IndexSpec
from relance.counted import counted
from relance.pipeline.ignored_counts import ignored_lines
from relance.pipeline.plan import Plan
from relance.pipeline.reasons import Reason, by_reason
from relance.pipeline.report import Report
from relance.sources import Source, open_sources
from relance.store.failures import Failure
from relance_tasks.advice import advice, to_do, where_to_look
from relance_tasks.plain_text import escape
from relance_tasks.restricted import is_for_everybody

__all__ = [
    "failures_markdown",
    "in_one_look",
    "key_of",
    "plan_markdown",
    "report_markdown",
    "show_values",
    "told",
    "why",
]

_LISTED = 200  # reasons; an artifact is shown whole, and `relance failures` has the rest
_FIRST = 5  # documents of each


def key_of(kind: str, index: str) -> str:
    """Name the artifact of an index: `ingest-handbook`, `ingest-handbook-media`."""
    return f"{kind}-{index.replace('_', '-').replace(' ', '-')}"


def told(report: Report) -> str:
    """Say in one line of a log what a run did."""
    took = f" in {report.seconds['total']:.0f} s" if "total" in report.seconds else ""
    changes = _counts(report, "added", "changed", "removed") or "nothing changed"
    chunks = f"{report.chunks:,} chunks, {report.reused:,} reused"
    return (
        f"{report.title}: {report.status}{took}: {changes}; {chunks}; {report.tokens:,} tokens, ${report.cost_usd:.4f}"
    )


def in_one_look(report: Report) -> str:
    """Say what changed, what it cost and what to do, as the message of a run's state."""
    parts = [report, report.media] if report.media else [report]
    changes = {name: sum(getattr(part, name) for part in parts) for name in ("added", "changed", "removed")}
    done = ", ".join(f"{count:,} {name}" for name, count in changes.items() if count) or "Nothing changed"
    failed = sum(part.failed for part in parts)
    stopped = " Stopped before the end: run it again." if report.status == "stopped" else ""
    problem = f" {counted(failed, 'document')} failed: the artifact of failures says what to do." if failed else ""
    return f"{done}; cost ${sum(part.cost_usd for part in parts):.4f}.{stopped}{problem}"


def why(report: Report, spec: IndexSpec) -> str:
    """Say in one line of a log why documents failed: the most frequent reasons of documents that are for everybody."""
    sources = open_sources(spec)
    told = [failure for failure in report.failures if is_for_everybody(failure.uri, sources)]
    if not told:
        return f"{counted(report.failed, 'document')} failed: `relance failures` says why"
    reasons = Counter(failure.reason for failure in told).most_common(3)
    listed = "; ".join(f"{reason} ({count:,})" for reason, count in reasons)
    return f"{counted(report.failed, 'document')} failed: {listed}"


def report_markdown(report: Report, spec: IndexSpec | None = None) -> str:
    """Say what a run did: what changed and what it cost, what to do and where to look, then the numbers.

    Without `spec` there is no advice.
    """
    changes = _counts(report, "added", "changed", "removed")
    spent = f"{report.tokens:,} tokens for ${report.cost_usd:.4f}" if report.tokens else "nothing had to be embedded"
    failed = f" **{counted(report.failed, 'document')} failed.**" if report.failed else ""
    done = f"{changes or 'Nothing changed'}, {report.unchanged:,} unchanged; {spent}.{failed}"
    sentence = f"**{report.title}: {report.status}.** {done}"
    looked = [f"\n{each}" for each in (to_do(report, spec), where_to_look(spec))] if spec is not None else []
    wanted = report.embedded + report.reused
    rows = {
        "documents": _documents(report),
        "chunks": f"{report.chunks:,} written · {report.embedded:,} embedded · {report.reused:,} reused"
        + (f" ({report.reused / wanted:.0%})" if wanted else ""),
        "requests": f"{report.requests:,}",
        "tokens": f"{report.tokens:,}",
        "cost": f"${report.cost_usd:.4f}",
        "failures": f"{report.failed:,}",
        "seconds": " · ".join(f"{stage} {seconds:.2f}" for stage, seconds in report.seconds.items()),
        "table": f"`{report.table}` version {report.table_version}" + ("" if report.served else " (not served yet)"),
        "run": f"`{report.run_id}`",
    }
    rows |= _left_out(report)
    notes = [f"\n> {escape(note)}" for note in report.notes]
    return "\n".join([sentence, *looked, "", _table(rows), *notes])


def plan_markdown(plan: Plan, title: str) -> str:
    """Say what a run would do and cost."""
    cost = "unknown" if plan.cost_usd is None else f"${plan.cost_usd:.4f}"
    changes = _counts(plan, "added", "changed", "removed")
    rows = {
        "documents": _documents(plan),
        "chunks": f"{plan.chunks:,}, of which {plan.reused:,} have a vector already",
        "tokens": f"{plan.tokens:,} in {counted(plan.requests, 'request')}",
        "cost": cost,
        "failures": f"{plan.failed:,}",
    }
    rows |= _left_out(plan)
    notes = "".join(f"\n\n> {escape(note)}" for note in plan.notes)
    rebuild = "\n\n> The model has changed: the index is built anew beside the one in use." if plan.rebuild else ""
    return f"**{title} would change.** {changes or 'Nothing to do'}; cost {cost}.\n\n{_table(rows)}{rebuild}{notes}"


def _left_out(counts: Report | Plan) -> dict[str, str]:
    """Say how much of what the sources have is not in the index, or not whole."""
    rows = {"warnings": f"{counts.warned:,}"} if counts.warned else {}
    if counts.ignored:
        rows["ignored"] = "<br>".join(escape(line) for line in ignored_lines(counts.ignored))
    return rows


def failures_markdown(failures: list[Failure], spec: IndexSpec) -> str:
    """List why documents failed, each reason with the first of them, linked where they have a public address.

    Those of sources with `access` are counted: whoever may see the Prefect UI need not know that they exist.
    """
    lines = [*advice(failures, spec), "", "| documents | stage | reason |", "|---|---|---|"]
    sources = open_sources(spec)
    named = [each for each in failures if is_for_everybody(each.uri, sources)]
    reasons = by_reason(named, listed=_FIRST)
    lines += [f"| {_which(each, sources)} | {each.stage} | {escape(each.reason)} |" for each in reasons[:_LISTED]]
    if left := sum(each.documents for each in reasons[_LISTED:]):
        lines.append(f"\n… and {left:,} more: `relance failures`")
    if unnamed := len(failures) - len(named):
        lines.append(f"\n{unnamed:,} of sources with `access` are not named here: `relance failures`")
    return "\n".join(lines)


async def show_values(kind: str, index: str, values: dict[str, Any], description: str) -> None:
    """Publish plain values as a table."""
    rows = {name.replace("_", " "): _plain(value) for name, value in values.items() if not isinstance(value, dict)}
    await acreate_markdown_artifact(f"**{index}**\n\n{_table(rows)}", key=key_of(kind, index), description=description)


def _counts(values: Report | Plan, *names: str) -> str:
    counts = [f"{getattr(values, name):,} {name}" for name in names if getattr(values, name)]
    return ", ".join(counts)


def _documents(values: Report | Plan) -> str:
    return " · ".join(f"{getattr(values, name):,} {name}" for name in ("added", "changed", "removed", "unchanged"))


def _table(rows: dict[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def _which(group: Reason, sources: list[Source]) -> str:
    """Name the first documents of a reason, and count them all."""
    links = [_link(uri, sources) for uri in group.uris]
    if group.documents == 1:
        return links[0]
    left = group.documents - len(links)
    rest = [f"… and {left:,} more: `relance failures`"] if left else []
    return "<br>".join([f"**{counted(group.documents, 'document')}**", *links, *rest])


def _link(uri: str, sources: list[Source]) -> str:
    """Show a document's uri, as a link where people can open it."""
    text = escape(uri)
    if uri.startswith(("http://", "https://")):
        return f"[{text}](<{re.sub('[<>]', '', uri)}>)"
    file, mark, row = uri.partition("#")
    places = (source.location(file) for source in sources)
    url = next((place.url for place in places if place is not None and place.url), "")
    return f"[{text}](<{url}{mark}{re.sub('[<>]', '', row)}>)" if url else text
