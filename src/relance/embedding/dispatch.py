"""Texts out, vectors in: full requests, several at once, within every limit, tried again where that helps."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.documents import Media
from relance.embedding.budget import CostMeter, cost_usd
from relance.embedding.providers import BadReplyError, Input, InputType, Provider, Reply
from relance.embedding.rate_limits import Limits, shared_limits
from relance.embedding.traffic import Traffic
from relance.embedding.vectors import check_vectors
from relance.errors import (
    BudgetError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RetryableError,
    SuspectInputError,
)

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse

__all__ = ["Dispatcher", "Job", "load_of", "pack"]

# A service that asks for a longer pause is not waited for here: the batch is left to the next run.
PATIENCE_S = 300.0
STOPPED = "Embedding was stopped; the next run goes on from here."
POLL_S = 0.2
# Before a refused batch is searched for the guilty text, this many single texts must show that it is not the request
# itself that is wrong; else a wrong setting would turn every text into a failure, at two requests a text.
PROBES = 5
# So often a service may fall over an input before the input is blamed for it.
FALLS = 2


def pack(
    tokens: NDArray[np.int64],
    *,
    max_texts: int,
    max_tokens: int,
    loads: Sequence[Mapping[str, int]] = (),
    most: Mapping[str, int] | None = None,
) -> Iterator[list[int]]:
    """Group positions in order into requests of at most so many inputs and tokens; 0 is no limit.

    An input that is over a limit alone gets a request of its own. Where `loads` says what each input weighs (such as
    one `image` and one of the `pictures`), a request holds at most `most` of each.
    """
    batch: list[int] = []
    total = 0
    held: Counter[str] = Counter()
    for position, count in enumerate(tokens.tolist()):
        load = loads[position] if loads else {}
        over = any(limit and held[name] + load.get(name, 0) > limit for name, limit in (most or {}).items())
        if batch and (over or (max_texts and len(batch) >= max_texts) or (max_tokens and total + count > max_tokens)):
            yield batch
            batch, total = [], 0
            held.clear()
        batch.append(position)
        held.update(load)
        total += count
    if batch:
        yield batch


def load_of(value: Input) -> dict[str, int]:
    """Say what an input weighs in a request: one of its kind, and so many pictures."""
    if not isinstance(value, Media):
        return {}
    pictures = 0 if value.kind == "video" else max(1, len(value.urls) + len(value.data))
    return {value.kind: 1, "pictures": pictures}


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


class Dispatcher:
    """Sends jobs to one provider; all jobs share its limits. Belongs to one event loop.

    With `shared` (made on that loop) it shares them with every other dispatcher there that calls the same service.
    What waiting does not cure (a refused key, a bill) it remembers: later jobs raise it without a request.
    """

    def __init__(self, provider: Provider, spec: EmbeddingSpec, *, shared: bool = False) -> None:
        info = provider.info
        self._provider = provider
        self._attempts = spec.max_attempts
        self.max_texts = spec.batch_texts or info.batch_texts
        self.max_tokens = spec.batch_tokens or info.batch_tokens
        rates = {
            # A local model uses all cores for one request.
            "concurrency": 1 if info.local else spec.max_concurrency,
            "requests_per_minute": spec.requests_per_minute or info.requests_per_minute,
            "tokens_per_minute": spec.tokens_per_minute or info.tokens_per_minute,
        }
        limits = shared_limits((info.name, info.region, spec.base_url), **rates) if shared else Limits.of(**rates)
        self.concurrency, self.request_rate, self.token_rate = limits.concurrency, limits.requests, limits.tokens
        self._traffic = Traffic(info, self.concurrency)
        self._accepted = False
        self._refused: Exception | None = None
        self._jobs: set[Job] = set()

    async def run(self, job: Job) -> None:
        """Send all of a job's texts.

        The first error that is not one text's fault ends the job, and one that waiting does not cure all jobs: what
        waits is dropped, what is in flight is still received and handed to `done`, then the error is raised.
        """
        if self._refused is not None:  # a job that comes a moment after the others were ended
            raise self._refused
        most = self._provider.info.media_per_request
        loads = [load_of(value) for value in job.inputs] if most else ()
        batches = pack(job.tokens, max_texts=self.max_texts, max_tokens=self.max_tokens, loads=loads, most=most)
        tasks = [asyncio.create_task(self._batch(job, batch)) for batch in batches]
        if not tasks:
            return
        self._jobs.add(job)
        try:
            waiting = set(tasks)
            while waiting and not job.ended:
                # Woken now and then, for a request may wait minutes to be tried again.
                _, waiting = await asyncio.wait(waiting, timeout=POLL_S, return_when=asyncio.FIRST_EXCEPTION)
                if waiting and job.stop and job.stop():
                    job.end(RetryableError(STOPPED))
            if waiting:
                for task in waiting - job.sending:
                    task.cancel()
                await asyncio.wait(waiting)
        finally:  # something is left to end only if we were cancelled ourselves
            job.ended = True
            self._jobs.discard(job)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if job.error is not None:
            raise job.error

    async def _batch(self, job: Job, batch: list[int]) -> None:
        # The slot is kept while a request waits to be tried again: the others queue instead of being refused too.
        async with self.concurrency:
            try:
                job.check()
                size = self.max_texts or len(batch)  # less than when it was packed, where the service took fewer
                for at in range(0, len(batch), size):
                    await self._search(job, batch[at : at + size])
            except Exception as error:
                # Here and not in `run`: the next in line gets this slot before `run` hears of it.
                for each in (job,) if isinstance(error, RetryableError) else tuple(self._jobs):
                    each.end(error)
                if not isinstance(error, RetryableError | BudgetError):  # a budget is the job's own
                    self._refused = self._refused or error
                raise

    async def _search(self, job: Job, batch: list[int]) -> None:
        """Send a batch; if it is refused, search it by halves, so that only the guilty texts fail."""
        parts = deque([batch])
        refused = 0
        probing = len(batch) > 2 * PROBES and not self._accepted
        while parts:
            part = parts.popleft()
            try:
                reply = await self._send(job, part)
            except (InputError, SuspectInputError) as error:
                if len(part) == 1:
                    job.failed(part[0], str(error))
                    refused += 1
                    if probing and refused == PROBES and not self._accepted:
                        if isinstance(error, SuspectInputError):
                            raise  # it falls over everything: it is the service, and waiting helps
                        msg = f"Every text is refused, so it must be the request that is wrong. {error}"
                        raise ConfigurationError(msg) from error
                else:
                    parts.extend(_halves(part, probes=PROBES if probing and part is batch else 0))
            else:
                self._accepted = True
                self._keep(job, part, reply)
        if not refused and len(part) < len(batch) and all(isinstance(job.inputs[position], str) for position in batch):
            # Nothing was wrong with the texts: the service takes fewer at once than we thought. Of media that says
            # nothing: the service fetches them itself, which may fail once.
            self.max_texts = min(self.max_texts or len(batch), len(part))

    async def _send(self, job: Job, part: list[int]) -> Reply:
        """Make one request, again if need be; return a reply with vectors of shape (len(part), dimension)."""
        import stamina

        bad_replies = falls = 0

        def again(error: Exception) -> bool | float:
            nonlocal bad_replies, falls
            bad_replies += isinstance(error, BadReplyError)
            falls += isinstance(error, SuspectInputError)
            if job.ended or not isinstance(error, RetryableError) or bad_replies > 1 or falls > FALLS:
                return False
            if isinstance(error, RateLimitedError) and (pause := error.retry_after_s) is not None:
                # A little more, and not the same for all: clocks differ, and so should the moments of the next tries.
                return pause <= PATIENCE_S and pause + random.uniform(0.0, 0.1 + 0.1 * pause)  # noqa: S311  # jitter
            return True

        attempts = stamina.retry_context(
            on=again, attempts=self._attempts, timeout=None, wait_initial=0.5, wait_max=30.0, wait_jitter=0.5
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._attempt(job, part)
        except BadReplyError as error:
            if bad_replies > 1:
                msg = f"{error} It did so twice: check embedding.model, embedding.dimension and embedding.base_url."
                raise ConfigurationError(msg) from error
            raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(self, job: Job, part: list[int]) -> Reply:
        count = int(job.tokens[part].sum())
        # Requests come last: they are spread evenly, and those that wait for tokens would leave in a bunch.
        await self.token_rate.acquire(count)
        await self.request_rate.acquire()
        job.check()
        if job.meter:
            job.meter.reserve(count)
        billed, paid = 0, None
        epoch = self.concurrency.epoch
        task = asyncio.current_task()
        job.sending.add(task)
        job.requests += 1
        try:
            with self._traffic.request(len(part), count):
                inputs = [job.inputs[position] for position in part]
                reply = await self._provider.embed(inputs, input_type=job.input_type)
            billed, paid = count if reply.tokens is None else reply.tokens, reply.cost_usd
        except RateLimitedError:
            self.concurrency.throttled(epoch)
            raise
        finally:
            job.sending.discard(task)
            if job.meter:
                paid = job.meter.settle(count, billed, paid)
        self.concurrency.succeeded()
        info = self._provider.info
        job.billed += billed
        job.cost_usd += (cost_usd(billed, info.price_per_million_tokens) or 0.0) if paid is None else paid
        expected = (len(part), info.dimension)
        if reply.vectors.shape != expected:
            raise BadReplyError(
                f"{info.name} answered with vectors of shape {reply.vectors.shape} instead of {expected}."
            )
        if info.sparse and len(reply.sparse or ()) != len(part):
            msg = f"{info.name} answered with {len(reply.sparse or ())} sparse vectors for {len(part)} texts."
            raise BadReplyError(msg)
        return reply

    def _keep(self, job: Job, part: list[int], reply: Reply) -> None:
        """Hand on the vectors that are fit to be stored, the rest as failures."""
        info = self._provider.info
        vectors, sparse = np.asarray(reply.vectors, dtype=np.float32), reply.sparse
        if not info.dimension:  # sparse vectors only; those were checked where they were made
            job.done(part, vectors, sparse)
            return
        vectors, bad = check_vectors(vectors, normalized=info.normalized)
        if not bad:
            job.done(part, vectors, sparse)
            return
        for at, what in bad.items():
            job.failed(part[at], f"{info.name} answered with a vector {what} for this text.")
        good = [at for at in range(len(part)) if at not in bad]
        if good:
            kept = None if sparse is None else [sparse[at] for at in good]
            job.done([part[at] for at in good], vectors[good], kept)


def _halves(part: list[int], *, probes: int) -> list[list[int]]:
    """Split a refused part in two, after so many single texts from all over it."""
    singles = part[:: len(part) // probes][:probes] if probes else []
    rest = [position for position in part if position not in singles]
    half = len(rest) // 2
    return [*([position] for position in singles), rest[:half], rest[half:]]
