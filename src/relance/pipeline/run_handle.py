"""What a run and whoever started it say to each other while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["Progress", "RunHandle", "current_handle"]


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a run is: documents and chunks so far, of `documents_total` that may have changed."""

    stage: str
    documents: int = 0
    documents_total: int = 0
    chunks: int = 0
    reused: int = 0
    failures: int = 0


@dataclass(slots=True)
class RunHandle:
    """A way to watch a run (`on_progress`, called from its threads) and to stop it between batches (`stop`)."""

    on_progress: Callable[[Progress], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)


# A flow is called through its engine, which passes plain parameters only; the context reaches through it.
current_handle: ContextVar[RunHandle | None] = ContextVar("relance_run_handle", default=None)
