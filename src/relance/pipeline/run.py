"""A run over an index: what it would do is looked at, approved, and done, on the same reading of the sources."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextvars import ContextVar
from itertools import chain
from typing import Self

from relance.config import IndexSpec
from relance.config.reference import SpecReference
from relance.embedding.budget import Budget
from relance.errors import ApprovalNeededError, RejectedError, StoppedError
from relance.pipeline.approval import approval_needed, within
from relance.pipeline.changes import LISTED
from relance.pipeline.context import Context
from relance.pipeline.coordinator import Coordinator
from relance.pipeline.engines import Engine
from relance.pipeline.engines.threads import Threads
from relance.pipeline.journey import Journeys
from relance.pipeline.loss import note_decision
from relance.pipeline.parts import MEDIA
from relance.pipeline.plan import Plan, Preview, check_budget
from relance.pipeline.planning import make_plan, outline
from relance.pipeline.report import Report, combine
from relance.pipeline.run_handle import RunHandle, current_handle
from relance.pipeline.staging import Staging
from relance.pipeline.store_staging import StoreStaging
from relance.pipeline.target import Targets, serving_targets
from relance.store import open_store
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import hold
from relance.store.repair import mend_serving
from relance.store.shared_tables import mend_shared

__all__ = ["Run", "check_models", "current_run"]

_HURT = "{} is not as the last run left it; the next ingest writes what is missing, from the embedding cache"


class Run:
    """A context manager: entered it holds the index (unless it only plans), and everything its parts work with.

    Each document is listed, read and split once, whether the run is planned first or not.

    Attributes:
        parts: a coordinator for the texts, and one for the media if the spec declares those; or for each of `targets`.
        approved: whether a person has agreed to whatever it costs and removes.
    """

    def __init__(self, spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (),  # noqa: PLR0913  # by keyword
                 wait_s: float = 0.0, read_only: bool = False, approved: bool = False, engine: Engine | None = None,
                 handle: RunHandle | None = None, targets: Targets = serving_targets) -> None:  # fmt: skip
        self.spec = spec
        self.engine = engine or Threads()
        self.handle = handle or current_handle.get() or RunHandle()
        self.approved = approved
        self.parts: list[Coordinator] = []
        self._targets = targets
        self._full, self._only, self._wait_s, self._read_only = full, tuple(only), wait_s, read_only
        self._preview: Preview | None = None
        self._store = open_store(spec)
        self._locks = contextlib.ExitStack()
        self._checks: list[Callable[[], None]] = []
        self._exits = contextlib.ExitStack()
        self._journeys: dict[str, Journeys] = {}
        self._started = self._released = False

    def __enter__(self) -> Self:
        reference = SpecReference.of(self.spec)
        if not (self._read_only or self.engine.shares_memory):
            reference.check()  # else it is found out where a batch is pickled, as an error of the pool
        with contextlib.ExitStack() as exits:
            check_models(self.spec)  # of the media, too, or the texts would be paid for by then
            if not self._read_only:
                exits.callback(self._locks.close)
                self._hold()
            mended = [] if self._read_only else self._mend()
            staging = exits.enter_context(self._staging(reference))
            budget, run_id = Budget(self.spec.limits.max_cost_usd), uuid.uuid4().hex[:12]
            for target in self._targets(self.spec, self._store):
                context = Context(reference, target.part.name, run_id, self._full, False, staging, target.made,
                                  target.spared)  # fmt: skip
                run = Coordinator(
                    target, context, self._store, only=self._only, budget=budget, handle=self.handle,
                    engine=lambda: self.engine, check_lock=self._check_lock,
                )  # fmt: skip
                self.parts.append(exits.enter_context(run))
            self.parts[0].report.notes += mended
            for run in () if self._read_only else self.parts:
                run.repair()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not self._read_only and not isinstance(error, RejectedError):
            any(run.fail(error) for run in self.parts)  # the first part that was not finished
        try:
            self._release()
        finally:
            self._exits.close()

    # -- looking -----------------------------------------------------------------------------------------------

    def plan(self, *, listed: int = LISTED) -> Plan:
        """Read and split what changed, and say what the run would do and cost; writes nothing.

        Of each reason for a change at most `listed` documents are named.

        Raises StoppedError if the run is stopped meanwhile.
        """
        # What is behind the addresses of media is fetched when it is embedded, and guessed before.
        plan, *media = [make_plan(run, self._journey(run).prepare(guess=run.part is MEDIA), listed=listed)
                       for run in self.parts]  # fmt: skip
        plan.media = media[0] if media else None
        plan.notes += [_HURT.format(run.tables.name) for run in self.parts if self._read_only and run.tables.is_hurt]
        return plan

    def preview(self) -> Preview:
        """Say what of the run a person has to approve (`limits`), and what it would do.

        Where no price matters no document is read: then the plan is whole only if there are reasons. Raises BudgetError
        where the run would cost more than `limits.max_cost_usd`.
        """
        if self._preview is None:
            self._preview = self._look()
        return self._preview

    def _look(self) -> Preview:
        limits = self.spec.limits
        priced = limits.max_cost_usd is not None or limits.approve_above_usd is not None
        if priced and not self._is_free():
            plan = self.plan()
            check_budget(plan, limits.max_cost_usd)
            return Preview(plan, approval_needed(plan, limits))
        plan, *media = [outline(run) for run in self.parts]
        plan.media = media[0] if media else None
        reasons = approval_needed(plan, limits)
        return Preview(self.plan() if reasons else plan, reasons)

    def nothing_to_do(self) -> bool:
        """Say whether the index is in sync already; waits until something is found to be done, or the listing ends."""
        for run in self.parts:  # side by side
            run.look()
        return all(run.in_sync() for run in self.parts)

    def approve(self) -> None:
        """Go on only with what `limits` let the run do, or was approved before, or `handle.approve` agrees to.

        Raises ApprovalNeededError before anything is spent or removed.
        """
        asked: Preview | None = None
        try:
            self.preview()
        except StoppedError:
            return  # nothing will be spent or removed
        while (preview := self.preview()).reasons and not self.approved and not within(preview, asked):
            if self.handle.approve is None:
                raise ApprovalNeededError(self.spec.name, preview.reasons)
            with self.aside():
                if not self.handle.approve(preview):
                    raise RejectedError("not approved; nothing was changed")
            asked = preview
        self.approved = True

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        """Let other runs write the index for the length of the block, in which a person is asked.

        If one does, what was found is dropped: the next preview is a new one.
        """
        self._locks.close()
        yield
        self._hold()
        for run in self.parts:
            if run.tables.writer is not None or run.look().versions != run.tables.versions:
                run.look_again()  # the other run may have been killed
                self._journeys.pop(run.part.name, None)
                self._preview = None

    # -- doing -------------------------------------------------------------------------------------------------

    def execute(self) -> Report:
        """Do it in plain threads."""
        for run, journeys in self.work():
            run.check_loss(approved=self.approved)
            if run.runtime.embedding.batched:
                from relance.pipeline.batch_mode import fill

                fill(run, journeys)
            journeys.go()
            run.finish()
        return combine([run.report for run in self.parts])

    def work(self) -> Iterator[tuple[Coordinator, Journeys]]:
        """Give the parts to be done, one after the other: texts first, then media; each is measured as one run."""
        for run in self.parts:
            with run.working():
                note_decision(run.report, self._preview.reasons if self._preview else ())
                yield run, self._journey(run)
        self._release()

    def stopped(self) -> None:
        """Record that the run was cut off; what it had committed stays."""
        any(run.fail(KeyboardInterrupt("cut off by a signal")) for run in self.parts)

    def use(self, engine: Engine) -> None:
        """Let an engine around the one there was execute the stages, before any has begun."""
        assert not self._started  # noqa: S101  # a batch would be in two places
        self.engine = engine

    # -- details -----------------------------------------------------------------------------------------------

    def _release(self) -> None:
        """Let readers move on to the texts and the media of the run, at the same moment."""
        whole = [] if self._released else [run for run in self.parts if run.commits.whole]
        self._released = bool(whole) or self._released
        serve = [run.tables for run in whole if run.commits.takes_over]
        IndexTables.seal([run.tables for run in whole], serve=serve)

    def _hold(self) -> None:
        """Keep other runs away from texts and media; raises IndexBusyError where one is at work."""
        if self._targets is not serving_targets:
            self._checks = [self._locks.enter_context(hold(self._store, f"{self.spec.name}/beside"))]
            return
        names = [part_name(self.spec.name, media=media) for media in (False, True)]
        self._checks = [
            self._locks.enter_context(hold(self._store, name, wait_s=self._wait_s))
            for name in (names if self.spec.media is not None else names[:1])
        ]

    def _mend(self) -> list[str]:
        """Make readable what a run depends on before it knows which tables it writes; returns what was done."""
        kinds = (False, True) if self.spec.media is not None else (False,)
        serving = (mend_serving(self._store, self.spec.name, media=media) for media in kinds)
        return [*mend_shared(self._store), *chain.from_iterable(serving)]

    def _journey(self, run: Coordinator) -> Journeys:
        """Return the journeys of a part; the engine starts with the first, since many runs find nothing to do."""
        if not self._started:
            self._exits.push(self.engine.__enter__().__exit__)
            self._started = True
        if run.part.name not in self._journeys:
            self._journeys[run.part.name] = Journeys(run, self.engine)
        return self._journeys[run.part.name]

    def _staging(self, spec: SpecReference) -> Staging | StoreStaging:
        """Choose where batches lie that leave a process: where all that execute stages can read them."""
        if self.engine.shares_disk:
            return Staging.beside(None)
        return Staging.beside(self._store) if self._store.local is not None else StoreStaging(spec, store=self._store)

    def _check_lock(self) -> None:
        for check in self._checks:
            check()

    def _is_free(self) -> bool:
        """Whether all models of the index cost nothing."""
        return all(run.provider.info.price_per_million_tokens == 0 for run in self.parts)


# A run that has begun to look, for a flow in the same process to go on with.
current_run: ContextVar[Run | None] = ContextVar("relance_run", default=None)


def check_models(spec: IndexSpec) -> None:
    """Raise ConfigurationError for a model that cannot be used here: no such name, no key, a missing extra."""
    from relance.embedding.providers import open_provider

    open_provider(spec.embedding, spec.plugins)
    if spec.media is not None:
        from relance.media.loader import open_media_loader

        open_media_loader(spec.media, open_provider(spec.media.embedding, spec.plugins).info.media_rules, scale=False)
