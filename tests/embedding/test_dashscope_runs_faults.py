"""Whole runs against DashScope's emulator, through faults and refused texts, to the last text."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from emulated_runs import NATIVE, check_vectors, emulating, notes, texts_of, write_corpus
from rows import rows

from relance.index import Index
from relance_emulator.models import MODELS

SERVICE = "run_emulator"


# -- 20 % of the requests fail ----------------------------------------------------------------------------------

FAILING = [
    "Throttling.RateQuota", "Throttling.BurstRate", "Throttling.AllocationQuota", "InternalError", "ModelUnavailable",
    "ModelServingError", "RequestTimeOut", "reset", "truncated", "ok_with_code", "html",
]  # fmt: skip
ODD = ["missing_usage", "shuffled", "gzip"]


def shaky() -> list[dict[str, Any]]:
    """Let 20 % of the requests fail, each way as often, and 15 % be answered oddly."""
    shares = dict.fromkeys(FAILING, 0.20 / len(FAILING)) | dict.fromkeys(ODD, 0.05)
    left, rules = 1.0, []
    for action, share in shares.items():  # a rule throws its dice for those that the rules before it have let pass
        rules.append({"kind": "text", "action": action, "probability": share / left})
        left -= share
    return rules


def endure(declare: Callable[..., Path], *, seed: int, **fields: Any) -> dict[str, Any]:
    """Ingest from a shaky service, and compare with the fake model, which never fails."""
    alike = {"model": "fake/hash", "base_url": None, "tokenizer": "qwen"}
    with emulating(seed=seed) as service:
        calm = Index(declare(service, name="calm", **alike))
        expected = calm.ingest()
        service.faults(*shaky())
        index = Index(declare(service, max_attempts=20, **fields))
        report = index.ingest()
        stats = service.stats()
        again = index.ingest()
        assert (again.requests, service.stats()["requests"]) == (0, stats["requests"])
    assert rows(index) == rows(calm)
    check_vectors(index)
    assert (report.status, report.added, report.chunks) == (expected.status, expected.added, expected.chunks)
    assert [failure.uri for failure in report.failures] == [failure.uri for failure in expected.failures]
    # Each text came through once, and was counted and billed for that once, whatever its earlier tries came to.
    distinct = len({row["text"] for row in rows(index)})
    assert (stats["texts"], stats["duplicates"], report.embedded) == (distinct, 0, distinct)
    assert (report.tokens, report.requests) == (stats["tokens"], stats["requests"])
    assert report.cost_usd == pytest.approx(stats["tokens"] * 0.07e-6)
    return stats


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["cranfield"], indirect=True)
def test_a_real_set_is_complete_though_every_fifth_request_fails(declare, docs, dataset, impatient) -> None:
    lines = (dataset / "corpus.jsonl").read_bytes().splitlines(keepends=True)
    (docs / "corpus.jsonl").write_bytes(b"".join(lines[:500]))  # with one row that is blank
    stats = endure(declare, seed=1, max_concurrency=32)
    failed = stats["requests"] - stats["texts"] / 10
    assert 0.1 < failed / stats["requests"] < 0.35


@pytest.mark.parametrize("seed", range(2))
def test_a_run_is_complete_though_every_fifth_request_fails(declare, docs, seed, impatient) -> None:
    write_corpus(docs, notes(400))
    stats = endure(declare, seed=seed, max_concurrency=16, batch_texts=4)
    assert 105 < stats["requests"] < 260  # some batches fail twice in a row, and go through by halves
    assert set(stats["by_status"]) > {"200", "429", "500"}


def test_what_fails_is_waited_for_with_pauses_and_not_asked_for_at_once(declare, docs) -> None:
    write_corpus(docs, notes(160))
    with emulating() as service:
        service.faults(
            {"kind": "text", "times": 3, "action": "Throttling.BurstRate"},
            {"kind": "text", "times": 3, "action": "reset"},
        )
        began = time.monotonic()
        report = Index(declare(service)).ingest()
        assert time.monotonic() - began > 0.5
        assert (report.status, report.embedded) == ("completed", 160)
        stats = service.stats()
        assert (stats["rejected"], stats["duplicates"]) == (3, 0)
        assert 16 + 6 <= stats["requests"] <= 16 + 6 + 4, "a batch that is cut off twice goes through by halves"


# -- texts and sizes the service does not take ------------------------------------------------------------------


def test_a_text_the_moderation_refuses_fails_with_its_reason_and_all_others_are_in(declare, docs, service, run) -> None:
    texts = notes(45) | {"bad": "Something unspeakable between two good ones."}
    write_corpus(docs, dict(sorted(texts.items())))
    service.faults({"kind": "text", "match": "unspeakable", "action": "DataInspectionFailed"})
    spec = declare(service)
    ran = run("ingest", spec, "--direct")
    assert (ran.code, ran.err) == (3, "")
    assert "corpus.jsonl#bad: Content moderation refuses it." in ran.out
    index = Index(spec)
    assert sorted(texts_of(index)) == sorted(text for name, text in texts.items() if name != "bad")
    check_vectors(index)
    stats = service.stats()
    assert stats["texts"] - 45 in {0, 1}, "one more asks whether it is the request that is wrong"
    assert stats["duplicates"] == 0
    assert stats["by_status"]["400"] <= 5, "found by halves: 10, 5, 2 or 3, 1"

    service.faults()
    report = index.ingest()
    assert (report.status, report.added, report.embedded) == ("completed", 1, 1)


def test_a_service_that_takes_fewer_texts_than_we_think_is_asked_for_fewer_from_then_on(
    declare, docs, service, monkeypatch
) -> None:
    monkeypatch.setitem(MODELS, "text-embedding-v4", replace(MODELS["text-embedding-v4"], texts=6))
    write_corpus(docs, notes(400))
    index = Index(declare(service, max_concurrency=4))
    report = index.ingest()
    assert (report.status, report.embedded) == ("completed", 400)
    sizes = [len(each["body"]["input"]["texts"]) for each in service.sent(NATIVE)]
    assert service.stats()["by_status"]["400"] <= 4, "only what was in flight when nobody knew yet"
    assert max(sizes[20:]) <= 6
    assert service.stats()["duplicates"] == 0
    check_vectors(index)
