"""Vectors for texts: bought ones are reused, those another call is buying are waited for, the rest is bought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relance.documents import digest
from relance.providers import InputType, Provider
from relance.providers.dispatch import Dispatcher, Job
from relance.spec import EmbeddingSpec

__all__ = ["Embedded", "Embedder", "VectorStore", "vector_key"]


class VectorStore(Protocol):
    """Vectors by content: a key stands for exact text, role and vector space."""

    def get(self, keys: list[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors there are, including those put a moment ago; each of shape (dimension,).

        Called from several threads.
        """
        ...

    def put(self, keys: list[str], vectors: NDArray[np.float32]) -> None:
        """Keep vectors, shape (len(keys), dimension); must be quick, for the event loop waits."""
        ...


@dataclass(slots=True)
class Embedded:
    """What has become of the texts of one call: each is reused, embedded, a duplicate or a failure.

    Attributes:
        vectors: float32, shape (texts, dimension); rows of failed texts are NaN.
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
    reused: int = 0
    embedded: int = 0
    duplicates: int = 0
    tokens: int = 0
    requests: int = 0
    cost_usd: float = 0.0


# A vector, the reason why there is none, or None: the call that was at it has given up.
Outcome = NDArray[np.float32] | str | None
Claims = dict[str, "asyncio.Future[Outcome]"]


def vector_key(space: str, input_type: InputType, text: str) -> str:
    """Name a vector by everything that decides it, for the store."""
    return digest("vector", space, input_type, text)


class Embedder:
    """Embeds through one provider and one store; made once, called by many tasks of one event loop."""

    def __init__(self, provider: Provider, spec: EmbeddingSpec, store: VectorStore | None = None) -> None:
        self.provider = provider
        self.store = store
        self.dispatcher = Dispatcher(provider, spec)
        self._max_input_tokens = spec.max_input_tokens or provider.info.max_input_tokens
        self._pending: Claims = {}

    async def embed(
        self,
        texts: list[str],
        *,
        input_type: InputType,
        tokens: NDArray[np.int64] | None = None,
        spend: Callable[[int], None] | None = None,
        account: Callable[[Embedded], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Embedded:
        """Embed texts; those that cannot be are reported in `failures`, never raised.

        Args:
            texts: any number, repeats allowed.
            input_type: whether they are documents or queries.
            tokens: counts by the provider's tokenizer if they are known, shape (len(texts),).
            spend: called with a request's tokens before it is sent, and with as many less than none if it fails; may
                raise BudgetError.
            account: called with the result when the call ends, also with an error: what was bought is bought.
            stop: asked before each request; true ends the call with RetryableError.

        Raises RetryableError (service away or attempts used up), ConfigurationError, AccountError, or what `spend`
        raised. What was embedded until then is in the store.
        """
        info = self.provider.info
        result = Embedded(np.full((len(texts), info.dimension), np.nan, dtype=np.float32))
        places: dict[str, list[int]] = {}
        for position, text in enumerate(texts):
            if text.strip():
                places.setdefault(vector_key(info.space, input_type, text), []).append(position)
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
                wanted = [_sendable(texts[position]) for position in first]
                counts = None if tokens is None else tokens[first]
                try:
                    await self._obtain(claims, wanted, counts, result, input_type=input_type, spend=spend, stop=stop)
                finally:
                    for key, claim in claims.items():
                        del self._pending[key]
                        if not claim.done():
                            claim.set_result(None)
                if others:
                    await asyncio.wait(others.values())
                left = _collect(claims, places, result) + _collect(others, places, result, bought=False)
        finally:
            result.cost_usd = result.tokens * (info.price_per_million_tokens or 0.0) / 1e6
            if account:
                account(result)
        return result

    async def _obtain(
        self,
        claims: Claims,
        texts: list[str],
        counts: NDArray[np.int64] | None,
        result: Embedded,
        *,
        input_type: InputType,
        spend: Callable[[int], None] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        """Settle claims (in the order of their texts) from the store, then from the provider; count into result."""
        keys = list(claims)
        if self.store is not None and keys:
            known = await asyncio.to_thread(self.store.get, keys)
            for key, vector in known.items():
                claims[key].set_result(vector)
            result.reused += len(known)
            missing = [position for position, key in enumerate(keys) if key not in known]
            keys, texts = [keys[position] for position in missing], [texts[position] for position in missing]
            counts = None if counts is None else counts[missing]
        if not keys:
            return
        if counts is None:
            counts = await self._count(texts, rough=input_type == "query" and spend is None)
        if self._max_input_tokens and (counts > self._max_input_tokens).any():
            fits = (counts <= self._max_input_tokens).tolist()
            for key, count, fit in zip(keys, counts.tolist(), fits, strict=True):
                if not fit:
                    limit = f"{self.provider.info.name} takes at most {self._max_input_tokens:,}"
                    claims[key].set_result(f"The text has {count:,} tokens; {limit}.")
            keys = [key for key, fit in zip(keys, fits, strict=True) if fit]
            texts = [text for text, fit in zip(texts, fits, strict=True) if fit]
            counts = counts[fits]

        def done(positions: list[int], vectors: NDArray[np.float32]) -> None:
            names = [keys[position] for position in positions]
            if self.store is not None:
                self.store.put(names, vectors)
            for name, vector in zip(names, vectors, strict=True):
                claims[name].set_result(vector)
            result.embedded += len(positions)

        def failed(position: int, reason: str) -> None:
            claims[keys[position]].set_result(reason)

        job = Job(texts, counts, input_type, done=done, failed=failed, spend=spend, stop=stop)
        try:
            await self.dispatcher.run(job)
        finally:
            result.tokens += job.billed
            result.requests += job.requests

    async def _count(self, texts: list[str], *, rough: bool) -> NDArray[np.int64]:
        """Count tokens; if rough, the length in bytes will do where even that is within every limit.

        Loading a tokenizer takes up to a second, too long for a single question.
        """
        dispatcher = self.dispatcher
        if rough and not dispatcher.token_rate:
            bounds = np.array([len(text.encode()) for text in texts], dtype=np.int64)
            limits = [limit for limit in (self._max_input_tokens, dispatcher.max_tokens) if limit]
            if bounds.sum() <= min(limits, default=bounds.sum()):
                return bounds
        return await asyncio.to_thread(self.provider.tokenizer.count, texts)


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
            for position in places[key]:
                result.vectors[position] = outcome
            result.duplicates += len(places[key]) - bought
    return given_up


def _sendable(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON may smuggle in and no service takes, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
