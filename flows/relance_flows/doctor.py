"""Checking everything an index has in its store, and repairing what an ordinary run does not see."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from relance.index import Index
from relance_flows.form import field
from relance_flows.names import after_index_or_all
from relance_flows.registry import find_spec, registered
from relance_flows.sentence import readable
from relance_flows.waiting import result
from relance_tasks.doctor import check_index

__all__ = ["doctor"]


@flow(name="doctor", flow_run_name=after_index_or_all, persist_result=False)
@readable
async def doctor(
    index: str = field("Index", "", "Name or path; empty: every deployed index."),
    repair: bool = field("Repair", False, "Repair what can be repaired; otherwise it is only said what is wrong."),
) -> dict[str, Any] | State[Any]:
    """Check every table, file, search index and cache entry of an index, or of every deployed one.

    The run fails if problems are left: an automation can then alert a person.
    """
    done, hurt = {}, []
    for name in [index] if index else await registered():
        exam = await result(check_index.submit(Index(await find_spec(name)), repair=repair))
        done[exam.index] = exam.as_dict()
        hurt += [] if exam.healthy else [exam.index]
    if hurt:
        advice = "what is left is in the table" if repair else "run it with repair"
        return Failed(message=f"problems in the store of {', '.join(hurt)}; {advice}", data=done)
    return done
