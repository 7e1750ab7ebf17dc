"""Asynchronous tasks, and what works on them in the background."""

from __future__ import annotations

import asyncio
import gzip
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from relance_emulator import embeddings, media, validation
from relance_emulator.config import EmulatorConfig
from relance_emulator.models import AsyncModel
from relance_emulator.problems import Problem, invalid, named
from relance_emulator.stats import Stats
from relance_emulator.vectors import Vectors
from relance_emulator.wire import Billing, Call, Reply, as_json

__all__ = ["TaskQueue", "now"]

QUEUE = 50  # tasks waiting or running
RUNNING = 3
PIECE = 100  # texts embedded between looks at other calls


@dataclass(slots=True)
class Task:
    """One task and how far it is."""

    model: AsyncModel
    url: str
    role: str
    origin: str
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "PENDING"
    times: dict[str, str] = field(default_factory=dict)
    url_of_result: str = ""
    problem: Problem | None = None
    tokens: int = 0

    def shown(self) -> dict[str, Any]:
        """Return the task's `output`."""
        output = {"task_id": self.id, "task_status": self.status, **self.times}
        if self.url_of_result:
            output["url"] = self.url_of_result
        if self.problem:
            output |= {"code": self.problem.code, "message": self.problem.message}
        return output


class TaskQueue:
    """All tasks, what works on them, and their results."""

    def __init__(self, config: EmulatorConfig, vectors: Vectors, stats: Stats) -> None:
        self._config, self._vectors, self._stats = config, vectors, stats
        self.tasks: dict[str, Task] = {}
        self.results: dict[str, bytes] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(RUNNING)

    def submit(self, call: Call, model: AsyncModel, given: dict[str, Any], parameters: dict[str, Any]) -> Reply:
        """Take a task on."""
        url = given.get("url")
        if not isinstance(url, str) or not url:
            raise validation.missing("input.url")
        if not url.startswith(("http://", "https://")):
            raise named("InvalidURL")
        if sum(task.status in {"PENDING", "RUNNING"} for task in self.tasks.values()) >= QUEUE:
            raise named("Throttling", "Too many tasks are waiting or running.")
        role = validation.choice(parameters, "text_type", ("document", "query"))
        task = Task(model, url, role, call.origin, times={"submit_time": now()})
        self.tasks[task.id] = task
        working = asyncio.create_task(self._work(task))
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        body = {"output": {"task_status": task.status, "task_id": task.id}, "request_id": call.request_id}
        return Reply(as_json(body), media_type="application/json;charset=UTF-8")

    async def stop(self) -> None:
        """End all work and forget all tasks."""
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        self.tasks.clear()
        self.results.clear()

    async def _work(self, task: Task) -> None:
        await asyncio.sleep(self._config.task_s)
        async with self._slots:
            if task.status != "PENDING":
                return
            task.status = "RUNNING"
            task.times["scheduled_time"] = now()
            try:
                content, problem = await self._embed(task), None
            except Problem as raised:
                content, problem = b"", raised
            await asyncio.sleep(self._config.task_s)
            task.times["end_time"] = now()
            if problem:
                task.status, task.problem = "FAILED", problem
                return
            name = f"{task.id}_output_{int(time.time() * 1000)}.txt.gz"
            self.results[name] = gzip.compress(content, compresslevel=1)
            task.url_of_result = f"{task.origin}/results/{name}?Expires={int(time.time()) + 86400}"
            task.status = "SUCCEEDED"

    async def _embed(self, task: Task) -> bytes:
        """Return the lines of the result: vector and position of each text (their exact form is not documented)."""
        model = task.model
        try:
            content = await media.download(task.url, model.file_bytes)
        except Problem as problem:
            raise named(
                "BadRequest.InputDownloadFailed", f"Failed to download the input file: {task.url}."
            ) from problem
        lines = [line.decode("utf-8", "replace") for line in content.splitlines()]
        if len(lines) > model.lines:
            raise invalid(f"Value error, the file should not have more than {model.lines} lines.: input.url")
        counts = validation.lengths(lines, model.tokens)
        task.tokens = sum(counts)
        parts = []
        for start in range(0, len(lines), PIECE):
            piece = lines[start : start + PIECE]
            vectors = await self._vectors.as_model(model.name, piece, model.dimension, role=task.role)
            parts += [
                b'{"output":{"embedding":%b,"text_index":%d}}\n' % (embeddings.numbers(vector), start + row)
                for row, vector in enumerate(vectors)
            ]
            await asyncio.sleep(0)
        self._stats.delivered(Billing(model.name, [hash((task.role, line)) for line in lines], task.tokens))
        return b"".join(parts)


def now() -> str:
    """Write the time as tasks do."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
