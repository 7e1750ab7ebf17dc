"""One run as metrics and spans: what its report counts, and the stages it goes through."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from relance.embedding.providers import ModelInfo
from relance.pipeline.report import Report
from relance.telemetry.metrics import add, model_labels, record
from relance.telemetry.spans import Value, carry, span

__all__ = ["RunTelemetry", "measured"]

# What a report counts → the metric, and the attribute that tells it from its like.
_DOCUMENTS = {name: ("relance.documents", {"outcome": name}) for name in ("added", "changed", "removed", "failed")}
_CHUNKS = {name: ("relance.chunks", {"how": name}) for name in ("embedded", "reused")}
_BILL: dict[str, tuple[str, dict[str, str]]] = {
    "tokens": ("relance.tokens", {}),
    "cost_usd": ("relance.cost", {}),
}


class RunTelemetry:
    """Hears of everything that is added to a run's report."""

    def __init__(self, report: Report, info: ModelInfo) -> None:
        self._part = {"index": report.index, "part": report.part}
        self._model = self._part | model_labels(info.name, info.region)
        self._carried = carry()

    def count(self, name: str, amount: float) -> None:
        """Add to the metric of a report's counter; those without one are passed over."""
        if name in _BILL:
            add(_BILL[name][0], amount, self._model)
        elif (known := _DOCUMENTS.get(name) or _CHUNKS.get(name)) is not None:
            metric, labels = known
            add(metric, amount, self._part | labels)

    def stage(self, name: str) -> Any:
        """Open a span for a stage: inside the caller's, or in a thread of ours inside the run's."""
        return span(name, self._part, carried=self._carried)


@contextmanager
def measured(report: Report, info: ModelInfo) -> Generator[None]:
    """Measure a run for the length of the block, at whose end its report says how it ended."""
    labels: dict[str, Value] = {"index": report.index, "part": report.part, "relance.run": report.run_id}
    began = time.perf_counter()
    with span(f"run {report.title}", labels | model_labels(info.name, info.region)) as opened:
        report.watch(RunTelemetry(report, info))
        try:
            yield
        finally:
            opened.set_attribute("status", report.status)
            if report.status == "failed":
                from opentelemetry.trace import StatusCode

                opened.set_status(StatusCode.ERROR)  # the stage it failed in says why
            ended = {"index": report.index, "part": report.part, "status": report.status}
            add("relance.runs", 1, ended)
            record("relance.run.duration", time.perf_counter() - began, ended)
