"""Engines: what executes the stages."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Engine", "Future", "value_of"]


class Future(Protocol):
    """What comes of a stage."""

    def result(self) -> Batch:
        """Wait for the batch that the stage returns; raises what it raised."""
        ...


class Engine(Protocol):
    """Executes stages, here or elsewhere; a context manager."""

    @property
    def workers(self) -> int:
        """How many batches are worth being read and split at once."""
        ...

    @property
    def shares_memory(self) -> bool:
        """Whether stages run in this process, and share its model, meter and limits."""
        ...

    @property
    def shares_disk(self) -> bool:
        """Whether they run on this machine, and see its temporary files."""
        ...

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> Future:
        """Have a stage executed; a future among the values stands for its result."""
        ...

    def __enter__(self) -> Self:
        """Start what executes stages."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Let go of it."""
        ...


def value_of(value: Any) -> Any:
    """Return what was submitted, or wait for it where a future stands for it."""
    return value.result() if hasattr(value, "result") else value
