"""The engine of a Prefect work pool: flow runs there take batches from this run, Kubernetes jobs included."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.deployments.runner import EntrypointType
from prefect.exceptions import ObjectNotFound

from relance.config import IndexSpec
from relance.config.engine import EngineName
from relance.errors import ConfigurationError, RetryableError
from relance.pipeline.batch import Batch
from relance.pipeline.engines import Engine, value_of
from relance.pipeline.engines.choice import choose, open_engine
from relance.pipeline.engines.exchange import Exchange, Order
from relance.pipeline.engines.read_here import read_here
from relance.pipeline.staging import Staging
from relance.pipeline.store_staging import StoreStaging
from relance_flows.work import work

__all__ = ["WorkPool", "engine_of"]

POOL = "relance"
_WORKERS = 2
_LOOK_S = 5.0  # between two looks at the flow runs
_RESTARTS = 3
_PATIENCE_S = 300.0  # a Kubernetes job may wait for its node


def engine_of(spec: IndexSpec, name: EngineName = "", workers: int = 0) -> Engine:
    """Make the engine of a flow run; raises ConfigurationError as `open_engine` does."""
    chosen = choose(spec.engine, name, workers)
    if chosen.name == "work-pool":
        return read_here(WorkPool(spec.name, chosen.workers, chosen.address), spec)
    return open_engine(spec, name, workers)


class WorkPool:
    """Starts flow runs on a work pool and gives them stages through an exchange in the store's folder.

    A flow run that dies is replaced; what it was at is done by another.
    """

    shares_memory = False
    shares_disk = False

    def __init__(self, index: str, workers: int = 0, pool: str = "") -> None:
        self.workers = workers or _WORKERS
        self._index = index
        self._pool = pool or POOL
        self._exchange: Exchange | None = None
        self._runs: list[UUID] = []
        self._looking = threading.Lock()
        self._looked = 0.0
        self._restarts = 0
        self._begun = False

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> _Waiting:
        """Leave a stage to the workers, which are started by the first."""
        made = tuple(map(value_of, values))
        return _Waiting(self, self._open(made[0].staging).put(stage, made))

    def check(self) -> None:
        """Look after the workers now and then; raises what keeps them from working."""
        with self._looking:
            if time.monotonic() - self._looked < _LOOK_S:
                return
            self._looked = time.monotonic()
            with get_client(sync_client=True) as client:
                states = [client.read_flow_run(run).state for run in self._runs]
            ended = [at for at, state in enumerate(states) if state is not None and state.is_final()]
            self._begun |= any(state is not None and state.is_running() for state in states)
            for at in ended:
                self._restarts += 1
                if self._restarts > _RESTARTS * self.workers:
                    state = states[at]
                    said = (state.message if state else "") or "no reason given"
                    msg = f"the flow runs on work pool {self._pool!r} end again and again: {said[:300]}"
                    raise RetryableError(msg)
                self._runs[at] = self._start()
            if not self._begun and time.monotonic() - self._started > _PATIENCE_S:
                msg = f"no flow run began on work pool {self._pool!r} in {_PATIENCE_S:.0f} s; is a worker running?"
                raise ConfigurationError(msg)

    def __enter__(self) -> Self:
        with get_client(sync_client=True) as client:
            try:
                client.read_work_pool(self._pool)
            except ObjectNotFound:
                msg = f"engine.address: the Prefect server has no work pool {self._pool!r}; `relance up` makes {POOL!r}"
                raise ConfigurationError(msg) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._exchange is not None:
            self._exchange.close()

    def _open(self, staging: Staging | StoreStaging) -> Exchange:
        with self._looking:
            if self._exchange is None:
                self._folder = staging.open() / "exchange"
                self._exchange = Exchange(self._folder)
                self._exchange.make()
                flow: Any = work
                deployment = flow.to_deployment(
                    name=self._pool, work_pool_name=self._pool, entrypoint_type=EntrypointType.MODULE_PATH, _sync=True
                )
                deployment.apply()
                self._runs = [self._start() for _ in range(self.workers)]
                self._looked = self._started = time.monotonic()
            return self._exchange

    def _start(self) -> UUID:
        parameters = {"exchange": str(self._folder), "index": self._index}
        started: Any = run_deployment(f"work/{self._pool}", parameters=parameters, timeout=0, as_subflow=False)
        return started.id


class _Waiting:
    """The future of a stage that workers of a pool do."""

    def __init__(self, engine: WorkPool, order: Order) -> None:
        self._engine, self._order = engine, order

    def result(self) -> Batch:
        """Wait for the outcome."""
        return self._order.result(self._engine.check)
