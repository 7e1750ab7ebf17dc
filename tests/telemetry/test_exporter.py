"""The page Prometheus reads says what the stores hold."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from pydantic import SecretStr

from relance.config.schedule import ScheduleSpec
from relance.errors import ConfigurationError
from relance.index import Index
from relance.store.readings import TableReader
from relance.telemetry.exporter import ReadingLimits, registry
from relance.telemetry.readings import PartReading
from relance.telemetry.schedule import longest_pause_s
from relance.telemetry.serve import serve_metrics, serving_metrics

PART = {"index": "notes", "part": "text"}
FAKE = {**PART, "provider": "fake", "model": "hash"}


class Page:
    """What a registry says at a moment."""

    def __init__(self, text: str) -> None:
        self.values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in plain(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.values.get((f"relance_index_{name}", frozenset(labels.items())))


AT_ONCE = ReadingLimits(remembered_s=0.0, rest=0)  # nothing is remembered


def read(*indexes: Index, open_reader: Any = TableReader, **options: Any) -> Callable[[], Page]:
    from prometheus_client import generate_latest

    collected = registry((open_reader(index.spec) for index in indexes), **options)
    return lambda: Page(generate_latest(collected).decode())


def test_the_page_says_what_the_reports_said(make_index: Callable[..., Index], docs: Path) -> None:
    index = make_index(embedding={"model": "fake/hash", "price_per_million_tokens": 3.0})
    page = read(index, limits=AT_ONCE)
    (docs / "bad.md").write_bytes(bytes(range(256)))
    reports = []
    for number in range(3):
        for name in ("a", "b", f"new{number}"):
            (docs / f"{name}.md").write_text(f"# {name}\n\nwords {number} of {name}\n", encoding="utf-8")
        if number == 2:
            (docs / "new0.md").unlink()
        reports.append(index.ingest())
        seen = page()
        status = index.status()
        assert seen("up", index="notes") == 1
        for name in ("documents", "chunks", "failures"):
            assert seen(name, **PART) == getattr(status, name) > 0
        for outcome in ("added", "changed", "removed", "failed"):
            total = sum(getattr(report, outcome) for report in reports)
            assert seen("document_changes_total", **PART, outcome=outcome) == total
        for how in ("embedded", "reused"):
            assert seen("vectors_total", **FAKE, how=how) == sum(getattr(report, how) for report in reports)
        for name in ("tokens", "requests", "cost_usd"):
            assert seen(f"{name}_total", **FAKE) == pytest.approx(sum(getattr(report, name) for report in reports))
        assert seen("runs_total", **PART, status="completed with failures") == len(reports)
        assert seen("runs_total", **PART, status="failed") == 0
        assert seen("last_run_status", **PART, status="completed with failures") == 1
        assert seen("last_run_status", **PART, status="failed") == 0
        ended = seen("last_run_timestamp_seconds", **PART)
        assert ended is not None
        assert 0 <= time.time() - ended < 60
        assert seen("last_success_timestamp_seconds", **PART) == ended
        assert seen("last_run_duration_seconds", **PART) == pytest.approx(reports[-1].seconds["total"], abs=0.5)
        assert seen("last_run_stage_seconds", **PART, stage="embed") == round(reports[-1].seconds["embed"], 3)
    assert sum(report.removed for report in reports) == 1


def test_another_model_is_billed_apart_and_runs_of_before_are_the_old_ones(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("some words", encoding="utf-8")
    first = make_index().ingest()
    index = make_index(embedding={"model": "local/wordllama"})
    page = read(index, limits=AT_ONCE)
    second = index.ingest()
    seen = page()
    assert seen("tokens_total", **FAKE) == first.tokens
    assert seen("tokens_total", **PART, provider="local", model="wordllama") == second.tokens


def test_a_failed_run_and_a_rollback_are_seen_and_are_no_success(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index()
    page = read(index, limits=AT_ONCE)
    for words in ("one", "another"):
        (docs / "a.md").write_text(words, encoding="utf-8")
        index.ingest()
    succeeded = page()("last_success_timestamp_seconds", **PART)
    (docs / "a.md").write_text("a third", encoding="utf-8")

    def fall(*_: Any) -> None:
        msg = "the disk is full"
        raise OSError(msg)

    with monkeypatch.context() as patch:
        patch.setattr("relance.pipeline.coordinator.Coordinator.finish", fall)
        with pytest.raises(OSError, match="disk"):
            index.ingest()
    seen = page()
    assert seen("last_run_status", **PART, status="failed") == 1
    assert seen("runs_total", **PART, status="failed") == 1
    assert seen("last_success_timestamp_seconds", **PART) == succeeded
    index.rollback()
    index.rollback()
    seen = page()
    assert seen("last_run_status", **PART, status="rolled back") == 1
    assert seen("runs_total", **PART, status="rolled back") == 2
    assert seen("last_success_timestamp_seconds", **PART) == succeeded


def test_a_store_that_was_replaced_is_counted_anew(
    make_index: Callable[..., Index], docs: Path, tmp_path: Path
) -> None:
    (docs / "a.md").write_text("some words", encoding="utf-8")
    index = make_index()
    page = read(index, limits=AT_ONCE)
    index.ingest()
    index.ingest()
    assert page()("runs_total", **PART, status="completed") == 2
    shutil.rmtree(tmp_path / "db")
    assert page()("up", index="notes") == 0
    make_index().ingest()
    assert page()("runs_total", **PART, status="completed") == 1


def test_a_store_that_cannot_be_read_is_down_and_the_others_are_not(
    make_index: Callable[..., Index], docs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (docs / "a.md").write_text("some words", encoding="utf-8")
    good = make_index()
    good.ingest()
    torn = make_index(name="torn", store={"uri": str(tmp_path / "torn")})
    torn.ingest()
    for manifest in (tmp_path / "torn" / "relance__runs.lance" / "_versions").iterdir():
        manifest.write_bytes(b"torn")
    never = make_index(name="never", store={"uri": str(tmp_path / "never")})
    page = read(good, torn, never, limits=AT_ONCE)
    for _ in range(2):
        seen = page()
        assert [seen("up", index=name) for name in ("notes", "torn", "never")] == [1, 0, 0]
        assert {dict(labels).get("index") for name, labels in seen.values if name == "relance_index_documents"} == {
            "notes"
        }
    assert len([record for record in caplog.records if "torn" in record.getMessage()]) == 1


def test_a_store_is_not_read_again_for_a_while(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "a.md").write_text("some words", encoding="utf-8")
    index = make_index()
    index.ingest()
    reads = []

    class Counted(TableReader):
        def read(self) -> list[PartReading]:
            reads.append(1)
            return super().read()

    page = read(index, open_reader=Counted)
    for _ in range(20):
        assert page()("documents", **PART) == 1
    assert len(reads) == 1


def test_a_store_that_hangs_holds_nobody_up(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "a.md").write_text("some words", encoding="utf-8")
    index = make_index()
    index.ingest()
    go, threads = threading.Event(), []

    class Hanging(TableReader):
        def read(self) -> list[PartReading]:
            threads.append(threading.current_thread())
            go.wait()
            return super().read()

    page = read(index, limits=ReadingLimits(patience_s=0.1), open_reader=Hanging)
    began = time.monotonic()
    assert [page()("up", index="notes") for _ in range(3)] == [0, 0, 0]
    assert time.monotonic() - began < 3
    assert len(threads) == 1, "nobody asks a second time while the first has no answer"
    go.set()
    threads[0].join()
    assert page()("up", index="notes") == 1


def test_prometheus_gets_it_in_the_format_it_asks_for(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "a.md").write_text("some words", encoding="utf-8")
    index = make_index(schedule={"every_minutes": 15})
    index.ingest()
    with (
        serving_metrics([TableReader(index.spec)]) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        assert client.get("/health").text == "ok\n"
        assert client.post("/metrics").status_code == 405
        text = client.get("/metrics")
        accept = {"accept": "application/openmetrics-text; version=1.0.0"}
        other = client.get("/metrics", headers=accept)
    assert text.headers["content-type"].startswith("text/plain")
    assert Page(text.text)("schedule_seconds", index="notes") == 900
    assert other.headers["content-type"].startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(other.text)} >= {"relance_index_documents", "relance_index_tokens"}
    assert "process_resident_memory_bytes" in text.text


def test_with_a_token_the_page_is_for_who_sends_it() -> None:
    with (
        serving_metrics([], token=SecretStr("the token of Prometheus")) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        for given in (None, "Bearer", "Bearer the token of", "the token of Prometheus", "Bearer é"):
            headers = [] if given is None else [(b"authorization", given.encode("latin-1"))]
            reply = client.get("/metrics", headers=headers)
            assert (reply.status_code, "process_" in reply.text) == (401, False)
        reply = client.get("/metrics", headers={"authorization": "Bearer the token of Prometheus"})
        assert (reply.status_code, "process_" in reply.text) == (200, True)


def test_a_taken_port_is_told_in_one_sentence() -> None:
    with serving_metrics([]) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=f"cannot serve metrics on 127.0.0.1:{port} .*choose another port"):
            serve_metrics([], "127.0.0.1", port)


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ({"every_minutes": 15}, 0.25),
        ({"cron": "*/5 * * * *"}, 5 / 60),
        ({"cron": "0 3 * * *"}, 24),
        ({"cron": "0 3 * * *", "timezone": "Europe/Paris"}, 25),
        ({"cron": "0 3 * * 1-5"}, 72),
        ({"cron": "0 3 * * 1-5", "timezone": "Europe/Paris"}, 73),
        ({"cron": "0 0 1 * *"}, 31 * 24),
    ],
)
def test_the_longest_pause_knows_weekends_and_clocks_that_are_set_back(schedule: Any, hours: float) -> None:
    assert longest_pause_s(ScheduleSpec(**schedule)) == hours * 3600
