"""The door from the stages' threads to an embedder on the process's event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.embedding.providers import InputType, Provider
from relance.http.event_loop import event_loop

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from relance.embedding.budget import CostMeter
    from relance.embedding.embedder import Embedded, Embedder, VectorStore
    from relance.embedding.job import Instead
    from relance.embedding.rate_limits import RateLimit

__all__ = ["EmbeddingLoop"]


class EmbeddingLoop:
    """Runs an embedder on the event loop, so that limits and connections are shared by all batches."""

    def __init__(
        self,
        provider: Provider,
        spec: EmbeddingSpec,
        store: VectorStore | None,
        *,
        meter: CostMeter | None = None,
        account: Callable[[Embedded], None] | None = None,
        stop: Callable[[], bool] | None = None,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._provider = provider
        self._spec = spec
        self._store = store
        self._hooks: dict[str, Any] = {"meter": meter, "account": account, "stop": stop}
        self._on_wait = on_wait
        self._exits = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None
        self._embedder: Embedder | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            self._portal = exits.enter_context(event_loop())
            exits.callback(self._portal.call, self._provider.aclose)
            self._embedder = self._portal.call(self._open)
            self._embedder.dispatcher.on_wait = self._on_wait
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def call(self, inputs: list[Any], tokens: NDArray[np.int64] | None = None, *, input_type: InputType = "document",
             keys: Sequence[str] = (), meter: CostMeter | None = None,
             instead: Instead | None = None) -> Embedded:  # fmt: skip
        """Embed texts or Media and wait for the result; `meter` pays for this call in place of the one for all.

        `keys` are what `vector_key` names each input, where that is known; `instead` gives the file of an image or
        video whose address the service could not fetch.
        """
        assert self._portal is not None  # noqa: S101  # used inside the with block
        assert self._embedder is not None  # noqa: S101
        hooks = self._hooks if meter is None else self._hooks | {"meter": meter}
        options = {"input_type": input_type, "tokens": tokens, "keys": keys, "instead": instead}
        return self._portal.call(partial(self._embedder.embed, inputs, **options, **hooks))

    @property
    def refusals(self) -> int:
        """How often the service has said that there were too many requests at once."""
        assert self._embedder is not None  # noqa: S101  # used inside the with block
        return self._embedder.dispatcher.concurrency.epoch

    def share(self, part: float) -> None:
        """Use only a part (0 to 1) of the account's rates and connections: other processes have the rest."""
        assert self._embedder is not None  # noqa: S101  # used inside the with block
        for rate in self.rates:
            rate.share = part
        self._embedder.dispatcher.concurrency.maximum = max(1, round(self._spec.max_concurrency * part))

    @property
    def rates(self) -> tuple[RateLimit, RateLimit]:
        """The limits of requests and tokens per minute, shared by everybody who calls the same service."""
        assert self._embedder is not None  # noqa: S101  # used inside the with block
        return self._embedder.dispatcher.request_rate, self._embedder.dispatcher.token_rate

    async def _open(self) -> Embedder:
        from relance.embedding.embedder import Embedder

        return Embedder(self._provider, self._spec, self._store, shared=True)
