"""What runs are called."""

from __future__ import annotations

from prefect.runtime import flow_run

from relance_flows.registry import name_of

__all__ = ["after_index"]


def after_index() -> str:
    """Name a run after its index."""
    return name_of(flow_run.parameters["index"]) or "no index"
