"""Commands that show the state of an index, restore it, and maintain it."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from relance.cli.options import DONE, HERE, AsJson, Spec
from relance.cli.terminal import Terminal
from relance.counted import counted
from relance.pipeline.changes import LISTED

__all__ = ["cache", "failures", "maintain", "rollback", "runs", "status"]


def status(spec: Spec = HERE, *, json: AsJson = False) -> int:
    """Show the state of the index: documents, chunks, model, last run."""
    from relance.index import Index

    terminal, described = Terminal(as_json=json), Index(spec).status().as_dict()
    if json:
        terminal.json(described)
        return DONE
    media = described.pop("media", None)
    for part in [described, media] if media else [described]:
        name = str(part.pop("index"))
        terminal.pairs(f"{name}: media" if part is media else name, _for_people(part))
    return DONE


def _for_people(part: dict[str, Any]) -> dict[str, str]:
    """Write the values of a status as people read them; what they need seldom comes last."""
    from relance.pipeline.ignored_counts import ignored_lines

    last = part["last_run"]
    lines = {name: f"{part[name]:,}" for name in ("documents", "chunks", "tokens") if part.get(name) is not None}
    lines["failures"] = f"{part['failures']:,}" + (" (relance failures)" if part["failures"] else "")
    lines["warnings"] = f"{part['warnings']:,}"
    lines["ignored"] = "\n".join(ignored_lines(part["ignored"])) or "nothing"
    lines["last run"] = f"{last['run_id']}, {last['status']}, {last['ended_at']}" if last else "never (relance ingest)"
    if part.get("interrupted"):
        lines["interrupted"] = f"{part['interrupted']}; the next run repairs what it left"
    lines["billed"] = f"${part['billed_usd']:.4f} for {counted(part['billed_tokens'], 'token')}, in all runs"
    if part.get("free_tokens_left") is not None:
        lines["free quota"] = f"{counted(part['free_tokens_left'], 'token')} left"
    if part.get("table"):
        lines["table"] = f"{part['table']} version {part['table_version']}"
        lines["search indexes"] = ", ".join(part.get("indexes") or ()) or "none"
    return lines


def failures(spec: Spec = HERE, *, limit: Annotated[int, Parameter(validator=Number(gte=0))] = LISTED,
             json: AsJson = False) -> int:  # fmt: skip
    """List documents that could not be indexed (✗), or only in part (!), by reason; the next run retries ✗.

    Parameters
    ----------
    limit
        Documents to list for each reason; JSON lists all.
    """
    from dataclasses import asdict

    from relance.index import Index
    from relance.pipeline.reasons import by_reason

    terminal, rows = Terminal(as_json=json), Index(spec).failures()
    if json:
        terminal.json({"failures": [row.as_dict() for row in rows]})
    else:
        for each in by_reason(rows, listed=limit):
            terminal.reason(asdict(each), " (--limit)")
        warnings = sum(row.indexed for row in rows)
        terminal.out.print(f"{counted(len(rows) - warnings, 'failure')}, {counted(warnings, 'warning')}")
    return DONE


def runs(spec: Spec = HERE, *, limit: int = 20, json: AsJson = False) -> int:
    """List the latest runs, newest first."""
    from relance.index import Index

    terminal, found = Terminal(as_json=json), Index(spec).runs(limit)
    if json:
        terminal.json({"runs": [run.as_dict() for run in found]})
    elif not found:
        terminal.out.print("no runs yet; relance ingest makes the first")
    for run in found if not json else []:
        counts = run.report
        changes = ", ".join(f"{counts[name]} {name}" for name in ("added", "changed", "removed") if name in counts)
        version = f"{'media ' if run.part == 'media' else ''}version {run.table_version}"
        ended = run.ended_at.isoformat(timespec="seconds")
        terminal.out.print(f"{run.run_id}  {ended}  {run.status}  {version}  {changes}")
    return DONE


def rollback(spec: Spec = HERE, *, run: str = "", json: AsJson = False) -> int:
    """Restore the index as a run left it; by default as it was before the latest change.

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
        rows = {"as of run": part["run_id"], "chunks": f"{part['chunks']:,}"}
        rows["table"] = f"{part['table']} version {part['table_version']}"
        terminal.pairs(f"{part['index']}: rolled back", rows)
    terminal.hint("the next ingest brings it in sync with its sources again; to keep this state, change those first")
    return DONE


def maintain(spec: Spec = HERE, *, wait: float = 0.0, json: AsJson = False) -> int:
    """Compact the tables of the index, refresh its search indexes, delete versions older than the retention.

    Parameters
    ----------
    wait
        Seconds to wait for a run on this index.
    """
    from relance.index import Index

    terminal, done = Terminal(as_json=json), Index(spec).maintain(wait_s=wait)
    terminal.json(done.as_dict()) if json else terminal.maintained(done.as_dict())
    return DONE


def cache(spec: Spec = HERE, *, prune: str = "", json: AsJson = False) -> int:
    """Show the embedding cache, or prune it.

    Parameters
    ----------
    prune
        Size to prune to, oldest first, e.g. 500MB; 0 empties it.
    """
    from relance.index import Index

    terminal, index = Terminal(as_json=json), Index(spec)
    shown = index.prune_cache(prune) if prune else index.cache()
    if json:
        terminal.json({"spaces": [each.as_dict() for each in shown]})
    else:
        sizes = {each.space: f"{counted(each.vectors, 'vector')} · {each.bytes:,} bytes" for each in shown}
        terminal.pairs("embedding cache", sizes or {"vectors": "none yet"})
    return DONE
