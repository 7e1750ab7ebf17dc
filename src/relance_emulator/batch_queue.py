"""Batches, and the tasks that work them off in the background."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from relance_emulator import compatible_reply
from relance_emulator.batch_lines import read_requests, result
from relance_emulator.config import EmulatorConfig
from relance_emulator.file_store import FileStore, StoredFile, wrong
from relance_emulator.problems import Problem
from relance_emulator.stats import Stats
from relance_emulator.vectors import Vectors
from relance_emulator.wire import Call, as_json

__all__ = ["ENDPOINT", "Batch", "BatchQueue"]

ENDPOINT = "/v1/embeddings"
STAMPS = (
    "created_at",
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)
UNDONE = {
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
}


@dataclass(slots=True)
class Batch:
    """One batch and how far it is."""

    input_file_id: str
    endpoint: str
    window: str
    metadata: Any
    id: str = field(default_factory=lambda: f"batch_{uuid4()}")
    status: str = ""
    stamps: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    expires: float = 0.0

    def become(self, status: str) -> None:
        """Take a status and note when."""
        self.status = status
        self.stamps["created_at" if status == "validating" else f"{status}_at"] = int(time.time())

    def shown(self) -> dict[str, Any]:
        """Return the batch object of the API."""
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            **{stamp: self.stamps.get(stamp) for stamp in STAMPS},
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "metadata": self.metadata,
        }


class BatchQueue:
    """All batches, and the tasks that work on them."""

    def __init__(self, config: EmulatorConfig, vectors: Vectors, files: FileStore, stats: Stats) -> None:
        self._config, self._vectors, self._files, self._stats = config, vectors, files, stats
        self._batches: dict[str, Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, batch: Batch) -> None:
        """Keep a new batch and begin with it."""
        batch.become("validating")
        batch.expires = time.monotonic() + _seconds(batch.window, self._config.batch_expires_s)
        self._batches[batch.id] = batch
        task = asyncio.create_task(self._work(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def all(self) -> list[Batch]:
        """Return all batches, newest first."""
        return list(self._batches.values())[::-1]

    def find(self, name: str) -> Batch:
        """Return a batch, or raise the refusal."""
        if name not in self._batches:
            raise wrong(f"No such Batch object: {name}", "id", 404)
        return self._batches[name]

    async def stop(self) -> None:
        """End all work and forget all batches."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._batches.clear()

    async def _work(self, batch: Batch) -> None:
        content = self._files.find(batch.input_file_id).content
        await asyncio.sleep(self._config.batch_s / 10)
        lines, batch.errors = read_requests(content, batch.endpoint)
        if batch.errors:
            batch.become("failed")
            return
        batch.total = len(lines)
        if batch.status != "cancelling":
            batch.become("in_progress")
        done: list[bytes] = []
        refused: list[bytes] = []
        await self._complete(batch, lines, done, refused)
        ended = "cancelled" if batch.status == "cancelling" else ""
        ended = ended or ("expired" if time.monotonic() >= batch.expires else "")
        if ended:
            rest = lines[len(done) + len(refused) :]
            refused += [result(line, None, *UNDONE[ended]) for line in rest]
            batch.failed += len(rest)
        else:
            batch.become("finalizing")
            await asyncio.sleep(self._config.batch_s / 10)
        for attribute, content_lines in (("output_file_id", done), ("error_file_id", refused)):
            if content_lines:
                setattr(batch, attribute, self._file(content_lines))
        batch.become(ended or "completed")

    async def _complete(self, batch: Batch, lines: list[Any], done: list[bytes], refused: list[bytes]) -> None:
        """Work line by line until the end, the cancellation or the expiry; spread over the configured time."""
        pause = self._config.batch_s / max(1, len(lines))
        behind = time.monotonic()
        for line in lines:
            behind += pause
            await asyncio.sleep(max(0.0, behind - time.monotonic()))
            if batch.status == "cancelling" or time.monotonic() >= batch.expires:
                return
            call = Call(kind="batches", method="POST", path=f"/compatible-mode{ENDPOINT}", origin="", headers={})
            try:
                reply = await compatible_reply.embed(self._config, self._vectors, call, line["body"])
            except Problem as problem:
                body = as_json(problem.compatible(call.request_id))
                refused.append(
                    result(line, (problem.status, call.request_id, body), problem.said.code, problem.message)
                )
                batch.failed += 1
            else:
                done.append(result(line, (200, call.request_id, reply.body)))
                batch.completed += 1
                if reply.billing:
                    self._stats.delivered(reply.billing)

    def _file(self, lines: list[bytes]) -> str:
        name = f"file-batch_output-{uuid4().hex[:24]}"
        file = StoredFile(b"\n".join(lines) + b"\n", f"{name}.jsonl", "batch_output", id=name)
        return self._files.add(file)


def _seconds(window: str, expires_s: float | None) -> float:
    hours = int(window[:-1]) * (24 if window.endswith("d") else 1)
    return hours * 3600.0 if expires_s is None else expires_s
