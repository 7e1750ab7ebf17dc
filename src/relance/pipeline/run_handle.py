"""What a run and whoever started it say to each other while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relance.pipeline.plan import Preview

__all__ = ["Progress", "RunHandle", "current_handle"]


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a run is: documents and chunks so far, of `documents_total` that may have changed, and dollars spent.

    `waits_for` says why the model gives no vectors now, such as a service that cannot be reached and is tried again.
    """

    stage: str
    documents: int = 0
    documents_total: int = 0
    chunks: int = 0
    reused: int = 0
    failures: int = 0
    cost_usd: float = 0.0
    waits_for: str = ""


@dataclass(slots=True)
class RunHandle:
    """A way to watch a run, to stop it, and to say yes to it.

    Attributes:
        on_progress: called from the run's threads.
        stop: no request is sent once it is set; what is whole by then is committed.
        approve: asked before a run that costs or removes more than `limits` let it; without one it ends there.
    """

    on_progress: Callable[[Progress], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)
    approve: Callable[[Preview], bool] | None = None


# A flow is called through its engine, which passes plain parameters only; the context reaches through it.
current_handle: ContextVar[RunHandle | None] = ContextVar("relance_run_handle", default=None)
