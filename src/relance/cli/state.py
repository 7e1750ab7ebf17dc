"""Commands that show the state of an index, restore it, and maintain it."""

from __future__ import annotations

from relance.cli.options import DONE, HERE, AsJson, Spec
from relance.cli.terminal import Terminal

__all__ = ["cache", "failures", "maintain", "rollback", "runs", "status"]


def status(spec: Spec = HERE, *, json: AsJson = False) -> int:
    """Show the state of the index: documents, chunks, model, last run."""
    from relance.index import Index
    from relance.pipeline.ignored_counts import ignored_lines

    terminal, described = Terminal(as_json=json), Index(spec).status().as_dict()
    if json:
        terminal.json(described)
        return DONE
    media = described.pop("media", None)
    for part in [described, media] if media else [described]:
        last = part.pop("last_run")
        part["ignored"] = "\n".join(ignored_lines(part["ignored"])) or "nothing"
        part["last run"] = f"{last['run_id']}, {last['status']}, {last['ended_at']}" if last else "never"
        name = str(part.pop("index"))
        terminal.pairs(f"{name}: media" if part is media else name, part)
    return DONE


def failures(spec: Spec = HERE, *, json: AsJson = False) -> int:
    """List documents that could not be indexed (✗), or only in part (!), with the reason; the next run retries ✗."""
    from relance.index import Index

    terminal, rows = Terminal(as_json=json), [row.as_dict() for row in Index(spec).failures()]
    if json:
        terminal.json({"failures": rows})
    else:
        terminal.failures(rows, len(rows))
        warnings = sum(row["indexed"] for row in rows)
        terminal.out.print(f"{len(rows) - warnings:,} failures, {warnings:,} warnings")
    return DONE


def runs(spec: Spec = HERE, *, limit: int = 20, json: AsJson = False) -> int:
    """List the latest runs, newest first."""
    from relance.index import Index

    terminal, found = Terminal(as_json=json), Index(spec).runs(limit)
    if json:
        terminal.json({"runs": [run.as_dict() for run in found]})
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
        terminal.pairs(f"{part.pop('index')}: rolled back", part)
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
        terminal.pairs("embedding cache", {each.space: f"{each.vectors:,} · {each.bytes:,} bytes" for each in shown})
    return DONE
