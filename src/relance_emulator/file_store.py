"""The files that are kept for batches, and how they are refused."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from relance_emulator.problems import REQUEST, Problem

__all__ = ["FileStore", "StoredFile", "wrong"]


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


class FileStore:
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

    def clear(self) -> None:
        """Forget all files."""
        self._files.clear()


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
