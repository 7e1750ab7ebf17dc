"""Batches on their way through the stages: a bounded number at a time, on any engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relance.errors import RetryableError, StoppedError
from relance.pipeline import stages
from relance.pipeline.coordinator import STOPPED
from relance.pipeline.engines import value_of
from relance.pipeline.sent_error import charged

if TYPE_CHECKING:
    from relance.pipeline import engines
    from relance.pipeline.batch import Batch
    from relance.pipeline.coordinator import Coordinator

__all__ = ["Journeys"]

_POLL_S = 0.2

# Writes an embedded batch, or the future of one; returns the chunks written.
Commit = Callable[[Any], int]


@dataclass(slots=True, frozen=True)
class _Prepared:
    """A batch that was split when the run was planned, and the future it came from."""

    batch: Batch
    future: engines.Future


class Journeys:
    """Takes the batches of one part from the source to the store.

    Each batch has a thread that waits for its stages. Preparing (load and chunk) and committing have lanes of their own
    in front of which batches queue: as many as the engine has workers, and one.
    """

    def __init__(self, run: Coordinator, engine: engines.Engine) -> None:
        self._run = run
        self._engine = engine
        self._found: tuple[Any, ...] = ()
        self._commit: Commit = lambda embedded: run.commit(value_of(embedded))
        least = 1 if engine.shares_memory else 2 * engine.workers
        self._window = max(run.spec.limits.batches_in_flight, least)
        self._kept: list[_Prepared] | None = None

    def prepare(self, *, guess: bool = False) -> Iterator[Batch]:
        """Read and split everything that changed; each batch is spooled once it was looked at, and embedded by `go`.

        With `guess`, as far as that can be said without asking for what is behind addresses: `go` loads all again.
        """
        kept: list[_Prepared] = []
        with ThreadPoolExecutor(self._engine.workers, "relance-prepare") as lane:
            queue: deque[Future[_Prepared]] = deque()
            for batch in self._run.batches():
                queue.append(_submit(lane, self._prepare, batch, guess))
                if len(queue) > self._engine.workers:
                    yield from self._keep(queue.popleft().result(), kept, guess=guess)
            while queue:
                yield from self._keep(queue.popleft().result(), kept, guess=guess)
        self._kept = None if guess else kept

    def prepared(self) -> Iterator[Batch]:
        """Stream the batches that were read and split; those are read now if they were not."""
        if self._kept is None:
            yield from self.prepare()
            return
        for each in self._kept:
            yield each.batch
            each.batch.spool()

    def go(self, *found: Any, commit: Commit | None = None) -> None:
        """Take all batches through the stages; the first fatal error ends it, when those under way have ended.

        `found` is handed to loading beside each batch: what a graph shows as its origin. `commit` writes instead of the
        run itself.
        """
        self._found, self._commit = found, commit or self._commit
        with (
            ThreadPoolExecutor(self._engine.workers, "relance-prepare") as preparing,
            ThreadPoolExecutor(1, "relance-commit") as committing,
            ThreadPoolExecutor(self._window, "relance-batch") as pool,
        ):
            running: set[Future[int]] = set()
            try:
                for batch in self._run.batches() if self._kept is None else self._kept:
                    running.add(_submit(pool, self._one, batch, preparing, committing))
                    running = self._settle(running, self._window - 1)
                    if self._run.handle.stop.is_set():
                        break
                self._settle(running, 0)
            except BaseException:
                self._run.handle.stop.set()
                self._run.context.staging.stop()
                raise

    def _settle(self, running: set[Future[int]], most: int) -> set[Future[int]]:
        """Wait until at most so many batches are under way; raises what ended one."""
        while len(running) > most:
            done, running = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            if self._run.handle.stop.is_set():
                self._run.context.staging.stop()  # workers elsewhere look there
            for each in done:
                each.result()
        return running

    def _one(self, start: Batch | _Prepared, preparing: ThreadPoolExecutor, committing: ThreadPoolExecutor) -> int:
        """Take one batch through the stages; what cannot be embedded now is left to the next run."""
        batch = start.batch if isinstance(start, _Prepared) else start
        try:
            if not isinstance(start, _Prepared):
                start = _submit(preparing, self._begin, start).result()
                batch = start.batch
            embedded = self._embed(start.future)
        except (RetryableError, StoppedError) as error:
            embedded = self._run.abandon(batch, error)
            if embedded is None:
                batch.release()
                return 0
        try:
            return _submit(committing, self._commit, embedded).result()
        except RetryableError as error:
            self._run.lose(value_of(embedded), error)
            return 0
        finally:
            batch.release()
            value_of(embedded).release()

    def _begin(self, batch: Batch) -> _Prepared:
        if self._run.handle.stop.is_set():  # while it queued
            raise StoppedError(STOPPED)
        return self._prepare(batch, guess=False)

    def _prepare(self, batch: Batch, guess: bool) -> _Prepared:
        run, engine = self._run, self._engine
        context = replace(run.context, guess=True) if guess else run.context
        count = run.count_guess if guess else run.count
        with run.report.within("load"):
            loaded = engine.submit(stages.load, context, batch, *self._found)
            count(loaded.result())
        with run.report.within("chunk"):
            chunked = engine.submit(stages.chunk, context, loaded)
            made = count(chunked.result())
        batch.release()
        loaded.result().release()
        return _Prepared(made, chunked)

    def _keep(self, prepared: _Prepared, kept: list[_Prepared], *, guess: bool) -> Iterator[Batch]:
        yield prepared.batch
        if guess:
            prepared.batch.release()
        else:
            prepared.batch.spool()
            kept.append(prepared)

    def _embed(self, chunked: engines.Future) -> engines.Future:
        """Buy what nobody has or is buying, then take what others have bought meanwhile, until nothing lacks."""
        run, batch = self._run, chunked
        while True:
            grant = run.claim(batch.result())
            try:
                with charged(run.runtime.ledger), run.report.within("embed"):
                    embedded = self._engine.submit(stages.embed, run.context, batch, grant)
                    run.count(embedded.result(), grant)
            finally:
                run.release(grant)
            if run.complete(embedded.result()):
                return embedded
            if batch is not chunked:  # that one is still wanted if embedding fails
                batch.result().release()
            batch = embedded


def _submit(pool: ThreadPoolExecutor, work: Callable[..., Any], *values: Any) -> Future[Any]:
    """Run in a pool what belongs to this context: Prefect finds its flow run there, telemetry its span."""
    return pool.submit(copy_context().run, work, *values)
