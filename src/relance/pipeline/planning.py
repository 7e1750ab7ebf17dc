"""Planning: what the batches of a run come to, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

from relance.embedding.budget import cost_usd, stale_price
from relance.errors import StoppedError
from relance.pipeline.changes import LISTED, Changes
from relance.pipeline.commits import count_changed
from relance.pipeline.plan import Plan
from relance.pipeline.vectors import tokens_of

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch
    from relance.pipeline.coordinator import Coordinator
    from relance.pipeline.counts import Counts

__all__ = ["check_stop", "make_plan", "outline"]


def outline(run: Coordinator) -> Plan:
    """Compare the sources with the index without reading a document: nothing is counted or priced.

    `changed` are those that may have changed. An index that is not there yet gets an empty outline: it has nothing to
    lose, and listing may take long where documents are asked for their pictures.
    """
    if not run.serves:
        return Plan(index=run.spec.name, cost_usd=None)
    loss, found = run.loss(), run.look().whole()
    check_stop(run)
    return Plan(
        index=run.spec.name, documents=loss.documents, removed=loss.removed, unchanged=found.unchanged,
        added=found.candidates - found.known, changed=found.known, cost_usd=None,
        failed=run.report.failed, failures=run.report.failures, ignored=run.report.ignored, notes=run.source_notes(),
    )  # fmt: skip


def today_utc() -> date:
    """Return today's date."""
    return datetime.now(UTC).date()


def make_plan(run: Coordinator, batches: Iterable[Batch], *, listed: int = LISTED,
              today: Callable[[], date] = today_utc) -> Plan:  # fmt: skip
    """Add up what a run would do to batches that were read and split, and look up which vectors are there.

    Of each reason for a change at most `listed` documents are named.
    """
    from relance.embedding.packing import load_of, pack

    info, plan = run.provider.info, Plan(index=run.spec.name)
    alias = run.tables.alias
    plan.rebuild = alias is not None and alias["table"] != run.tables.name
    embedding = run.runtime.embedding
    max_texts = embedding.batch_texts or info.batch_texts
    max_tokens, most = embedding.batch_tokens or info.batch_tokens, info.media_per_request
    run.guesses.clear()
    extra = 0 if run.part.name == "media" else info.tokens_per_text
    paid: set[bytes] = set()
    changes = Changes(run.tables.manifest, listed=listed, rebuild=plan.rebuild, full=run.context.full)
    for batch in batches:
        documents, chunks = batch["documents"], batch["chunks"]
        known = run.known(batch)
        changed = count_changed(documents, known)
        changes.add(documents, known)
        plan.changed += changed
        plan.added += documents.num_rows - changed
        plan.unchanged += batch["touched"].num_rows
        keys = chunks["key"].to_pylist()
        there, counts = run.cache.contains(keys), tokens_of(chunks)
        fresh: dict[bytes, int] = {}
        at = []
        for i, key in enumerate(keys):
            name = bytes.fromhex(key)  # a third of the memory
            if not there[i] and name not in paid and name not in fresh:
                fresh[name] = int(counts[i]) + extra
                at.append(i)
        paid.update(fresh)
        plan.chunks += len(keys)
        plan.reused += len(keys) - len(fresh)
        plan.tokens += sum(fresh.values())
        sizes = np.array(list(fresh.values()), dtype=np.int64)
        loads = [load_of(each) for each in run.part.inputs(chunks.take(at))] if most and at else []
        plan.requests += sum(1 for _ in pack(sizes, max_texts=max_texts, max_tokens=max_tokens, loads=loads, most=most))
    check_stop(run)
    loss = run.loss()
    plan.documents, plan.removed = loss.documents, loss.removed
    changes.remove(run.look().whole().removed, total=loss.removed)
    plan.changes = changes.all()
    plan.unchanged += run.report.unchanged
    plan.failed, plan.failures = run.report.failed, list(run.report.failures)
    plan.warned, plan.warnings = run.report.warned, list(run.report.warnings)
    _add_guesses(plan, run.guesses)
    plan.ignored, plan.notes = run.report.ignored, run.source_notes()
    _add_price(plan, run, texts=len(paid), today=today)
    return plan


def _add_price(plan: Plan, run: Coordinator, *, texts: int, today: Callable[[], date]) -> None:
    """Say what the tokens cost, of so many `texts` to embed."""
    info, embedding = run.provider.info, run.runtime.embedding
    price = info.price_per_million_tokens
    plan.free_tokens = min(run.quota.left(), plan.tokens)
    if embedding.batched:
        from relance.embedding.batch_api import LEAST_TEXTS, open_endpoint

        endpoint = open_endpoint(embedding)
        if texts >= LEAST_TEXTS:  # free quotas are not for batches
            price, plan.free_tokens = endpoint.price, 0
    if info.priced_on is not None and plan.tokens:
        plan.priced_on = info.priced_on.isoformat()
        plan.notes += stale_price(info, today())
    plan.cost_usd = cost_usd(plan.tokens, price, free=plan.free_tokens)


def _add_guesses(plan: Plan, guesses: Iterable[Counts]) -> None:
    """Add what stages counted that only guessed; the report of the run has nothing of it."""
    for counts in guesses:
        plan.guessed += counts.guessed
        plan.unchanged += int(counts.amounts.get("unchanged", 0))
        plan.warnings += [failure for failure in counts.failures if failure.indexed]
        plan.failures += [failure for failure in counts.failures if not failure.indexed]
    plan.warned, plan.failed = len(plan.warnings), len(plan.failures)


def check_stop(run: Coordinator) -> None:
    """Raise StoppedError where planning was stopped: what was counted by then says little."""
    if run.handle.stop.is_set():
        msg = "planning was stopped"
        raise StoppedError(msg)
