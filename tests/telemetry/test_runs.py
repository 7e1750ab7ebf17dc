"""What a run tells while it works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from relance.errors import AccountError
from relance.index import Index
from relance.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from tests.telemetry.conftest import Told

PART = {"index": "notes", "part": "text"}
FAKE = {"provider": "fake", "model": "hash"}


def labels(**values: Any) -> frozenset[tuple[str, Any]]:
    return frozenset(values.items())


def fill(docs: Path, count: int, *, words: str = "word") -> None:
    for number in range(count):
        (docs / f"{number:03}.md").write_text(f"# Note {number}\n\n{words} {number}\n", encoding="utf-8")


def test_a_run_counts_what_its_report_counts(told: Told, make_index: Callable[..., Index], docs: Path) -> None:
    fill(docs, 5)
    (docs / "bad.md").write_bytes(bytes(range(256)))
    index = make_index(embedding={"model": "fake/hash", "price_per_million_tokens": 2.0})
    first = index.ingest()
    fill(docs, 2, words="another")
    (docs / "004.md").unlink()
    told_first = told.sums()
    second = index.ingest()
    told_second = told.sums()

    for report, sums in ((first, told_first), (second, told_second)):
        changes = {name: getattr(report, name) for name in ("added", "changed", "removed", "failed")}
        assert sums["relance.documents"] == {labels(**PART, outcome=name): n for name, n in changes.items() if n}
        vectors = {"embedded": report.embedded, "reused": report.reused}
        assert sums["relance.chunks"] == {labels(**PART, how=name): n for name, n in vectors.items() if n}
        assert sums["relance.tokens"] == {labels(**PART, **FAKE): report.tokens}
        assert sums["relance.cost"][labels(**PART, **FAKE)] == pytest.approx(report.cost_usd)
        assert sums["relance.runs"] == {labels(**PART, status="completed with failures"): 1}
        assert sums["relance.requests"] == {labels(**FAKE, outcome="ok"): report.requests}
    assert (first.added, first.failed, second.changed, second.removed) == (5, 1, 2, 1)
    assert second.tokens > 0


def test_a_plan_counts_no_documents(told: Told, make_index: Callable[..., Index], docs: Path) -> None:
    fill(docs, 3)
    (docs / "bad.md").write_bytes(bytes(range(256)))
    assert make_index().plan().failed == 1
    assert told.sums() == {}


def test_a_failed_run_is_one_failed_run(
    told: Told, make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        msg = "the key is not known there"
        raise AccountError(msg)

    monkeypatch.setattr("relance.embedding.providers.fake.FakeHash.embed", refuse)
    fill(docs, 3)
    with pytest.raises(AccountError):
        make_index().ingest()
    sums = told.sums()
    assert sums["relance.runs"] == {labels(**PART, status="failed"): 1}
    assert sums["relance.requests"] == {labels(**FAKE, outcome="account"): 1}
    (run,) = told.named("run notes")
    (embed,) = told.named("embed")
    assert run.status.status_code is trace.StatusCode.ERROR
    assert embed.status.description == "the key is not known there"
    assert embed.attributes["error.type"] == "AccountError"


def test_an_error_that_is_not_ours_is_named_but_not_quoted(
    told: Told, make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fall(*_: Any, **__: Any) -> None:
        msg = "sk-very-secret"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr("relance.embedding.providers.fake.FakeHash.embed", fall)
    fill(docs, 1)
    with pytest.raises(ZeroDivisionError):
        make_index().ingest()
    assert {span.attributes.get("error.type") for span in told.named("request")} == {"ZeroDivisionError"}
    assert "sk-very-secret" not in " ".join(span.to_json() for span in told.spans)


def test_requests_are_inside_their_stage_and_stages_inside_the_run(
    told: Told, make_index: Callable[..., Index], docs: Path
) -> None:
    """Across the pool's threads and the event loop's."""
    fill(docs, 20)
    make_index(embedding={"model": "fake/hash", "batch_texts": 3}).ingest()
    stages = {"discover", "load", "chunk", "embed", "commit", "finish"}
    tree = {(told.parent(span), span.name) for span in told.spans}
    assert tree == {("", "run notes"), ("embed", "request"), *(("run notes", stage) for stage in stages)}
    assert len(told.named("request")) == 7
    assert len({span.context.trace_id for span in told.spans}) == 1


def test_a_run_is_inside_the_span_of_whoever_started_it(
    told: Told, make_index: Callable[..., Index], docs: Path
) -> None:
    fill(docs, 1)
    with trace.get_tracer("somebody").start_as_current_span("nightly"):
        make_index().ingest()
    assert {told.parent(span) for span in told.named("run notes")} == {"nightly"}
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_stage_in_a_thread_with_a_span_of_its_own_is_inside_that(
    told: Told, make_index: Callable[..., Index], docs: Path
) -> None:
    """As a Prefect task is."""
    fill(docs, 1)
    from relance.pipeline.run import Run

    with Run(make_index().spec) as run:
        for part, _ in run.work():
            with trace.get_tracer("prefect").start_as_current_span("discover notes"):
                part.found()
            part.finish()
    assert {told.parent(span) for span in told.named("discover")} == {"discover notes"}
    assert {told.parent(span) for span in told.named("finish")} == {"run notes"}


def test_media_are_a_part_of_their_own(told: Told, make_index: Callable[..., Index], docs: Path, emulator: Any) -> None:
    from PIL import Image

    fill(docs, 2)
    Image.new("RGB", (24, 16), "red").save(docs / "red.png")
    model = {"model": "dashscope/tongyi-embedding-vision-plus", "base_url": f"{emulator.url}/api/v1"}
    report = make_index(media={"embedding": model | {"api_key": "sk-test"}}).ingest()
    assert report.media is not None
    sums = told.sums()
    assert sums["relance.documents"] == {
        labels(index="notes", part="text", outcome="added"): 2,
        labels(index="notes", part="media", outcome="added"): 1,
    }
    seen = {"provider": "dashscope", "model": "tongyi-embedding-vision-plus", "region": "singapore"}
    assert sums["relance.tokens"][labels(index="notes", part="media", **seen)] == report.media.tokens > 0
    assert {span.name for span in told.spans} >= {"run notes", "run notes media"}


def test_every_metric_has_the_labels_and_the_unit_it_is_declared_with(
    told: Told, make_index: Callable[..., Index], docs: Path
) -> None:
    fill(docs, 3)
    make_index(embedding={"model": "fake/hash", "price_per_million_tokens": 1.0}).ingest()
    seen = told.collect()
    assert set(seen) == set(METRICS)
    for name, points in seen.items():
        metric = METRICS[name]
        for key, point in points.items():
            assert {label for label, _ in key} | {"region"} == set(metric.labels) | {"region"}, name
            if metric.buckets:
                assert tuple(point.explicit_bounds) == metric.buckets


def test_no_secret_is_in_any_label(told: Told, make_index: Callable[..., Index], docs: Path, emulator: Any) -> None:
    fill(docs, 3)
    emulator.faults([{"action": "InvalidApiKey"}])
    key = "sk-0123456789abcdef-secret"
    index = make_index(
        embedding={"model": "dashscope/text-embedding-v4", "base_url": f"{emulator.url}/api/v1", "api_key": key}
    )
    with pytest.raises(AccountError):
        index.ingest()
    written = [span.to_json() for span in told.spans]
    written += [json.dumps(sorted(map(str, key))) for points in told.collect().values() for key in points]
    assert len(written) > 5
    assert not any("secret" in line or key in line for line in written)
