"""Any engine, for sources that only this machine sees: documents are read here, and split and embedded there."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.pipeline import stages
from relance.pipeline.engines.threads import Threads
from relance.sources import open_sources

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.pipeline.batch import Batch
    from relance.pipeline.engines import Engine, Future

__all__ = ["ReadHere", "read_here"]


def read_here(engine: Engine, spec: IndexSpec) -> Engine:
    """Leave loading to this process where workers do not share its disk and a source is a folder on it."""
    places = (source.location() for source in open_sources(spec))
    if engine.shares_disk or not any(place is not None and place.path is not None for place in places):
        return engine
    return ReadHere(engine)


class ReadHere:
    """Loads in the thread of the batch; everything else is the engine's."""

    shares_memory = False
    shares_disk = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here = Threads()

    @property
    def workers(self) -> int:
        """Those of the engine."""
        return self._engine.workers

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> Future:
        """Run a stage here or there."""
        if stage is stages.load:
            return self._here.submit(stage, *values)
        return self._engine.submit(stage, *(each.result() if hasattr(each, "result") else each for each in values))

    def __enter__(self) -> Self:
        self._engine.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._engine.__exit__(kind, error, trace)
