"""How far a run is, as a bar in the Prefect UI."""

from __future__ import annotations

import time
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from relance.pipeline.run import Ingestion
from relance_tasks.artifacts import key_of
from relance_tasks.log import run_log

__all__ = ["Progress"]

EVERY_S = 5.0


class Progress:
    """A progress artifact and a line in the log, brought up to date every few seconds at most."""

    def __init__(self, run: Ingestion) -> None:
        self._run = run
        self._batches = 0
        self._shown_at = 0.0
        self._artifact: UUID | None = None

    async def show(self) -> None:
        """Count a batch; show how far the run is, if that was some time ago or it was the last one."""
        self._batches += 1
        total = self._run.discovery.batches if self._run.discovery else self._batches
        last = self._batches >= total
        if not last and time.monotonic() - self._shown_at < EVERY_S:
            return
        self._shown_at = time.monotonic()
        report = self._run.report
        done = f"{self._batches:,} of {total:,} batches, {report.chunks:,} chunks, {report.failed:,} failures"
        percent = round(100.0 * self._batches / max(total, 1), 1)
        if not last:
            run_log().info("%s: %s", self._run.title, done)
        if self._artifact is None:
            key = key_of("progress", self._run.title)
            self._artifact = await acreate_progress_artifact(percent, key=key, description=done)
        else:
            await aupdate_progress_artifact(self._artifact, percent, description=done)
