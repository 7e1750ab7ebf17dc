"""The coordinator of a run over one part of an index: it plans, hands out and commits; nobody else writes the index."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import tee
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from relance.counted import counted
from relance.embedding.budget import Budget, CostMeter, stale_price
from relance.errors import ConfigurationError, RelanceError, RetryableError, StoppedError
from relance.parsers.workers import workers
from relance.pipeline.allowance import Allowance
from relance.pipeline.batch import Batch
from relance.pipeline.commits import Commits
from relance.pipeline.context import Context
from relance.pipeline.copyable import is_up_to_date
from relance.pipeline.counts import Counts
from relance.pipeline.engines import Engine
from relance.pipeline.grant import Grant
from relance.pipeline.listing import Listing
from relance.pipeline.loss import Loss, check_loss, loss_of
from relance.pipeline.refused_media import refused_among
from relance.pipeline.report import Report
from relance.pipeline.run_handle import Progress, RunHandle
from relance.pipeline.run_telemetry import measured
from relance.pipeline.runtime import Runtime, lend
from relance.pipeline.same_model import check_address
from relance.pipeline.stages import embed
from relance.pipeline.tables import DOCUMENTS
from relance.pipeline.target import Target
from relance.pipeline.vectors import missing, tokens_of, without
from relance.store import Store
from relance.store.failures import Failure
from relance.store.quota import FreeQuota
from relance.telemetry.spans import carry

__all__ = ["Coordinator"]

# A task on another machine costs 0.3 CPU-s with Prefect; 2,500 chunks are ten times as much and more.
_FAR = 4
STOPPED = "Embedding was stopped; the next run goes on from here."


class Coordinator:
    """A context manager around everything that a run over one part needs in the process that directs it.

    Attributes:
        context: what each stage gets with its batch.
        report: what the run did, so far.
        beside: whether readers use other tables than those it writes.
        guesses: what stages counted that only guessed, for a plan: the run counts it again when it knows.
        filled: vectors that batch files brought and no stage has found in the cache yet; `filled_tokens` as billed.
    """

    def __init__(self, target: Target, context: Context, store: Store, *,
                 only: Sequence[str], budget: Budget, handle: RunHandle, engine: Callable[[], Engine],
                 check_lock: Callable[[], None]) -> None:  # fmt: skip
        self.spec, self.part, self.tables, self.beside = target.spec, target.part, target.tables, target.beside
        self.context, self.store = context, store
        self.handle, self.budget = handle, budget
        kind = "media" if self.part.media else "text"
        self.report = Report(index=self.spec.name, run_id=context.run_id, part=kind, partial=bool(only))
        self.report.notes += [target.note] if target.note else []
        self.filled = self.filled_tokens = 0
        self.guesses: list[Counts] = []
        self._only = frozenset(only)
        self._check_lock = check_lock
        self._engine = engine
        self._allowance: Allowance | None = None
        self._granted: set[int] = set()
        self._listing: Listing | None = None
        self._handed: dict[int, pa.Table] = {}
        self._refused: dict[str, str] = {}
        self._gone: list[str] = []
        self._done = 0
        self._working = False

    def __enter__(self) -> Self:
        context = self.context
        with contextlib.ExitStack() as exits:
            runtime = Runtime(
                self.spec, self.part.name, full=context.full, store=self.store, staging=context.staging,
                spared=context.spared, stopped=self.handle.stop.is_set, parallel=workers().most,
                on_wait=partial(self.progress, "ingesting"),
            )  # fmt: skip
            self.runtime = exits.enter_context(runtime)
            exits.enter_context(lend(context, runtime))
            self.provider, self.cache = runtime.provider, runtime.cache
            self._check_full()
            info = self.provider.info
            self.report.model = info.name
            self.quota = FreeQuota(self.tables.catalog, info, runtime.embedding.free_tokens)
            self.meter = runtime.meter = CostMeter(info, self.budget, free_tokens=self.quota.left())
            self.commits = Commits(self.spec, self.store, self.tables, runtime, self.report, self._check_lock,
                                    serve=not self.beside)  # fmt: skip
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.forget()
        finally:
            self._exits.close()

    def fail(self, error: BaseException) -> bool:
        """Record that the run failed, if it is not recorded yet and there is an index; returns whether it was."""
        if self.commits.recorded or not (self._working or self.serves):
            return False
        self._settle_accounts()
        self.commits.fail(error)
        return True

    @property
    def title(self) -> str:
        """What the run is over, for people: `handbook`, or `handbook media`."""
        return self.report.title

    # -- looking -----------------------------------------------------------------------------------------------

    def look(self) -> Listing:
        """Begin to compare the sources with the manifest, unless that has begun."""
        if self._listing is None:
            if (memories := self.part.memories) is not None:
                readers = [each for each in self.runtime.sources if each.remembers]
                # The manifest is read once for all of them; for one it is a stream.
                for reader, mine in zip(readers, tee(memories(self.tables.manifest), len(readers)), strict=True):
                    reader.recall(mine, full=self.context.full)
            self._listing = Listing(
                self.runtime, self.tables, self.report, self.part, only=self._only, stopped=self.handle.stop.is_set,
                scale=1 if self._engine().shares_disk else _FAR,
            )  # fmt: skip
        return self._listing

    def forget(self) -> None:
        """Drop what was found: the next look is a new one."""
        if self._listing is not None:
            self._listing.close()
            self._listing = None

    def look_again(self) -> None:
        """Drop what was found, and what the report says of it, because another run has written the index."""
        self.forget()
        self.report.forget_findings()
        self._handed.clear()
        self._refused.clear()
        self._gone.clear()
        self.repair()

    def loss(self) -> Loss:
        """Count what the run would remove; waits until the sources are listed."""
        return loss_of(self.look().whole(), self.tables, self.store)

    def source_notes(self) -> list[str]:
        """Say which sources have nothing to index; of one that media are read from, nothing is said."""
        if self._listing is None or self._only or self.spec.media is not None:
            return []
        sections = self.spec.sources
        return [
            f"sources[{position}] ({sections[position].type}) has nothing to index; is its place right?"
            for position in self._listing.whole().empty
        ]

    @property
    def serves(self) -> bool:
        """Whether readers find documents now: then the listing is waited for before anything is written."""
        return self.tables.alias is not None

    # -- the run -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def working(self) -> Generator[Self]:
        """Measure the run for the length of the block, in which it may write."""
        self._working = True
        with measured(self.report, self.provider.info):
            self.context = replace(self.context, trace=carry())
            try:
                check_address(self.runtime, self.tables, self.report)
                yield self
            except BaseException:
                self.report.status = "failed"
                raise

    def repair(self) -> None:
        """Mend what is not as the last run left it; documents that are not whole look changed to this run's look."""
        self.forget()
        with self.report.stage("discover"):
            self.commits.repair()

    def check_loss(self, *, approved: bool) -> None:
        """Raise ApprovalNeededError where readers would lose too much; waits for the whole listing if they might."""
        if self.serves:
            check_loss(self.loss(), self.spec.limits, self.report, approved=approved)

    def in_sync(self) -> bool:
        """Say whether there is nothing to do; waits until something is found, or the sources are listed."""
        alias, listing = self.tables.alias, self.look()
        if alias is None or alias["table"] != self.tables.name or listing.first():
            return False
        found = listing.whole()
        return found.complete and not (
            found.removed or found.collections or found.failures or self.tables.failures.count()
        )

    def found(self) -> str:
        """Wait until there is something to do, or nothing; say what was found until then."""
        listing = self.look()
        if self.serves:
            listing.whole()
        batches, found = listing.first(), listing.discovery
        more = "" if listing.total or not batches else ", and more is listed"
        return (
            f"may have changed: {counted(found.candidates, 'document')} in {counted(batches, 'batch')}; "
            f"{len(found.removed):,} are gone, {found.unchanged:,} unchanged{more}"
        )

    def batches(self) -> Iterator[Batch]:
        """Stream what may have changed, each batch as soon as it is found, until done or stopped."""
        listing = self.look()
        if self.serves:
            self.commits.expect(listing.whole().collections)
        refused = self.tables.failures.remembered() if self.part.media else {}
        self.progress("ingesting")
        for number, items in enumerate(listing.batches(), start=1):
            if self.handle.stop.is_set():
                return
            known = items.filter(items["known"])["doc_id"].to_pylist()
            self._handed[number] = items.select(["uri", "doc_id", "known"])
            tables = {"items": items, "manifest": self.tables.manifest.select(known, DOCUMENTS.names)}
            if self.part.media:
                tables["refused"] = refused_among(items, refused)
            yield Batch(number, listing.total, tables, self.context.staging)

    def count(self, batch: Batch, grant: Grant | None = None) -> Batch:
        """Add what a stage counted to the report, once; what it spent of a grant is settled."""
        counts, batch.counts = batch.counts, Counts()
        self._charge(counts.amounts, grant)
        self._fail(counts.failures)
        self._refused.update(counts.refused)
        self._gone += counts.gone
        return batch

    def count_guess(self, batch: Batch) -> Batch:
        """Keep what a stage counted that only guessed for the plan; of it the report has the time it took."""
        counts, batch.counts = batch.counts, Counts()
        self._charge({name: amount for name, amount in counts.amounts.items() if name.startswith("seconds.")}, None)
        self.guesses.append(counts)
        return batch

    def known(self, batch: Batch) -> pa.Array:
        """Return the ids of a batch's items that the index may hold rows of."""
        handed = self._handed[batch.number]
        return handed.filter(handed["known"])["doc_id"].combine_chunks()

    def claim(self, batch: Batch) -> Grant:
        """Claim the vectors that nobody has or is buying: across the batches, runs and indexes of one store.

        Workers elsewhere get money and a part of the rates with them; raises BudgetError where that does not suffice.
        """
        chunks = batch["chunks"]
        keys = chunks["key"].unique().to_pylist()
        refused = {key: self._refused[key] for key in keys if key in self._refused} if self._refused else {}
        mine = frozenset(self.cache.claim([key for key in keys if key not in refused]))
        engine = self._engine()
        if engine.shares_memory:
            return Grant(mine, refused)
        if self._allowance is None:
            self._allowance = Allowance(self.provider.info, self.meter, self.budget, engine.workers)
        tokens = dict(zip(chunks["key"].to_pylist(), tokens_of(chunks).tolist(), strict=True))
        needed = sum(tokens[key] + self.provider.info.tokens_per_text for key in mine)
        try:
            usd = self._allowance.reserve(needed)
        except BaseException:
            self.cache.release(list(mine))
            raise
        grant = Grant(mine, refused, needed, usd, self._allowance.share)
        self._granted.add(id(grant))
        return grant

    def release(self, grant: Grant) -> None:
        """End the claims of a batch, whether their vectors came or not."""
        self.cache.release(list(grant.keys))
        if self._allowance is not None and id(grant) in self._granted:  # it ended with an error
            self._charge({}, grant)

    def lose(self, batch: Batch, error: RelanceError) -> None:
        """Note that a batch could not be written; its documents stay as they were until the next run."""
        documents = batch["documents"]["uri"].to_pylist()
        self._fail([Failure(uri, str(error), "commit", retryable=True) for uri in documents])

    def complete(self, batch: Batch) -> bool:
        """Wait for vectors that others are buying; returns whether the batch lacks none, else it is embedded again."""
        keys = missing(batch)
        if keys:
            self.cache.wait(keys, stop=self.handle.stop.is_set)
            if self.handle.stop.is_set():
                raise StoppedError(STOPPED)
        return not keys

    def commit(self, batch: Batch) -> int:
        """Replace the batch's documents in the table, then in the manifest; returns the chunks written."""
        with self.report.stage("commit"):
            written = self.commits.commit(batch, self.known(batch))
            self._done += self._handed.pop(batch.number).num_rows
        self.progress("ingesting")
        return written

    def abandon(self, batch: Batch, error: RelanceError) -> Batch | None:
        """Keep what is whole of a batch that was not embedded to the end; returns it to be committed, if any is.

        The rest stays as it was until the next run, and is a failure unless the run was stopped.
        """
        whole, uris = self._salvage(batch)
        if not isinstance(error, StoppedError):
            self._fail([Failure(uri, str(error), "embed", retryable=True) for uri in uris])
        return whole

    def _salvage(self, batch: Batch) -> tuple[Batch | None, list[str]]:
        """Give documents the vectors that the cache has by now; returns the whole ones, and the uris of the others."""
        if "chunks" not in batch.tables:  # nothing of it was read
            return None, self._handed[batch.number]["uri"].to_pylist()
        try:
            found = self.count(embed(self.context, batch, Grant(frozenset())))
        except RetryableError:  # the cache lost one of them a moment ago
            return None, batch["documents"]["uri"].to_pylist()
        chunks = found["chunks"]
        lacking = chunks.filter(pc.is_in(chunks["key"], pa.array(missing(found), pa.string())))
        tables = without(dict(found.tables), lacking["doc_id"].unique().to_pylist())
        return found.becomes(tables, Counts()), lacking["uri"].unique().to_pylist()

    def finish(self) -> Report:
        """Remove what is gone, refresh indexes, publish, and record the run."""
        self._settle_accounts()
        self.report.notes += self.source_notes()
        if self.report.tokens:
            self.report.notes += stale_price(self.provider.info, datetime.now(UTC).date())
        self.commits.finish(self.look().whole(), stopped=self.handle.stop.is_set(), only=self._only,
                             gone=self._gone)  # fmt: skip
        return self.report

    def progress(self, stage: str, waits_for: str = "") -> None:
        """Show how far the run is to whoever watches it, and why it stands still."""
        report, total = self.report, self._listing.candidates if self._listing else 0
        self.handle.on_progress(Progress(stage, self._done, total, report.chunks, report.reused, report.failed,
                                         report.cost_usd, waits_for))  # fmt: skip

    # -- details -----------------------------------------------------------------------------------------------

    def _check_full(self) -> None:
        """Raise ConfigurationError where all documents would be split anew past the gate."""
        full, spec, info = self.context.full and self.context.spared, self.spec, self.provider.info
        if full and not is_up_to_date(spec, self.tables, info, self.runtime.sources):
            msg = (
                f"index {spec.name!r} has a gate, and a full run would split its documents otherwise in the tables "
                "that readers use; `relance reembed SPEC` does it beside them, and compares first"
            )
            raise ConfigurationError(msg)

    def _settle_accounts(self) -> None:
        """Count what was bought by tries that failed, and what of a free quota is used up."""
        left = self.runtime.ledger.take()
        left.pop("refusals", None)
        for name, amount in left.items():
            self._add(name, amount)
        self.quota.use(self.report.tokens - self.filled_tokens)  # free quotas are not for batches

    def _charge(self, counted: Mapping[str, float], grant: Grant | None) -> None:
        """Add to the report what was counted; what was bought on a grant, by failed tries, too, is settled."""
        amounts = dict(counted)
        if grant is not None and self._allowance is not None:
            for name, amount in self.runtime.ledger.take().items():
                amounts[name] = amounts.get(name, 0) + amount
            billed, cost = int(amounts.get("tokens", 0)), amounts.get("cost_usd")
            amounts["cost_usd"] = self._allowance.settle(
                grant.tokens, billed, cost, refusals=amounts.pop("refusals", 0)
            )
            self._granted.discard(id(grant))
        for name, amount in amounts.items():
            self._add(name, amount)

    def _add(self, name: str, amount: float) -> None:
        if name == "reused":  # what batch files brought is found in the cache now, and was counted when it came
            filled = min(self.filled, amount)
            self.filled -= int(filled)
            amount -= filled
        whole = int(amount) if name in {"embedded", "requests", "tokens", "reused", "unchanged", "empty"} else amount
        self.report.add(name, whole)

    def _fail(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            self.report.fail(failure)
