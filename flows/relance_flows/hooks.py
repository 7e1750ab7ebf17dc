"""What the rest of the world hears of a run: an event about the index, to start other flows or to tell somebody."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event

from relance.events.change import ENDINGS
from relance_flows.registry import name_of

__all__ = ["HOOKS"]


def tell(flow: Any, run: FlowRun, state: State[Any]) -> None:
    """Emit `relance.index.in-sync`, `.failed`, `.crashed` or `.cancelled`; of a run that crashed the worker tells."""
    what = ENDINGS.get(state.type.value)
    index = name_of(str(run.parameters.get("index", "")))
    if what is None or not index or run.parameters.get("mode") == "plan only":
        return
    emit_event(
        event=f"relance.index.{what}",
        resource={"prefect.resource.id": f"relance.index.{index}", "prefect.resource.name": index},
        related=[
            {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.role": "flow-run",
             "prefect.resource.name": run.name},
        ],
        payload={"flow": flow.name, "state": state.name, "message": (state.message or "")[:1000]},
    )  # fmt: skip


HOOKS: dict[str, Any] = {
    "on_completion": [tell],
    "on_failure": [tell],
    "on_crashed": [tell],
    "on_cancellation": [tell],
}
