"""Who did what: a line of JSON for each request."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relance.errors import ConfigurationError
from relance.serve.visit import Visit

__all__ = ["AuditLog"]

log = logging.getLogger(__name__)


class AuditLog:
    """A file that lines are added to; nobody but its owner reads it. No token is written, nor an address's query.

    Args:
        path: of the file; None writes nothing.
        queries: whether the words of questions are written.

    Raises ConfigurationError where the file cannot be written.
    """

    def __init__(self, path: Path | None, *, queries: bool = False) -> None:
        self._queries = queries
        self._file = None
        self._failing = False
        if path is None:
            return
        try:
            number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            msg = f"the audit log {path} cannot be written: {error.strerror}; name another file with --audit"
            raise ConfigurationError(msg) from None
        self._file = os.fdopen(number, "ab", buffering=0)  # each line is one write, whole also after a kill

    def write(self, visit: Visit, status: int, **more: Any) -> None:
        """Add a line; a full disk is logged once, and no reason to refuse the next request."""
        if self._file is None:
            return
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "token": visit.caller.name,
                "operation": visit.operation, "index": visit.index, **more, "status": status,
                "ms": round(visit.seconds * 1000, 1)}  # fmt: skip
        line |= {} if visit.hits is None else {"hits": visit.hits}
        line |= {"query": visit.query} if self._queries and visit.query else {}
        try:
            self._file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error("the audit log cannot be written: %s", error.strerror)  # noqa: TRY400  # the reason is enough
            self._failing = True

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
