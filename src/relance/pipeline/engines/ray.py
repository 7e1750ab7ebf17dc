"""The engine of a Ray cluster, or of one that is started on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.errors import ConfigurationError, MissingExtraError, RetryableError

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Ray"]

_TRIES = 3


class Ray:
    """Submits stages as Ray tasks; a lost worker's are done again by another."""

    shares_memory = False

    def __init__(self, workers: int = 0, address: str = "") -> None:
        self.shares_disk = not address
        self.workers = workers
        self._address = address
        self._ray: Any = None
        self._remotes: dict[Callable[..., Batch], Any] = {}

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> _Future:
        """Have a stage executed by the cluster."""
        if stage not in self._remotes:
            self._remotes[stage] = self._ray.remote(num_cpus=1, max_retries=_TRIES)(stage)
        # Results and not references: a batch lies in the staging area, and is there when its worker is lost.
        made = [each.result() if isinstance(each, _Future) else each for each in values]
        return _Future(self._ray, self._remotes[stage].remote(*made))

    def __enter__(self) -> Self:
        # On a busy machine a node takes longer to register than Ray's ten seconds; it then gives up without a reason.
        os.environ.setdefault("RAY_agent_register_timeout_ms", "180000")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            what = "engine ray"
            raise MissingExtraError(what, "ray") from error
        self._ray = ray
        options: dict[str, Any] = {"address": self._address} if self._address else {"num_cpus": self.workers or None}
        try:
            ray.init(**options, include_dashboard=False if not self._address else None, log_to_driver=False,
                     configure_logging=False)  # fmt: skip
        except (ConnectionError, ValueError, RuntimeError) as error:
            msg = f"engine.address: no Ray cluster answers at {self._address or 'this machine'}: {str(error)[:200]}"
            raise ConfigurationError(msg) from error
        self.workers = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._ray.shutdown()


class _Future:
    """The future of a stage on the cluster."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._reference = reference
        self._ray = ray
        self._done: Batch | None = None

    def result(self) -> Batch:
        """Wait for the outcome; RetryableError where workers die over it, or the cluster went away."""
        if self._done is None:
            try:
                self._done = self._ray.get(self._reference)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                msg = f"the Ray cluster lost a batch: {str(error)[:200]}"
                raise RetryableError(msg) from error
        return self._done
