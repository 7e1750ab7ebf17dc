"""Whole runs against DashScope's emulator: how hard they push the service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from emulated_runs import Service, emulating, notes, write_corpus

from relance.index import Index

PUBLISHED: dict[str, Any] = {"requests_per_minute": None, "tokens_per_minute": None, "max_concurrency": 64}
WARM_UP_S = 1.5


@contextmanager
def watching(service: Service) -> Generator[list[tuple[float, dict[str, Any]]]]:
    """Read the emulator's figures four times a second; yields them with the moments they are of."""
    seen: list[tuple[float, dict[str, Any]]] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.25):
            stats = service.stats()
            seen.append((time.monotonic(), stats))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def rate(seen: list[tuple[float, dict[str, Any]]], count: Callable[[dict[str, Any]], float]) -> float:
    """Compute how many a second the service has taken, between the warm-up and the last texts."""
    busy = [(at, stats) for at, stats in seen if 0 < stats["texts"] < seen[-1][1]["texts"]]
    busy = [(at, stats) for at, stats in busy if at - busy[0][0] > WARM_UP_S]
    (began, first), (ended, last) = busy[0], busy[-1]
    assert ended - began > 3
    return (count(last) - count(first)) / (ended - began)


def test_the_30_requests_a_second_of_beijing_are_used_and_hardly_ever_exceeded(declare, docs) -> None:
    write_corpus(docs, notes(400))
    with emulating(limits="published", region="beijing", base_ms=50) as service, watching(service) as seen:
        report = Index(declare(service, region="beijing", batch_texts=2, **PUBLISHED)).ingest()
        stats = service.stats()
    assert report.embedded == 400
    assert stats["rejected"] < 0.01 * stats["requests"]
    assert 0.9 * 30 < rate(seen, lambda stats: stats["requests"] - stats["rejected"]) < 1.02 * 30


@pytest.mark.long
def test_the_million_tokens_a_minute_of_singapore_are_used_and_hardly_ever_exceeded(declare, docs) -> None:
    write_corpus(docs, notes(400, words=95))
    with emulating(limits="published", region="singapore", base_ms=50) as service, watching(service) as seen:
        report = Index(
            declare(service, batch_texts=4, sections={"chunking": {"max_tokens": 512}}, **PUBLISHED)
        ).ingest()
        stats = service.stats()
    assert report.chunks == report.embedded == 400
    assert stats["rejected"] <= 0.01 * stats["requests"]
    assert 0.9 < rate(seen, lambda stats: stats["tokens"]) / (1_000_000 / 60) < 1.02


@pytest.mark.long
def test_a_slow_service_without_limits_gets_as_many_requests_at_once_as_configured_and_no_more(declare, docs) -> None:
    """300 ms and not the benchmark's 150: here one interpreter is client and service, and the machine may be busy."""
    write_corpus(docs, notes(500))
    with emulating(base_ms=300) as service:
        report = Index(declare(service, batch_texts=1, max_concurrency=64)).ingest()
        stats = service.stats()
    assert (report.embedded, stats["duplicates"]) == (500, 0)
    assert 50 <= stats["peak_in_flight"] <= 64


@pytest.mark.long
def test_two_runs_of_one_process_share_the_limits_of_a_model(declare, docs) -> None:
    write_corpus(docs, notes(240))
    with emulating(base_ms=30) as service:
        indexes = [Index(declare(service, name=name, max_concurrency=6, batch_texts=4)) for name in ("one", "two")]
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(Index.ingest, indexes))
        stats = service.stats()
    assert [report.embedded for report in reports] == [240, 240]
    assert stats["requests"] == 120
    assert 5 <= stats["peak_in_flight"] <= 6, "each alone would have six"
