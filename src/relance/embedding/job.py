"""The inputs of one call, and what has come of them so far."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import Media
from relance.embedding.budget import CostMeter
from relance.embedding.providers import Input, InputType
from relance.errors import RetryableError

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse

__all__ = ["STOPPED", "Instead", "Job"]

# Gives the content of an image or video in place of its address.
Instead = Callable[[Media], Awaitable[Media]]

STOPPED = "Embedding was stopped; the next run goes on from here."


@dataclass(slots=True, eq=False)
class Job:
    """The inputs of one call, and what has come of them so far.

    Attributes:
        inputs: what to embed, none blank or too long.
        tokens: count per input, shape (len(inputs),); an estimate where the tokenizer is one.
        input_type: what the inputs are.
        done: called with positions, their checked vectors and sparse vectors as soon as a reply is in.
        failed: called with a position and the reason why this input has no vector.
        meter: pays each request before it is sent, or stops the job with BudgetError.
        instead: gives the file of an input whose address the service could not fetch; raises RelanceError with why not.
        stop: asked before each request; true ends the job with RetryableError.
        billed: tokens as billed, or as counted where the provider does not say.
        cost_usd: of what was billed, by the provider's price; 0.0 where none is known.
        requests: made, including refused and repeated ones.
        ended: whether no further request may be sent.
        error: why, if it is for an error.
        sending: tasks with a request in flight.
    """

    inputs: list[Input]
    tokens: NDArray[np.int64]
    input_type: InputType
    done: Callable[[list[int], NDArray[np.float32], list[Sparse] | None], None]
    failed: Callable[[int, str], None]
    meter: CostMeter | None = None
    stop: Callable[[], bool] | None = None
    instead: Instead | None = None
    billed: int = 0
    cost_usd: float = 0.0
    requests: int = 0
    ended: bool = False
    error: Exception | None = None
    sending: set[asyncio.Task[Any] | None] = field(default_factory=set)

    def check(self) -> None:
        """Raise RetryableError when no further request may be sent."""
        self.ended = self.ended or bool(self.stop and self.stop())
        if self.ended:
            raise RetryableError(STOPPED)

    def end(self, error: Exception) -> None:
        """Send nothing more; the first error that waiting does not cure, else the first, is the one to raise."""
        self.ended = True
        if self.error is None or (isinstance(self.error, RetryableError) and not isinstance(error, RetryableError)):
            self.error = error
