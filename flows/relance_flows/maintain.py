"""The nightly housekeeping of an index: compact, index, prune what nobody can go back to."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow

from relance.index import Index
from relance_flows.form import field
from relance_flows.names import after_index_or_all
from relance_flows.registry import find_spec, registered
from relance_flows.sentence import readable
from relance_tasks.artifacts import show_values

__all__ = ["maintain"]


@flow(name="maintain", flow_run_name=after_index_or_all, persist_result=False)
@readable
async def maintain(index: str = field("Index", "", "Name or path; empty: every deployed index.")) -> dict[str, Any]:
    """Tidy an index, or every deployed one where none is named: compact, refresh indexes, prune old versions."""
    done = {}
    for name in [index] if index else await registered():
        spec = await find_spec(name)
        done[spec.name] = (await asyncio.to_thread(Index(spec).maintain)).as_dict()
        await show_values("maintain", spec.name, done[spec.name], "housekeeping")
    return done
