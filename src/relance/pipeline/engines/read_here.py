"""Any engine, for sources that only this machine sees: documents are read here, and split and embedded there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from relance.pipeline import stages
from relance.pipeline.engines import value_of
from relance.pipeline.engines.around import Around
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


class ReadHere(Around):
    """Loads in the thread of the batch; everything else is the engine's."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self._here = Threads()

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> Future:
        """Run a stage here or there."""
        engine = self._here if stage is stages.load else self.inner
        return engine.submit(stage, *map(value_of, values))
