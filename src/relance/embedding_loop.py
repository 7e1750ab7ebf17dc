"""The one event loop all embedding requests of a run share, and the door to it from the stages' threads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from relance.providers import InputType, Provider
from relance.spec import IndexSpec

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from relance.embedder import Embedded, VectorStore

__all__ = ["EmbeddingLoop"]


class EmbeddingLoop:
    """Runs an embedder in a thread of its own, so that limits and connections are shared by all batches."""

    def __init__(
        self,
        provider: Provider,
        spec: IndexSpec,
        store: VectorStore | None,
        *,
        spend: Callable[[int], None] | None = None,
        account: Callable[[Embedded], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        from relance.embedder import Embedder

        self._provider = provider
        self._embedder = Embedder(provider, spec.embedding, store)
        self._hooks: dict[str, Any] = {"spend": spend, "account": account, "stop": stop}
        self._exits = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        from anyio.from_thread import start_blocking_portal

        self._portal = self._exits.enter_context(start_blocking_portal())
        return self

    def __exit__(self, *error: object) -> None:
        if self._portal is not None:
            self._portal.call(self._provider.aclose)
        self._exits.close()

    def call(self, texts: list[str], tokens: NDArray[np.int64] | None = None, *,
             input_type: InputType = "document") -> Embedded:  # fmt: skip
        """Embed texts and wait for the result."""
        assert self._portal is not None  # noqa: S101  # used inside the with block
        work = partial(self._embedder.embed, texts, input_type=input_type, tokens=tokens, **self._hooks)
        return self._portal.call(work)
