"""An OpenTelemetry SDK that keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

Labels = frozenset[tuple[str, Any]]


class Told(SpanExporter):
    """What was told since the test began.

    Attributes:
        spans: ended ones, in that order.
    """

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.listening = False
        # What is read is forgotten, so that each test sees its own.
        delta: dict[type, AggregationTemporality] = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
        self._reader = InMemoryMetricReader(preferred_temporality=delta)
        metrics.set_meter_provider(MeterProvider([self._reader], shutdown_on_exit=False))
        traces = TracerProvider(shutdown_on_exit=False)
        traces.add_span_processor(SimpleSpanProcessor(self))
        trace.set_tracer_provider(traces)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep spans while a test of this folder runs; the providers outlive it, for they cannot be taken back."""
        if self.listening:
            self.spans += spans
        return SpanExportResult.SUCCESS

    def collect(self) -> dict[str, dict[Labels, Any]]:
        """Return what has been measured since the last time: metric → labels → data point."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        return {
            metric.name: {frozenset((point.attributes or {}).items()): point for point in metric.data.data_points}
            for scope in scopes
            if scope.scope.name == "relance"
            for metric in scope.metrics
        }

    def sums(self) -> dict[str, dict[Labels, float]]:
        """Return the counters that moved since the last time."""
        found = self.collect()
        moved = {
            name: {labels: point.value for labels, point in points.items() if getattr(point, "value", 0)}
            for name, points in found.items()
            if not name.startswith("relance.request.")
        }
        return {name: values for name, values in moved.items() if values}

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: ReadableSpan) -> str:
        """Name the span a span is in; empty if it is in none."""
        names = {each.context.span_id: each.name for each in self.spans if each.context}
        return names[span.parent.span_id] if span.parent else ""


def labels(**values: Any) -> Labels:
    return frozenset(values.items())


@pytest.fixture(scope="session")
def sdk() -> Told:
    return Told()


@pytest.fixture
def told(sdk: Told) -> Iterator[Told]:
    sdk.collect()
    sdk.spans.clear()
    sdk.listening = True
    yield sdk
    sdk.listening = False
