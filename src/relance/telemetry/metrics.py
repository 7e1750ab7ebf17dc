"""Every metric of a process: its name, unit and meaning, and the OpenTelemetry instrument behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

__all__ = ["METRICS", "Metric", "add", "model_labels", "observe", "record"]

PART = ("index", "part")
MODEL = ("provider", "model", "region")

# Seconds. A request to a service takes 10 ms to a minute; a run from a second to a day.
REQUEST_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
RUN_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        unit: as OpenTelemetry writes units; what is in braces is not one, but says what is counted.
        labels: names of the attributes.
        buckets: upper bounds of a histogram's.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


METRICS = {
    metric.name: metric
    for metric in (
        Metric("relance.documents", "counter", "{document}", (*PART, "outcome"),
               "Documents a run has added, changed, removed, or could not index (failed)"),
        Metric("relance.chunks", "counter", "{chunk}", (*PART, "how"),
               "Chunks whose vector was bought (embedded) or there already (reused)"),
        Metric("relance.tokens", "counter", "{token}", (*PART, *MODEL), "Tokens billed to runs"),
        Metric("relance.cost", "counter", "{USD}", (*PART, *MODEL), "US dollars billed to runs"),
        Metric("relance.runs", "counter", "{run}", (*PART, "status"), "Runs that have ended, by how"),
        Metric("relance.run.duration", "histogram", "s", (*PART, "status"), "Time a run took", RUN_S),
        Metric("relance.requests", "counter", "{request}", (*MODEL, "outcome"),
               "Requests sent to a model: ok, rate_limited, or the kind of error"),
        Metric("relance.request.duration", "histogram", "s", (*MODEL, "outcome"),
               "Time from sending a request to its answer", REQUEST_S),
        Metric("relance.request.active", "gauge", "{request}", MODEL, "Requests sent and not yet answered"),
        Metric("relance.request.waiting", "gauge", "{request}", MODEL,
               "Requests that wait: for a place, for a rate per minute, or to be tried again"),
        Metric("relance.request.limit", "gauge", "{request}", MODEL,
               "Requests that may be in flight at once now; halves when the service says: too many"),
    )
}  # fmt: skip

Observe = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]

_lock = threading.Lock()
_instruments: dict[str, Any] = {}
_observed: dict[str, Observe] = {}


def add(name: str, amount: float, labels: Mapping[str, str]) -> None:
    """Add to a counter."""
    _instrument(name).add(amount, labels)


def record(name: str, amount: float, labels: Mapping[str, str]) -> None:
    """Put a value into a histogram."""
    _instrument(name).record(amount, labels)


def observe(gauges: Mapping[str, Observe]) -> None:
    """Let gauges be read by these functions whenever somebody collects; they yield values with labels."""
    _observed.update(gauges)
    for name in gauges:
        _instrument(name)


def model_labels(name: str, region: str) -> dict[str, str]:
    """Say which model it is (`provider/model`); without a region where there is only one."""
    provider, _, model = name.partition("/")
    return {"provider": provider, "model": model} | ({"region": region} if region else {})


def _instrument(name: str) -> Any:
    """Return an instrument, made at its first use: OpenTelemetry's API takes 20 ms to import."""
    made = _instruments.get(name)
    if made is None:
        with _lock:  # an SDK warns of a second one of the same name
            made = _instruments.get(name) or _instruments.setdefault(name, _make(METRICS[name]))
    return made


@cache
def _version() -> str:
    return version("relance")  # reads the README with it: 3 ms, once for all instruments


def _make(metric: Metric) -> Any:
    from opentelemetry.metrics import CallbackOptions, Observation, get_meter

    # Works whether an SDK is installed before or after.
    meter = get_meter("relance", _version())
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.meaning)
    if metric.kind == "histogram":
        return meter.create_histogram(
            metric.name, metric.unit, metric.meaning, explicit_bucket_boundaries_advisory=list(metric.buckets)
        )

    def collect(_: CallbackOptions) -> list[Observation]:
        return [Observation(value, labels) for value, labels in _observed[metric.name]()]

    return meter.create_observable_gauge(metric.name, [collect], metric.unit, metric.meaning)
