"""The stages of a run as tasks: discover → load → chunk → embed → commit, for one part of an index after the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import Any

from prefect.task_runners import ThreadPoolTaskRunner

from relance.pipeline.coordinator import Coordinator
from relance.pipeline.engines import value_of
from relance.pipeline.run import Run
from relance_tasks.commit import commit
from relance_tasks.discover import discover
from relance_tasks.fill import fill
from relance_tasks.progress import Progress
from relance_tasks.report import finish

__all__ = ["RUNNER", "all_parts", "at_work"]

# A task that waits for the one before it holds its thread: room for every stage of every batch in flight.
RUNNER: Any = ThreadPoolTaskRunner(max_workers=4 * 64)


def all_parts(run: Run) -> None:
    """Bring the texts in sync, then the media."""
    for part, journeys in run.work():
        found = discover.submit(part, approved=run.approved)
        found.result()
        if part.runtime.embedding.batched:
            fill(part, journeys)
        progress = Progress(part)

        def write(embedded: Any, part: Coordinator = part, progress: Progress = progress) -> int:
            written = commit(part, value_of(embedded), after=embedded)
            progress.show()
            return written

        journeys.go(found, commit=write)
        finish(part)


@contextlib.asynccontextmanager
async def at_work(work: AbstractContextManager[Any]) -> AsyncGenerator[None]:
    """Hold the index for the length of the block; waiting for it does not hold up the event loop."""
    await asyncio.to_thread(work.__enter__)
    try:
        yield
    except BaseException as error:
        await asyncio.to_thread(work.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(work.__exit__, None, None, None)
