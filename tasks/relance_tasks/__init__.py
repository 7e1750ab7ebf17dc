"""How Prefect runs the stages: names, retries, timeouts, tags. What they do is in `src/relance`.

For flows of your own: `from relance_tasks import ingest_task, plan_task`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relance_tasks.ingest import ingest_task, plan_task

__all__ = ["ingest_task", "plan_task"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a task when it is first used: engines on other machines need none."""
        if name in __all__:
            return getattr(importlib.import_module("relance_tasks.ingest"), name)
        msg = f"module 'relance_tasks' has no attribute {name!r}"
        raise AttributeError(msg)
