"""The page Prometheus reads: what the stores know of some indexes, remembered a while so that reading stays cheap."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from relance.config import IndexSpec
from relance.telemetry.readings import OUTCOMES, PartReading, Reader
from relance.telemetry.schedule import longest_pause_s

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector, CollectorRegistry
    from starlette.routing import Route

__all__ = ["Indexes", "ReadingLimits", "metrics_routes", "registry"]

log = logging.getLogger(__name__)

_OPEN = SecretStr("")
STATUSES = ("completed", "completed with failures", "stopped", "failed", "rolled back")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """How often stores are read, and how long somebody waits for it.

    Attributes:
        remembered_s: a reading is shown for so long before the store is read again.
        rest: so many times as long as a reading took, none begins: of the time, a tenth at most is spent reading.
        patience_s: a page waits so long for stores; Prometheus gives up after ten seconds.
        stale_s: so old may figures be that are shown while a store does not answer.
    """

    remembered_s: float = 15.0
    rest: float = 10
    patience_s: float = 5.0
    stale_s: float = 120.0


_LIMITS = ReadingLimits()


class Remembered:
    """One index's reading, renewed in a thread of its own when somebody asks and it is old."""

    def __init__(self, reader: Reader, limits: ReadingLimits) -> None:
        self.spec = reader.spec
        self._reader = reader
        self._limits = limits
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._parts: list[PartReading] | None = None
        self._read_at = self._next_at = float("-inf")
        self._failing = False
        self.seconds = 0.0

    def refresh(self) -> threading.Thread | None:
        """Start to read again if it is time; returns the thread that does, which may have been at it for long."""
        with self._lock:
            if self._reading is None and time.monotonic() >= self._next_at:
                # A daemon: a share that hangs must not keep the process from ending.
                self._reading = threading.Thread(target=self._read, name=f"read-{self.spec.name}", daemon=True)
                self._reading.start()
            return self._reading

    @property
    def parts(self) -> list[PartReading] | None:
        """The parts as they were read last; None if that failed, or is too long ago."""
        limits = self._limits
        with self._lock:
            return (
                self._parts
                if time.monotonic() - self._read_at <= max(limits.stale_s, limits.rest * self.seconds)
                else None
            )

    def _read(self) -> None:
        began = time.monotonic()
        parts: list[PartReading] | None = None
        try:
            parts = self._reader.read()
            self._failing = False
        except Exception as error:  # whatever it is, the page says that this index cannot be read
            if not self._failing:
                log.warning("index %s cannot be read: %s", self.spec.name, str(error)[:300])
            self._failing = True
        finally:
            with self._lock:
                self._parts, self._reading, self._read_at = parts, None, time.monotonic()
                self.seconds = self._read_at - began
                self._next_at = self._read_at + max(self._limits.remembered_s, self._limits.rest * self.seconds)


class Indexes:
    """A Prometheus collector over declared indexes."""

    def __init__(self, readers: Iterable[Reader], *, limits: ReadingLimits = _LIMITS) -> None:
        self._indexes = [Remembered(reader, limits) for reader in readers]
        self._patience_s = limits.patience_s

    def describe(self) -> list[Metric]:
        """Say nothing of what will be collected: asking the stores takes too long when the process starts."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read what has to be read, for a few seconds at most, and tell what is known."""
        deadline = time.monotonic() + self._patience_s
        for thread in [index.refresh() for index in self._indexes]:
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        page = Page()
        for index in self._indexes:
            page.add_index(index.spec, index.parts, index.seconds)
        yield from page.families.values()


class Page:
    """The metrics of all indexes, a family each."""

    def __init__(self) -> None:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        part, model = ["index", "part"], ["index", "part", "provider", "model"]
        gauges = {
            "up": ("Whether the store can be read", ["index"]),
            "read_seconds": ("Time the latest reading of the store took", ["index"]),
            "schedule_seconds": ("Longest pause between two runs by the spec's schedule", ["index"]),
            "documents": ("Documents in the index", part),
            "chunks": ("Chunks readers can find", part),
            "failures": ("Documents that could not be indexed, as of the last run", part),
            "doctor_findings": ("Findings of the latest `relance doctor` that are not repaired", ["index", "level"]),
            "doctor_timestamp_seconds": ("When `relance doctor` looked last", ["index"]),
            "last_run_status": ("1 for the status the latest run ended with, 0 for the others", [*part, "status"]),
            "last_run_timestamp_seconds": ("When the latest run ended", part),
            "last_run_duration_seconds": ("Time the latest run took", part),
            "last_run_stage_seconds": ("Time the latest run spent in a stage; stages overlap", [*part, "stage"]),
            "last_success_timestamp_seconds": ("When the latest run ended that was not cut short; 0: never", part),
        }
        counters = {
            "runs": ("Runs in the log", [*part, "status"]),
            "document_changes": ("Documents all runs have added, changed, removed, or could not index",
                                 [*part, "outcome"]),
            "vectors": ("Vectors all runs have bought (embedded) or found (reused)", [*model, "how"]),
            "tokens": ("Tokens billed to all runs", model),
            "requests": ("Requests all runs have made", model),
            "cost_usd": ("US dollars billed to all runs", model),
        }  # fmt: skip
        self.families: dict[str, Any] = {
            name: GaugeMetricFamily(f"relance_index_{name}", text, labels=labels)
            for name, (text, labels) in gauges.items()
        } | {
            name: CounterMetricFamily(f"relance_index_{name}", text, labels=labels)
            for name, (text, labels) in counters.items()
        }

    def add_index(self, spec: IndexSpec, parts: list[PartReading] | None, seconds: float) -> None:
        """Add an index; `parts` are None if it cannot be read."""
        self._add("up", float(parts is not None), spec.name)
        self._add("read_seconds", seconds, spec.name)
        if spec.schedule is not None:
            self._add("schedule_seconds", longest_pause_s(spec.schedule), spec.name)
        for part in parts or ():
            self._add_part(spec.name, part)

    def _add_part(self, index: str, read: PartReading) -> None:
        part, sums = (index, read.part), read.sums
        for name in ("documents", "chunks", "failures"):
            self._add(name, getattr(read, name), *part)
        if read.doctor is not None:
            self._add("doctor_findings", read.doctor.errors, index, "error")
            self._add("doctor_findings", read.doctor.notes, index, "note")
            self._add("doctor_timestamp_seconds", read.doctor.at, index)
        for status in dict.fromkeys([*STATUSES, *sums.runs]):
            self._add("runs", sums.runs[status], *part, status)
        for outcome in OUTCOMES:
            self._add("document_changes", sums.documents[outcome], *part, outcome)
        for model, bill in sums.bills.items():
            who = (*part, *model.split("/", 1))
            for how in ("embedded", "reused"):
                self._add("vectors", bill[how], *who, how)
            for name in ("tokens", "requests", "cost_usd"):
                self._add(name, bill[name], *who)
        self._add("last_success_timestamp_seconds", sums.succeeded_at, *part)
        if sums.last is None:
            return
        for status in dict.fromkeys([*STATUSES, sums.last.status]):
            self._add("last_run_status", float(status == sums.last.status), *part, status)
        self._add("last_run_timestamp_seconds", sums.last.ended_at, *part)
        self._add("last_run_duration_seconds", sums.last.seconds, *part)
        for stage, took in sums.last.stages.items():
            self._add("last_run_stage_seconds", took, *part, stage)

    def _add(self, name: str, value: float, *labels: str) -> None:
        self.families[name].add_metric(labels, value)


def registry(readers: Iterable[Reader], *, limits: ReadingLimits = _LIMITS,
             more: Iterable[Collector] = ()) -> CollectorRegistry:  # fmt: skip
    """Collect from indexes, this process, and what is given besides; nothing else's metrics are in it."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    made = CollectorRegistry()
    made.register(Indexes(readers, limits=limits))
    ProcessCollector(registry=made)
    for collector in more:
        made.register(collector)
    return made


def metrics_routes(readers: Iterable[Reader], token: SecretStr = _OPEN,
                   more: Iterable[Collector] = ()) -> list[Route]:  # fmt: skip
    """Make `GET /metrics` for a Starlette app; with a token, only for who sends it as `Authorization: Bearer …`.

    An index whose store cannot be read has `relance_index_up` 0 and no other figure; the page itself never fails.
    """
    from prometheus_client.exposition import choose_encoder
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    collected, wanted = registry(readers, more=more), token.get_secret_value().encode()

    def metrics(request: Request) -> Response:  # not async: Starlette calls it in a thread, where it may wait
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if wanted and not hmac.compare_digest(given, b"Bearer " + wanted):
            refused = {"www-authenticate": "Bearer"}
            return Response("not authorised: send RELANCE_METRICS_TOKEN as a bearer token\n", 401, refused)
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(collected), headers={"content-type": media_type})

    return [Route("/metrics", metrics, methods=["GET"])]
