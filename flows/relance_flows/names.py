"""What runs are called: the index, and why it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from relance.config import IndexSpec
from relance.events.change import Change
from relance.safe_text import redact
from relance.sources import open_sources
from relance_flows.registry import name_of
from relance_tasks.restricted import is_for_everybody

__all__ = ["after_change", "after_index", "after_index_or_all", "after_new", "cause_of", "name_change"]

_NAMED = 2  # documents of a change; the log has all
_LONGEST = 120


def after_index() -> str:
    """Name the current run after its index and its cause: `handbook: schedule`, `handbook: manual, retry 1`."""
    run, parameters = _current()
    return _name(name_of(parameters["index"]) or "no index", cause_of(run), _mode(parameters), _retry(run))


def after_index_or_all() -> str:
    """Name the current run after its index, or after all where none is named."""
    run, parameters = _current()
    return _name(name_of(parameters["index"]) or "all indexes", cause_of(run), _mode(parameters), _retry(run))


def after_change(change: Change) -> str:
    """Name the current run after a change, by numbers: `handbook: change, 3 changed, 1 removed`."""
    run, _ = _current()
    index, _, counts = str(change).partition(": ")
    return _name(index, "change", counts, _retry(run))


def after_new() -> str:
    """Name the run that makes an index: `new index manuals`, or after the address that it is over."""
    run, parameters = _current()
    what = parameters["name"].strip() or redact(parameters["address"].strip()) or "of no address"
    return _name(f"new index {what}", cause_of(run), _retry(run))


async def name_change(change: Change, spec: IndexSpec) -> None:
    """Name the current run after the documents of a change, if all may know them: `handbook: change, docs/a.md`."""
    run, _ = _current()
    uris = [*change.changed, *change.removed]
    sources = open_sources(spec)
    if run is None or not uris or not all(is_for_everybody(uri, sources) for uri in uris):
        return
    async with get_client() as client:
        await client.update_flow_run(run.id, name=_name(spec.name, "change", _listed(uris), _retry(run, begun=True)))


def cause_of(run: FlowRun | None) -> str:
    """Say what made a run: schedule, change (an automation), or manual."""
    if run is not None and run.auto_scheduled:
        return "schedule"
    maker = run.created_by.type if run is not None and run.created_by else None
    return {"SCHEDULE": "schedule", "AUTOMATION": "change"}.get(maker or "", "manual")


def _current() -> tuple[FlowRun | None, dict[str, Any]]:
    context = FlowRunContext.get()
    return (context.flow_run, context.parameters or {}) if context is not None else (None, {})


def _mode(parameters: dict[str, Any]) -> str:
    """Say what is particular about a run: its mode, and the documents it is restricted to."""
    mode = str(parameters.get("mode") or "")
    only = parameters.get("only")
    what = "" if mode == "incremental" else mode
    if isinstance(only, list) and only:
        what += f"{', ' if what else ''}{len(only):,} document{'' if len(only) == 1 else 's'} only"
    return what


def _retry(run: FlowRun | None, *, begun: bool = False) -> str:
    """Count the attempts before this one, which Prefect counts, too, once it has begun."""
    again = run.run_count - begun if run is not None else 0
    return f"retry {again}" if again > 0 else ""


def _listed(uris: Sequence[str]) -> str:
    more = f" and {len(uris) - _NAMED:,} more" if len(uris) > _NAMED else ""
    return ", ".join(uris[:_NAMED]) + more


def _name(index: str, *parts: str) -> str:
    name = f"{index}: {', '.join(filter(None, parts))}"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
