"""What metrics and traces cost: nanoseconds a call without an SDK, and an ingest with and without one.

    uv run python benchmarks/telemetry.py --files 500 --rounds 5

An ingest is of invented Markdown, by the fake provider, into a new store, in a process of its own; with and without
take turns, and the quickest of each counts. "With" keeps metrics and spans and throws them away every second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

CALLS = 2_000


def nanoseconds(call: Callable[[], Any]) -> float:
    """Time a call by the processor's clock, the quickest of five rounds."""
    rounds = []
    for _ in range(5):
        began = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        rounds.append((time.thread_time_ns() - began) / CALLS)
    return min(rounds)


def calls() -> dict[str, float]:
    """Time what the hooks do, in this process as it is."""
    from relance.embedding.providers import ModelInfo
    from relance.embedding.rate_limits import AdaptiveLimit
    from relance.embedding.traffic import Traffic
    from relance.pipeline.report import Report
    from relance.pipeline.run_telemetry import RunTelemetry

    info = ModelInfo(name="fake/hash", dimension=64)
    traffic, report, bare = Traffic(info, AdaptiveLimit(8)), Report("notes", "1"), Report("notes", "2")
    report.watch(RunTelemetry(report, info))

    def enter(block: Callable[[], AbstractContextManager[None]]) -> Callable[[], None]:
        def run() -> None:
            with block():
                pass

        return run

    return {
        "a request": nanoseconds(enter(lambda: traffic.request(10, 1000))),
        "a stage": nanoseconds(enter(lambda: report.stage("embed"))),
        "a stage, not watched": nanoseconds(enter(lambda: bare.stage("embed"))),
        "a count": nanoseconds(lambda: report.add("tokens", 1)),
        "a count, not watched": nanoseconds(lambda: bare.add("tokens", 1)),
    }


def install_sdk() -> None:
    """Record everything."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter(), schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)


def child(corpus: Path, *, sdk: bool) -> None:
    """Print the seconds an ingest takes here, and how often the hooks are called."""
    from relance.config import IndexSpec
    from relance.index import Index

    if sdk:
        install_sdk()
    with tempfile.TemporaryDirectory() as store:
        spec = {
            "name": "notes",
            "sources": [{"type": "files", "root": str(corpus)}],
            "embedding": {"model": "fake/hash", "batch_texts": 25},
            "store": {"uri": store},
            "folder": corpus,
        }
        began, busy = time.perf_counter(), time.process_time()
        report = Index(IndexSpec.model_validate(spec)).ingest()
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
    print(json.dumps({"seconds": seconds, "cpu": busy, "requests": report.requests, "calls": calls()}))


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", type=Path)
    parser.add_argument("--sdk", action="store_true")
    options = parser.parse_args()
    if options.child:
        child(options.child, sdk=options.sdk)
        return
    with tempfile.TemporaryDirectory() as corpus:
        here = Path(__file__)
        make = [sys.executable, str(here.with_name("corpus.py")), corpus, "--files", str(options.files)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        taken: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
        for turn in range(2 * options.rounds):
            sdk = bool(turn % 2)
            command = [sys.executable, str(here), "--child", corpus, *(["--sdk"] if sdk else [])]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            taken[sdk].append(json.loads(done.stdout))
    for sdk, name in ((False, "without an SDK"), (True, "with an SDK")):
        costs = {what: min(each["calls"][what] for each in taken[sdk]) for what in taken[sdk][0]["calls"]}
        print(name, {what: f"{cost:.0f} ns" for what, cost in costs.items()})
    print(f"{options.files} files, {taken[True][0]['requests']} requests")
    for what, name in (("seconds", "on the clock"), ("cpu", "of processor time")):
        without, with_sdk = (min(each[what] for each in taken[sdk]) for sdk in (False, True))
        print(f"{without:.2f} s {name} without, {with_sdk:.2f} s with: {with_sdk / without:.3f}")


if __name__ == "__main__":
    main()
