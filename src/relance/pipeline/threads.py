"""Driving a run's stages in plain threads, for those who need no Prefect."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from relance.errors import RetryableError, StoppedError
from relance.pipeline.batch import Batch
from relance.pipeline.run import Ingestion

__all__ = ["in_threads"]


def in_threads(run: Ingestion) -> None:
    """Drive the stages batch by batch, a bounded number at a time; the first fatal error ends it."""
    running: set[Future[int]] = set()
    window = run.spec.limits.batches_in_flight
    with ThreadPoolExecutor(window, thread_name_prefix="relance") as pool:
        try:
            for batch in run.batches():
                running.add(pool.submit(_one, run, batch))
                if len(running) >= window:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in running:
                future.result()
        except BaseException:
            run.handle.stop.set()
            raise


def _one(run: Ingestion, batch: Batch) -> int:
    try:
        return run.upsert(run.embed(run.chunk(run.load(batch))))
    except (RetryableError, StoppedError) as error:
        run.abandon(batch, error)
        return 0
