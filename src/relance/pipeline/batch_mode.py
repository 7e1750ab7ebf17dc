"""`embedding.mode: batch` in a run: what it would embed is ordered as files first, at half the price."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from relance.embedding.batch_api import FillContext, FillReport, Inputs
from relance.embedding.batch_api import fill as order_texts
from relance.pipeline.coordinator import Coordinator
from relance.pipeline.journey import Journeys
from relance.pipeline.run_handle import Progress
from relance.pipeline.vectors import tokens_of
from relance.store.lock import hold

__all__ = ["changed_texts", "fill", "fill_context"]


def fill(run: Coordinator, journeys: Journeys) -> FillReport:
    """Buy what is missing by batch files at half the price, before the documents go through the stages.

    May take a day; a run that is stopped or killed meanwhile leaves its order to the next one. Raises RetryableError
    where the service is away: embedding online instead would pay twice.
    """
    with run.report.stage("batch"):
        filled = order_texts(fill_context(run), changed_texts(run, journeys))
    run.filled, run.filled_tokens = filled.embedded, filled.tokens
    return filled


def fill_context(run: Coordinator) -> FillContext:
    """Hand over what a run, entered and not read-only, has for ordering batches."""
    return FillContext(
        spec=run.runtime.embedding,
        provider=run.provider,
        vectors=run.cache,
        catalog=run.tables.catalog,
        space=run.tables.space,
        lock=partial(hold, run.store, f"bulk/{run.tables.space}"),
        budget=run.budget,
        stop=run.handle.stop,
        count=run.report.add,
        note=run.report.notes.append,
        progress=lambda stage: run.handle.on_progress(Progress(stage)),
    )


def changed_texts(run: Coordinator, journeys: Journeys) -> Iterator[Inputs]:
    """Stream what a run will embed, batch by batch; each is read and split for this, and embedded later."""
    for batch in journeys.prepared():
        chunks = batch["chunks"]
        yield run.part.inputs(chunks), tokens_of(chunks)
