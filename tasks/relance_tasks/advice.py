"""What a person has to do after a run, and where to look at what it did."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from relance.config import IndexSpec
from relance.config.settings import read_settings
from relance.counted import counted
from relance.pipeline.report import Report
from relance.sources import open_sources
from relance.store.failures import Failure
from relance_tasks.plain_text import escape
from relance_tasks.restricted import is_for_everybody

__all__ = ["advice", "to_do", "where_to_look"]

_REASONS = 3
_BY_STAGE = {
    "list": "check the address of the source and what its credentials may read",
    "load": "correct the document or the spec, as the reason says, or leave it out (`exclude` of its source)",
    "chunk": "correct the document or the spec, as the reason says, or leave it out (`exclude` of its source)",
    "embed": "read what the model says of it; leave it out if it cannot be embedded",
    "check": "look at it: `quality` in the spec keeps it out",
}


def to_do(report: Report, spec: IndexSpec) -> str:
    """Say in a line whether somebody has to do something after a run."""
    done = []
    if report.status == "stopped":
        done.append("run it again: it was stopped before the end, and goes on from there")
    if report.failures:
        done += [each.removeprefix("- ") for each in advice(report.failures, spec)]
    if report.warned:
        done.append(f"{counted(report.warned, 'document')} indexed with a warning: see the artifact of failures")
    if len(done) > 1:
        return "**To do:**\n\n" + "\n".join(f"- {each}" for each in done)
    return f"**To do:** {done[0] if done else 'nothing'}."


def advice(failures: Sequence[Failure], spec: IndexSpec) -> list[str]:
    """Say what to do about failures, a line for each of the most frequent reasons; names no restricted document."""
    sources = open_sources(spec)
    failed = [each for each in failures if not each.indexed]
    passing = sum(each.retryable for each in failed)
    lines = [f"- {counted(passing, 'document')} may pass without you: the next run tries again"] if passing else []
    staying = [each for each in failed if not each.retryable]
    open_to_all = [each for each in staying if is_for_everybody(each.uri, sources)]
    reasons = Counter((each.stage, each.reason) for each in open_to_all).most_common()
    for (stage, reason), count in reasons[:_REASONS]:
        what = _BY_STAGE.get(stage, "correct it where it is; the next run tries again")
        lines.append(f"- {counted(count, 'document')}: {escape(reason.rstrip('.'))} → {what}")
    if others := sum(count for _, count in reasons[_REASONS:]):
        lines.append(f"- {counted(others, 'document')} for other reasons: the table says which")
    if hidden := len(staying) - len(open_to_all):
        lines.append(f"- {counted(hidden, 'document')} of sources with `access`: `relance failures` says why")
    return lines


def where_to_look(spec: IndexSpec) -> str:
    """Link to explore, where RELANCE_EXPLORE_URL says its address; else the command that starts it."""
    address = read_settings().explore_url.replace("{index}", spec.name).rstrip("/")
    if address:
        return f"**Look:** [search and documents](<{address}/>) · [failures](<{address}/failures>)"
    place = spec.folder
    return f"**Look:** `relance explore {shlex.quote(str(place))}`"
