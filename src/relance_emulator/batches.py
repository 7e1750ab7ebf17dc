"""The addresses of batches: files of requests, worked off in the background at half the price."""

from __future__ import annotations

import re

from relance_emulator.batch_queue import ENDPOINT, Batch
from relance_emulator.file_store import wrong
from relance_emulator.service import Service
from relance_emulator.wire import Call, Reply, as_json

__all__ = ["cancel", "create", "listing", "show"]


async def create(service: Service, call: Call) -> Reply:
    """Begin a batch."""
    body = call.json if isinstance(call.json, dict) else {}
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not isinstance(body.get(name), str):
            raise wrong(f"'{name}' is required", name)
    if body["endpoint"] != ENDPOINT:
        raise wrong(f"'endpoint' must be '{ENDPOINT}'", "endpoint")
    window = re.fullmatch(r"(\d+)([hd])", body["completion_window"])
    if not window or not 24 <= int(window[1]) * (24 if window[2] == "d" else 1) <= 336:
        raise wrong("'completion_window' must be between '24h' and '336h'", "completion_window")
    service.files.find(body["input_file_id"])
    batch = Batch(body["input_file_id"], ENDPOINT, body["completion_window"], body.get("metadata"))
    service.batches.start(batch)
    return Reply(as_json(batch.shown()))


async def listing(service: Service, call: Call) -> Reply:
    """List batches, newest first; `after` and `limit` page."""
    found = service.batches.all()
    ids = [batch.id for batch in found]
    if (after := call.query.get("after")) in ids:
        found = found[ids.index(str(after)) + 1 :]
    limit = call.query.get("limit", "20")
    page = found[: int(limit) if limit.isdecimal() else 20]
    return Reply(
        as_json(
            {
                "object": "list",
                "data": [batch.shown() for batch in page] or None,
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
                "has_more": len(page) < len(found),
            }
        )
    )


async def show(service: Service, call: Call) -> Reply:
    """Show a batch."""
    return Reply(as_json(service.batches.find(call.names["batch"]).shown()))


async def cancel(service: Service, call: Call) -> Reply:
    """Ask a batch to stop; what is done stays done."""
    batch = service.batches.find(call.names["batch"])
    if batch.status not in {"validating", "in_progress", "finalizing"}:
        raise wrong(f"Cannot cancel a batch with status '{batch.status}'.", None)
    batch.become("cancelling")
    return Reply(as_json(batch.shown()))
