"""Vectors for texts: bought ones are reused, those another call is buying are waited for, the rest is bought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.counted import counted
from relance.documents import Media, digest
from relance.embedding.budget import CostMeter
from relance.embedding.dispatch import Dispatcher
from relance.embedding.job import Instead, Job
from relance.embedding.providers import Input, InputType, Provider

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse

__all__ = ["Embedded", "Embedder", "Vector", "VectorStore", "vector_key"]

# What a model makes of one input: float32 of shape (dimension,), and a sparse vector where it makes those.
Vector = tuple[NDArray[np.float32], "Sparse | None"]


class VectorStore(Protocol):
    """Vectors by content: a key stands for exact text, role and vector space."""

    def get(self, keys: list[str]) -> dict[str, Vector]:
        """Return the vectors there are, including those put a moment ago.

        Called from several threads.
        """
        ...

    def put(self, keys: list[str], vectors: NDArray[np.float32], sparse: list[Sparse] | None = None) -> None:
        """Keep vectors, shape (len(keys), dimension); must be quick, for the event loop waits."""
        ...


@dataclass(slots=True)
class Embedded:
    """What has become of the inputs of one call: each is reused, embedded, a duplicate or a failure.

    Attributes:
        vectors: float32, shape (inputs, dimension); rows of failed ones are NaN.
        sparse: sparse vectors beside them, None for failed ones; empty for models that make none.
        failures: position → reason, one plain sentence.
        reused: texts whose vector was in the store.
        embedded: texts whose vector was bought by this call.
        duplicates: texts equal to another one of this call, or to one that another call was buying at the time.
        tokens: as billed for this call.
        requests: made by this call, including refused and repeated ones.
        cost_usd: of `tokens`; 0.0 where no price is known.
    """

    vectors: NDArray[np.float32]
    failures: dict[int, str] = field(default_factory=dict)
    sparse: list[Sparse | None] = field(default_factory=list)
    reused: int = 0
    embedded: int = 0
    duplicates: int = 0
    tokens: int = 0
    requests: int = 0
    cost_usd: float = 0.0


# A vector, the reason why there is none, or None: the call that was at it has given up.
Outcome = Vector | str | None
Claims = dict[str, "asyncio.Future[Outcome]"]


def vector_key(space: str, input_type: InputType, value: Input) -> str:
    """Name a vector by everything that decides it, for the store."""
    if isinstance(value, Media):
        return digest("media", space, input_type, value.identity)
    return digest("vector", space, input_type, value)


class Embedder:
    """Embeds through one provider and one store; made once, called by many tasks of one event loop."""

    def __init__(self, provider: Provider, spec: EmbeddingSpec, store: VectorStore | None = None, *,
                 shared: bool = False) -> None:  # fmt: skip
        self.provider = provider
        self.store = store
        self.dispatcher = Dispatcher(provider, spec, shared=shared)
        self._max_input_tokens = spec.max_input_tokens or provider.info.max_input_tokens
        self._pending: Claims = {}

    async def embed(
        self,
        inputs: list[Any],
        *,
        input_type: InputType,
        tokens: NDArray[np.int64] | None = None,
        keys: Sequence[str] = (),
        meter: CostMeter | None = None,
        account: Callable[[Embedded], None] | None = None,
        stop: Callable[[], bool] | None = None,
        instead: Instead | None = None,
    ) -> Embedded:
        """Embed texts and Media; those that cannot be are reported in `failures`, never raised.

        Args:
            inputs: any number, repeats allowed.
            input_type: whether they are documents or queries.
            tokens: counts by the provider's tokenizer if they are known, shape (len(inputs),).
            keys: what `vector_key` names each input, where it is known.
            meter: pays each request before it is sent; may raise BudgetError.
            account: called with the result when the call ends, also with an error: what was bought is bought.
            stop: asked before each request; true ends the call with RetryableError.
            instead: gives the file of an image or video whose address the service could not fetch.

        Raises RetryableError (service away or attempts used up), ConfigurationError, AccountError, or what
        `meter` raised. What was embedded until then is in the store.
        """
        info = self.provider.info
        result = Embedded(np.full((len(inputs), info.dimension), np.nan, dtype=np.float32))
        if info.sparse:
            result.sparse = [None] * len(inputs)
        places: dict[str, list[int]] = {}
        keys = keys or [vector_key(info.space, input_type, value) for value in inputs]
        for position, value in enumerate(inputs):
            if isinstance(value, Media) or value.strip():
                places.setdefault(keys[position], []).append(position)
            else:
                result.failures[position] = "The text is blank."

        try:
            left = list(places)
            while left:
                # No await between looking and claiming, or two calls could claim the same text.
                others = {key: self._pending[key] for key in left if key in self._pending}
                claims: Claims = {key: asyncio.get_running_loop().create_future() for key in left if key not in others}
                self._pending |= claims
                first = [places[key][0] for key in claims]
                wanted = [_sendable(inputs[position]) for position in first]
                counts = None if tokens is None else tokens[first]
                try:
                    await self._obtain(claims, wanted, counts, result, input_type=input_type, meter=meter, stop=stop,
                                       instead=instead)  # fmt: skip
                finally:
                    for key, claim in claims.items():
                        del self._pending[key]
                        if not claim.done():
                            claim.set_result(None)
                if others:
                    await asyncio.wait(others.values())
                left = _collect(claims, places, result) + _collect(others, places, result, bought=False)
        finally:
            if account:
                account(result)
        return result

    async def _obtain(
        self,
        claims: Claims,
        inputs: list[Input],
        counts: NDArray[np.int64] | None,
        result: Embedded,
        *,
        input_type: InputType,
        meter: CostMeter | None,
        stop: Callable[[], bool] | None,
        instead: Instead | None,
    ) -> None:
        """Settle claims (in the order of their inputs) from the store, then from the provider; count into result."""
        keys = list(claims)
        if self.store is not None and keys:
            known = await asyncio.to_thread(self.store.get, keys)
            for key, vector in known.items():
                claims[key].set_result(vector)
            result.reused += len(known)
            missing = [position for position, key in enumerate(keys) if key not in known]
            keys, inputs = [keys[position] for position in missing], [inputs[position] for position in missing]
            counts = None if counts is None else counts[missing]
        if not keys:
            return
        if counts is None:
            counts = await self._count(inputs, rough=input_type == "query" and meter is None)
        # The limit is one of texts; media were measured against rules of their own when they were loaded.
        fits = [isinstance(value, Media) or count <= (self._max_input_tokens or count)
                for value, count in zip(inputs, counts.tolist(), strict=True)]  # fmt: skip
        if not all(fits):
            for key, count, fit in zip(keys, counts.tolist(), fits, strict=True):
                if not fit:
                    limit = f"{self.provider.info.name} takes at most {self._max_input_tokens:,}"
                    claims[key].set_result(f"The text has {counted(count, 'token')}; {limit}.")
            keys = [key for key, fit in zip(keys, fits, strict=True) if fit]
            inputs = [value for value, fit in zip(inputs, fits, strict=True) if fit]
            counts = counts[fits]

        def done(positions: list[int], vectors: NDArray[np.float32], sparse: list[Sparse] | None) -> None:
            names = [keys[position] for position in positions]
            if self.store is not None:
                self.store.put(names, vectors, sparse)
            for at, name in enumerate(names):
                claims[name].set_result((vectors[at], sparse[at] if sparse else None))
            result.embedded += len(positions)

        def failed(position: int, reason: str) -> None:
            claims[keys[position]].set_result(reason)

        extra = [0 if isinstance(value, Media) else self.provider.info.tokens_per_text for value in inputs]
        counts = counts + np.array(extra, dtype=np.int64)
        job = Job(inputs, counts, input_type, done=done, failed=failed, meter=meter, stop=stop,
                  instead=instead)  # fmt: skip
        try:
            await self.dispatcher.run(job)
        finally:
            result.tokens += job.billed
            result.cost_usd += job.cost_usd
            result.requests += job.requests

    async def _count(self, inputs: list[Input], *, rough: bool) -> NDArray[np.int64]:
        """Count tokens; if rough, the length in bytes will do where even that is within every limit.

        Loading a tokenizer takes up to a second, too long for a single question.
        """
        dispatcher = self.dispatcher
        counts = np.array([value.tokens if isinstance(value, Media) else len(value.encode()) for value in inputs])
        texts = [value for value in inputs if isinstance(value, str)]
        if rough and not dispatcher.token_rate:
            limits = [limit for limit in (self._max_input_tokens, dispatcher.max_tokens) if limit]
            if counts.sum() <= min(limits, default=counts.sum()):
                return counts
        if texts:
            at = [isinstance(value, str) for value in inputs]
            counts[at] = await asyncio.to_thread(self.provider.tokenizer.count, texts)
        return counts


def _collect(futures: Claims, places: dict[str, list[int]], result: Embedded, *, bought: bool = True) -> list[str]:
    """Write outcomes into the result; return the keys that another call, cancelled or failed, has left to this one."""
    given_up = []
    for key, future in futures.items():
        outcome = future.result()
        if outcome is None:
            given_up.append(key)
        elif isinstance(outcome, str):
            result.failures |= dict.fromkeys(places[key], outcome)
        else:
            vector, sparse = outcome
            for position in places[key]:
                result.vectors[position] = vector
                if result.sparse:
                    result.sparse[position] = sparse
            result.duplicates += len(places[key]) - bought
    return given_up


def _sendable(text: Input) -> Input:
    """Replace halves of surrogate pairs, which JSON may smuggle in and no service takes, by U+FFFD."""
    if isinstance(text, Media):
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
