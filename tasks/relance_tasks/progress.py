"""How far a run is, as a bar in the Prefect UI."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from relance.pipeline.coordinator import Coordinator
from relance_tasks.artifacts import key_of
from relance_tasks.log import run_log

__all__ = ["Progress"]

EVERY_S = 5.0
# In a thread of an async flow Prefect takes them for async, unless a call says otherwise; its types do not know that.
_create: Any = create_progress_artifact
_update: Any = update_progress_artifact


class Progress:
    """A progress artifact and a line in the log, brought up to date every few seconds at most; for one thread."""

    def __init__(self, run: Coordinator) -> None:
        self._run = run
        self._batches = 0
        self._shown_at = 0.0
        self._artifact: UUID | None = None

    def show(self) -> None:
        """Count a batch; show how far the run is, if that was some time ago or it was the last one."""
        self._batches += 1
        total = self._run.look().total
        last = self._batches == total
        if not last and time.monotonic() - self._shown_at < EVERY_S:
            return
        self._shown_at = time.monotonic()
        report = self._run.report
        of = f"{self._batches:,} of {total:,}" if total else f"{self._batches:,}"
        done = f"{of} batches, {report.chunks:,} chunks, {report.failed:,} failures"
        percent = round(100.0 * self._batches / total, 1) if total else 0.0
        if not last:
            run_log().info("%s: %s", self._run.title, done)
        if self._artifact is None:
            key = key_of("progress", self._run.title)
            self._artifact = _create(percent, key=key, description=done, _sync=True)
        else:
            _update(self._artifact, percent, description=done, _sync=True)
