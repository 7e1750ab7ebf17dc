"""Which engine a run uses: as its spec says, unless whoever starts it says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.config.engine import MOST_WORKERS, EngineName, EngineSpec
from relance.errors import ConfigurationError
from relance.pipeline.engines.read_here import read_here
from relance.pipeline.engines.threads import Threads

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.pipeline.engines import Engine

__all__ = ["choose", "open_engine"]


def choose(spec: EngineSpec, name: EngineName = "", workers: int = 0) -> EngineSpec:
    """Say which engine a run uses; another one than the spec's has not the spec's address."""
    if not 0 <= workers <= MOST_WORKERS:
        msg = f"workers must be from 0 to {MOST_WORKERS}, got {workers}"
        raise ConfigurationError(msg)
    if name and name != spec.name:
        spec = EngineSpec(name=name)
    return spec.model_copy(update={"workers": workers}) if workers else spec


def open_engine(spec: IndexSpec, name: EngineName = "", workers: int = 0) -> Engine:
    """Make an engine that needs no Prefect; raises ConfigurationError for one that does."""
    chosen = choose(spec.engine, name, workers)
    if chosen.name == "processes":
        from relance.pipeline.engines.processes import Processes

        return Processes(chosen.workers)
    if chosen.name == "dask":
        from relance.pipeline.engines.dask import Dask

        return read_here(Dask(chosen.workers, chosen.address), spec)
    if chosen.name == "ray":
        from relance.pipeline.engines.ray import Ray

        return read_here(Ray(chosen.workers, chosen.address), spec)
    if chosen.name == "work-pool":
        msg = "engine work-pool hands batches to flow runs of Prefect; start it with `relance ingest`, or as a flow run"
        raise ConfigurationError(msg)
    return Threads()
