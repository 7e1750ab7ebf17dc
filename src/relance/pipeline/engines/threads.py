"""The engine of a single process: a stage runs in the thread that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.pipeline.engines import value_of

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Threads"]


class Threads:
    """Runs stages at once, in the thread of their batch.

    Splitting is Python and cannot run twice at once anyway: one batch is prepared after the other, so that embedding
    starts early.
    """

    workers = 1
    shares_memory = shares_disk = True

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> Future[Batch]:
        """Run a stage; the future has its outcome already."""
        done: Future[Batch] = Future()
        try:
            done.set_result(stage(*map(value_of, values)))
        except BaseException as error:  # raised to whoever wants the result
            done.set_exception(error)
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing is open."""
