"""Files of the Batch interface."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from relance_emulator.problems import REQUEST, Problem, named
from relance_emulator.wire import Call, Reply, Upload, as_json

if TYPE_CHECKING:
    from relance_emulator.service import Service

__all__ = ["Files", "StoredFile", "content", "create", "delete", "listing", "show", "wrong"]

LARGEST = 500 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file and what is shown of it."""

    content: bytes
    filename: str
    purpose: str
    id: str = field(default_factory=lambda: f"file-batch-{uuid4().hex[:24]}")
    created_at: int = field(default_factory=lambda: int(time.time()))

    def shown(self) -> dict[str, Any]:
        """Return the file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "created_at": self.created_at,
        }


class Files:
    """All files, by id."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def __iter__(self) -> Any:
        return iter(self._files.values())

    def add(self, file: StoredFile) -> str:
        """Keep a file and return its id."""
        self._files[file.id] = file
        return file.id

    def find(self, name: str) -> StoredFile:
        """Return a file, or raise the refusal."""
        if name not in self._files:
            raise wrong(f"No such File object: {name}", "id", 404)
        return self._files[name]

    def remove(self, name: str) -> None:
        """Forget a file, or raise the refusal."""
        self.find(name)
        del self._files[name]


class Wrong(Problem):
    """A refusal by the Batch interface, whose bodies have no code and no ids."""

    def compatible(self, request_id: str) -> dict[str, object]:
        """Return the body."""
        del request_id
        error = {"message": self.message, "type": REQUEST, "param": self.param, "code": None}
        return {"error": error}


def wrong(message: str, param: str | None, status: int = 400) -> Problem:
    """Refuse a file or batch request."""
    return Wrong(status, "InvalidParameter", message, param=param)


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
