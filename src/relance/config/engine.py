"""What executes the stages of a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from relance.config.spec_model import ENV, SpecModel

__all__ = ["MOST_WORKERS", "EngineName", "EngineSpec"]

MOST_WORKERS = 1024
EngineName = Literal["", "threads", "processes", "dask", "ray", "work-pool"]


class EngineSpec(SpecModel, title="Engine"):
    """Where documents are read, split and embedded; one process writes the index whatever it is."""

    name: Literal["threads", "processes", "dask", "ray", "work-pool"] = Field(default="threads", title="Engine")
    """threads: this process; processes: all cores of this machine; dask, ray: a cluster; work-pool: flow runs on a
    Prefect work pool."""
    workers: int = Field(default=0, title="Workers", ge=0, le=MOST_WORKERS)
    """How many work at once; 0: as many as there are cores, or as the cluster has."""
    address: str = Field(default="", title="Address", json_schema_extra=ENV, examples=["tcp://scheduler:8786"])
    """Address of the Dask scheduler or the Ray cluster (empty: one on this machine), or the name of the work pool."""
