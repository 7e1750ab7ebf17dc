"""The addresses of asynchronous text embedding: a task to poll, a compressed file of vectors."""

from __future__ import annotations

from typing import Any

from relance_emulator.problems import named
from relance_emulator.service import Service
from relance_emulator.task_queue import now
from relance_emulator.wire import Call, Reply, as_json

__all__ = ["cancel", "result", "show"]


async def show(service: Service, call: Call) -> Reply:
    """Show a task; one that does not exist is in an unknown state."""
    task = service.tasks.tasks.get(call.names["task"])
    output = task.shown() if task else {"task_id": call.names["task"], "task_status": "UNKNOWN"}
    body: dict[str, Any] = {"request_id": call.request_id, "output": output}
    if task and task.status == "SUCCEEDED":
        body["usage"] = {"total_tokens": task.tokens}
    return Reply(as_json(body), media_type="application/json;charset=UTF-8")


async def cancel(service: Service, call: Call) -> Reply:
    """Cancel a task that has not begun."""
    task = service.tasks.tasks.get(call.names["task"])
    if task is None or task.status != "PENDING":
        message = "Failed to cancel the task, please confirm if the task is in PENDING status."
        raise named("UnsupportedOperation", message)
    task.status = "CANCELED"
    task.times["end_time"] = now()
    return Reply(as_json({"request_id": call.request_id}))


async def result(service: Service, call: Call) -> Reply:
    """Hand a result out."""
    content = service.tasks.results.get(call.names["name"])
    if content is None:
        raise named("NotFound")
    return Reply(content, media_type="application/gzip")
