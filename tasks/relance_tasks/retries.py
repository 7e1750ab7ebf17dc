"""Which failures of a task are worth another try."""

from __future__ import annotations

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from relance.errors import RetryableError

__all__ = ["BATCH", "STAGE"]


def is_retryable(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Try again what may pass by itself; a wrong key or a full budget does not."""
    try:
        state.result()
    except RetryableError:
        return True
    except Exception:  # whatever else: a second try costs money or hides a fault
        return False
    return False


# Batches are megabytes and their stages may run again: nothing is hashed, cached or persisted by Prefect.
# No `timeout_seconds`: Prefect cannot interrupt a thread and only warns; every request has its own
# (`embedding.timeout_s`, at most `embedding.max_attempts` times).
STAGE: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "tags": ["relance"]}
BATCH: dict[str, Any] = {
    **STAGE,
    "retries": 2,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_retryable,
}
