"""`embedding.mode: batch` in a run: what it would embed is ordered as files first, at half the price."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from relance.embedding.batch_api import FillContext, FillReport, Inputs
from relance.embedding.batch_api import fill as order_texts
from relance.pipeline.run import Ingestion
from relance.pipeline.run_handle import Progress
from relance.store.lock import hold

__all__ = ["changed_texts", "fill", "fill_context"]


def fill(run: Ingestion) -> FillReport:
    """Buy what is missing by batch files at half the price, before the documents go through the stages.

    May take a day; a run that is stopped or killed meanwhile leaves its order to the next one. Raises RetryableError
    where the service is away: embedding online instead would pay twice.
    """
    with run.report.stage("batch"):
        filled = order_texts(fill_context(run), changed_texts(run))
    run.filled, run.filled_tokens = filled.embedded, filled.tokens
    return filled


def fill_context(run: Ingestion) -> FillContext:
    """Hand over what a run, entered and not read-only, has for ordering batches."""
    return FillContext(
        spec=run.embedding,
        provider=run.provider,
        vectors=run.vectors,
        catalog=run.tables.catalog,
        space=run.tables.space,
        lock=partial(hold, run.store, f"bulk/{run.tables.space}"),
        budget=run.budget,
        stop=run.handle.stop,
        count=run.report.add,
        note=run.report.notes.append,
        progress=lambda stage: run.handle.on_progress(Progress(stage)),
    )


def changed_texts(run: Ingestion) -> Iterator[Inputs]:
    """Read, after `run.discover()`, what a run would embed, batch by batch; the run does all of it again afterwards."""
    # What fails here fails again then, and is to be reported once.
    failures, failed = len(run.report.failures), run.report.failed
    try:
        for batch in run.batches():
            run.chunk(run.load(batch))
            yield run.inputs(batch)
            batch.release()
    finally:
        del run.report.failures[failures:]
        run.report.failed = failed
