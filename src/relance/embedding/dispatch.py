"""Texts out, vectors in: full requests, several at once, within every limit, tried again where that helps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.embedding.budget import cost_usd
from relance.embedding.halving import Halving
from relance.embedding.job import STOPPED, Job
from relance.embedding.packing import load_of, pack
from relance.embedding.providers import BadReplyError, Input, Provider, Reply
from relance.embedding.rate_limits import Limits, shared_limits
from relance.embedding.traffic import Traffic
from relance.embedding.vectors import check_vectors, repeated_vector, unfit_vectors
from relance.errors import (
    AccountError,
    BudgetError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
    UnreachableError,
)

__all__ = ["Dispatcher"]

# A service that asks for a longer pause is not waited for here: the batch is left to the next run.
PATIENCE_S = 300.0
POLL_S = 0.2
# No service refuses this text: where it gets no vector either, something else is wrong than what was sent.
PROBE = "relance"
# So often batches that a service fell over may pass by halves before it is sent smaller ones.
CROWDED = 2


class Dispatcher:
    """Sends jobs to one provider; all jobs share its limits. Belongs to one event loop.

    With `shared` (made on that loop) it shares them with every other dispatcher there that calls the same service.
    What waiting does not cure (a refused key, a bill) it remembers: later jobs raise it without a request.
    """

    def __init__(self, provider: Provider, spec: EmbeddingSpec, *, shared: bool = False) -> None:
        info = provider.info
        self._provider = provider
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
        self.attempts = spec.max_attempts
        self.answered = 0  # requests that brought vectors
        self.outages = 0  # times that nothing was answered at all
        self.on_wait: Callable[[str], None] = lambda _: None  # called with why requests wait; empty: no longer
        self._waiting = False
        self.recovered = 0  # requests that brought vectors for what the service had fallen over before
        self._probing = asyncio.Lock()
        self._crowded = 0
        self._alone: tuple[Input, NDArray[np.float32]] | None = None  # what was last sent alone, and its vector
        self._vouched: set[bytes] = set()  # vectors that different texts may share
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
                    await Halving(self, job, batch[at : at + size]).run()
            except Exception as error:
                # Here and not in `run`: the next in line gets this slot before `run` hears of it.
                for each in (job,) if isinstance(error, RetryableError) else tuple(self._jobs):
                    each.end(error)
                if not isinstance(error, RetryableError | BudgetError):  # a budget is the job's own
                    self._refused = self._refused or error
                raise

    async def send(self, job: Job, part: list[int], *, again: Callable[[RelanceError], bool]) -> Reply:
        """Make one request, again while the service is not there or busy; return vectors (len(part), dimension).

        Args:
            job: whose inputs.
            part: their positions.
            again: asked after each other error that may pass, whether to try once more.
        """

        def wait(error: Exception) -> bool | float:
            if job.ended or not isinstance(error, RetryableError):
                return False
            self._say_wait(error)
            if isinstance(error, RateLimitedError) and (pause := error.retry_after_s) is not None:
                # A little more, and not the same for all: clocks differ, and so should the moments of the next tries.
                return pause <= PATIENCE_S and pause + random.uniform(0.0, 0.1 + 0.1 * pause)  # noqa: S311  # jitter
            return isinstance(error, RateLimitedError | UnreachableError) or again(error)

        async for attempt in self._tries(wait, self.attempts, wait_initial=0.5):
            with attempt:
                return await self._attempt(job, part)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def prove(self, job: Job, error: RelanceError) -> None:
        """Wait until the service is known to be well, after it gave this error.

        A text no service refuses is sent until it gets its vector, or anything else of ours does. Raises
        ConfigurationError where that is refused, too, and `error` where it is the account or nothing is answered.
        """
        before = self.answered
        if "text" not in self._provider.info.modalities:
            if isinstance(error, InputError):
                return
            raise error

        def wait(trouble: Exception) -> bool:
            if job.ended or not isinstance(trouble, RetryableError):
                return False
            self.outages += 1
            self._say_wait(trouble)
            return not (isinstance(trouble, BadReplyError) and isinstance(error, BadReplyError))

        try:
            async with self._probing:
                async for attempt in self._tries(wait, max(1, self.attempts - 1), wait_initial=1.0):
                    with attempt:
                        if self.answered == before:
                            await self._probe(job)
        except RelanceError as trouble:
            raise _verdict(error, trouble) from error

    async def _probe(self, job: Job) -> NDArray[np.float32]:
        """Ask for the vector of a text no service refuses, on the account of a job."""
        tokens = np.array([len(PROBE) + self._provider.info.tokens_per_text], dtype=np.int64)
        probe = Job([PROBE], tokens, job.input_type, lambda *_: None, lambda *_: None, job.meter, job.stop)
        try:
            reply = await self._attempt(probe, [0])
        finally:
            job.billed, job.cost_usd = job.billed + probe.billed, job.cost_usd + probe.cost_usd
            job.requests += probe.requests
        return np.asarray(reply.vectors, dtype=np.float32)

    def _say_wait(self, error: Exception) -> None:
        """Say to whoever watches the run why it stands still: a service may be tried for minutes."""
        self._waiting = True
        what = "fails"
        if isinstance(error, UnreachableError | RateLimitedError):
            what = "cannot be reached" if isinstance(error, UnreachableError) else "asks for fewer requests"
        self.on_wait(f"{self._provider.info.name} {what}, trying again")

    def _tries(self, on: Callable[[Exception], bool | float], attempts: int, *, wait_initial: float) -> Any:
        import stamina

        return stamina.retry_context(
            on=on, attempts=attempts, timeout=None, wait_initial=wait_initial, wait_max=30.0, wait_jitter=0.5
        )

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
        if (found := len(reply.vectors)) != len(part):
            raise BadReplyError(f"{info.name} answered with {found} vectors for {len(part)} inputs.")
        if reply.vectors.shape[1:] != (info.dimension,):
            dimension = reply.vectors.size // found
            msg = f"{info.name} answered with vectors of dimension {dimension} instead of {info.dimension}"
            raise BadReplyError(f"{msg}; set dimension: {dimension} beside the model, or name another model.")
        if info.sparse and len(reply.sparse or ()) != len(part):
            msg = f"{info.name} answered with {len(reply.sparse or ())} sparse vectors for {len(part)} texts."
            raise BadReplyError(msg)
        if info.dimension:
            await self._doubt(job, part, np.asarray(reply.vectors, dtype=np.float32))
        self.answered += 1
        if self._waiting:
            self._waiting = False
            self.on_wait("")
        return reply

    async def _doubt(self, job: Job, part: list[int], vectors: NDArray[np.float32]) -> None:
        """Raise where vectors have nothing to do with what was sent: none is fit to be stored, or all are the same."""
        inputs, name = [job.inputs[position] for position in part], self._provider.info.name
        unfit = unfit_vectors(vectors)
        if len(unfit) == len(part) and (len(part) > 1 or inputs == [PROBE]):
            raise BadReplyError(f"{name} answered with vectors {unfit[0]}.")
        if unfit or inputs == [PROBE] or self._provider.info.local:
            return
        shared = repeated_vector(inputs, vectors)
        if len(part) == 1:
            if self._alone is not None and vectors[0].tobytes() not in self._vouched:
                shared = repeated_vector([self._alone[0], *inputs], np.stack([self._alone[1], vectors[0]]))
            self._alone = inputs[0], vectors[0]
        if shared is None:
            return
        if "text" in self._provider.info.modalities and np.array_equal((await self._probe(job))[0], shared):
            msg = f"{name} answers different texts with one and the same vector: check embedding.model and the service."
            raise ConfigurationError(msg)
        self._vouched.add(shared.tobytes())
        if len(part) > 1:  # alone they may share it, such as signs that the model has no tokens for
            raise BadReplyError(f"{name} answered with the same vector for different texts.")

    def shrink(self, most: int, *, sure: bool) -> None:
        """Send fewer texts at once from now on: larger batches passed only by halves.

        Unless `sure` (the service has refused them), that has to happen twice: it may have been chance.
        """
        self._crowded += 1
        if sure or self._crowded >= CROWDED:
            self._crowded = 0
            self.max_texts = min(self.max_texts or most, most)

    def deliver(self, job: Job, part: list[int], reply: Reply) -> None:
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


def _verdict(error: RelanceError, trouble: RelanceError) -> RelanceError:
    """Say what is wrong with a service that gave an error, and then another for a text nobody can refuse."""
    if isinstance(error, AccountError) or isinstance(trouble, AccountError | BudgetError | ConfigurationError):
        return error if isinstance(error, AccountError) else trouble
    if isinstance(error, BadReplyError) and isinstance(trouble, BadReplyError):
        return ConfigurationError(
            f"{error} It did so again: check embedding.model, embedding.dimension and embedding.base_url."
        )
    if isinstance(trouble, InputError):
        return ConfigurationError(f"Every text is refused, so it must be the request that is wrong. {trouble}")
    return trouble if isinstance(error, InputError) else error
