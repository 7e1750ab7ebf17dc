"""An engine around another one: it takes what is submitted on its way, and is the other in everything else."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from relance.pipeline.engines import Engine

__all__ = ["Around"]


class Around:
    """What engines around others have in common; `submit` is theirs."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner

    @property
    def workers(self) -> int:
        """Those of the inner engine."""
        return self.inner.workers

    @property
    def shares_memory(self) -> bool:
        """Whether the inner engine does."""
        return self.inner.shares_memory

    @property
    def shares_disk(self) -> bool:
        """Whether the inner engine does."""
        return self.inner.shares_disk

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.inner.__exit__(kind, error, trace)
