"""Requests as Prometheus counts them, beside what the exporter says of the indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.serve.visit import Visit

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

__all__ = ["Traffic"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Traffic:
    """Counts requests by operation, index and status."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        labels = ["operation", "index"]
        self._requests = Counter("relance_serve_requests", "Requests that were answered", [*labels, "status"],
                                 registry=None)  # fmt: skip
        self._seconds = Histogram("relance_serve_seconds", "Time until an answer was sent", labels, buckets=_BUCKETS,
                                  registry=None)  # fmt: skip
        self._under_way = Gauge("relance_serve_under_way", "Requests that are being answered", registry=None)

    @property
    def collectors(self) -> list[Collector]:
        """What a registry takes."""
        return [self._requests, self._seconds, self._under_way]

    def begin(self) -> None:
        """Count a request that is being answered."""
        self._under_way.inc()

    def end(self, visit: Visit, status: int) -> None:
        """Count it as answered."""
        self._under_way.dec()
        operation = visit.operation or "other"
        self._requests.labels(operation, visit.index, str(status)).inc()
        self._seconds.labels(operation, visit.index).observe(visit.seconds)
