"""The nightly housekeeping of an index: compact, index, prune what nobody can go back to."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from relance.index import Index
from relance_flows.form import field
from relance_flows.names import after_index
from relance_flows.registry import find_spec, registered
from relance_tasks.artifacts import show_values

__all__ = ["maintain"]


def run_name() -> str:
    """Name a run after its index."""
    return after_index() if flow_run.parameters["index"] else "all indexes"


@flow(name="maintain", flow_run_name=run_name, persist_result=False)
async def maintain(index: str = field("Index", "", "Name or path; empty: every deployed index.")) -> dict[str, Any]:
    """Tidy an index, or every deployed one where none is named: compact, refresh indexes, prune old versions."""
    done = {}
    for name in [index] if index else await registered():
        spec = await find_spec(name)
        done[spec.name] = (await asyncio.to_thread(Index(spec).maintain)).as_dict()
        await show_values("maintain", spec.name, done[spec.name], "housekeeping")
    return done
