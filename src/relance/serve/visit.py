"""One request, as the audit log and the metrics see it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from relance.serve.tokens import Caller

__all__ = ["Visit"]


@dataclass(slots=True)
class Visit:
    """A request under way; what answers it fills in what was done.

    Attributes:
        operation: what was done, such as `search`; over MCP `mcp search`.
        index: it was done with.
        query: the words of the question.
        hits: that were found.
        began: `time.perf_counter()` when it came.
    """

    caller: Caller
    operation: str = ""
    index: str = ""
    query: str = ""
    hits: int | None = None
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return time.perf_counter() - self.began
