"""Each stage of a batch as a task run of Prefect, whatever engine executes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.futures import PrefectFuture

from relance.pipeline import stages
from relance.pipeline.batch import Batch
from relance.pipeline.engines import value_of
from relance.pipeline.engines.around import Around
from relance_tasks.chunk import chunk
from relance_tasks.embed import embed
from relance_tasks.load import load

__all__ = ["PrefectEngine"]

_TASKS: dict[Callable[..., Batch], Any] = {stages.load: load, stages.chunk: chunk, stages.embed: embed}


class PrefectEngine(Around):
    """Submits stages as tasks of the flow run at work; each waits in a thread for the engine that executes it.

    So workers need nothing of Prefect: through its own runners for Dask and Ray a task costs 0.3 CPU-s and a worker
    that reaches the server, this way 6 ms and none.
    """

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> PrefectFuture[Batch]:
        """Submit a stage; futures among the values become the edges of the run's graph."""
        made = map(value_of, values)
        values_of_stage = [each for each in made if not isinstance(each, str)]  # what discovery found is a sentence
        after = [each for each in values if isinstance(each, PrefectFuture)]
        return _TASKS[stage].submit(self.inner, *values_of_stage, after=after)
