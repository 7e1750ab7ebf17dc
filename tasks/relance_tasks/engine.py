"""Each stage of a batch as a task run of Prefect, whatever engine executes it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from prefect.futures import PrefectFuture

from relance.pipeline import stages
from relance.pipeline.batch import Batch
from relance.pipeline.engines import Engine
from relance_tasks.chunk import chunk
from relance_tasks.embed import embed
from relance_tasks.load import load

__all__ = ["PrefectEngine", "batch_of"]

_TASKS: dict[Callable[..., Batch], Any] = {stages.load: load, stages.chunk: chunk, stages.embed: embed}


def batch_of(value: Batch | PrefectFuture[Batch]) -> Batch:
    """Return a batch, or wait for the one that a future stands for."""
    return value.result() if isinstance(value, PrefectFuture) else value


class PrefectEngine:
    """Submits stages as tasks of the flow run at work; each waits in a thread for the engine that executes it.

    So workers need nothing of Prefect: through its own runners for Dask and Ray a task costs 0.3 CPU-s and a worker
    that reaches the server, this way 6 ms and none.
    """

    def __init__(self, inner: Engine) -> None:
        self._inner = inner

    @property
    def workers(self) -> int:
        """Those of the engine."""
        return self._inner.workers

    @property
    def shares_memory(self) -> bool:
        """Whether the engine does."""
        return self._inner.shares_memory

    @property
    def shares_disk(self) -> bool:
        """Whether the engine does."""
        return self._inner.shares_disk

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> PrefectFuture[Batch]:
        """Submit a stage; futures among the values become the edges of the run's graph."""
        made = [each.result() if isinstance(each, PrefectFuture) else each for each in values]
        values_of_stage = [each for each in made if not isinstance(each, str)]  # what discovery found is a sentence
        after = [each for each in values if isinstance(each, PrefectFuture)]
        return _TASKS[stage].submit(self._inner, *values_of_stage, after=after)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._inner.__exit__(kind, error, trace)
