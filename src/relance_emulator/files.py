"""The addresses of files of the Batch interface."""

from __future__ import annotations

from relance_emulator.file_store import StoredFile, wrong
from relance_emulator.problems import named
from relance_emulator.service import Service
from relance_emulator.wire import Call, Reply, Upload, as_json

__all__ = ["content", "create", "delete", "listing", "show"]

LARGEST = 500 << 20


async def create(service: Service, call: Call) -> Reply:
    """Take a file."""
    file = call.form.get("file")
    if not isinstance(file, Upload):
        raise wrong("'file' is required", "file")
    if call.form.get("purpose") != "batch":
        raise wrong("'purpose' must be 'batch'", "purpose")
    if len(file.content) > LARGEST:
        raise named("BadRequest.TooLarge")
    stored = StoredFile(file.content, file.filename, "batch")
    service.files.add(stored)
    return Reply(as_json(stored.shown()))


async def listing(service: Service, _: Call) -> Reply:
    """List all files, newest first."""
    files = [file.shown() for file in service.files][::-1]
    return Reply(as_json({"object": "list", "has_more": False, "data": files}))


async def show(service: Service, call: Call) -> Reply:
    """Show a file's properties."""
    return Reply(as_json(service.files.find(call.names["file"]).shown()))


async def content(service: Service, call: Call) -> Reply:
    """Hand a file out."""
    file = service.files.find(call.names["file"])
    return Reply(file.content, media_type="application/octet-stream")


async def delete(service: Service, call: Call) -> Reply:
    """Delete a file."""
    service.files.remove(call.names["file"])
    return Reply(as_json({"id": call.names["file"], "object": "file", "deleted": True}))
