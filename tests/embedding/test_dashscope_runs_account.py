"""Whole runs against DashScope's emulator: accounts that are refused, budgets and free quotas."""

from __future__ import annotations

import pytest
from by_hand import by_hand
from emulated_runs import NO_LIMITS, V4, emulating, notes, sentence, texts_of, write_corpus

from relance.errors import BudgetError
from relance.index import Index

SERVICE = "run_emulator"


# -- an account that is refused ---------------------------------------------------------------------------------

# What the service says, its status, and what the user has to be told of.
REFUSED = {
    "Arrearage": (400, "a bill to be paid"),
    "PostpaidBillOverdue": (429, "a bill to be paid"),
    "AllocationQuota.FreeTierOnly": (403, f"free quota of {V4}"),
    "FreeAllocatedQuota": (429, f"free quota of {V4}"),
    "InvalidApiKey": (401, "key in DASHSCOPE_API_KEY is not valid"),
}


@pytest.mark.parametrize(
    "action",
    [
        "Arrearage",
        "InvalidApiKey",
        *by_hand("PostpaidBillOverdue", "AllocationQuota.FreeTierOnly", "FreeAllocatedQuota"),
    ],
)
def test_a_refused_account_ends_the_run_at_once_and_loses_nothing(declare, docs, service, run, action) -> None:
    status, says = REFUSED[action]
    texts = notes(320)
    write_corpus(docs, texts)
    service.faults({"kind": "text", "skip": 5, "action": action})
    spec = declare(service, max_concurrency=6, sections={"limits": {"batch_documents": 80}})  # four, all at once
    told = sentence(run("ingest", spec, "--direct"))
    assert says in told
    assert service.host in told
    stats = service.stats()
    assert stats["by_status"]["200"] == 5
    assert 1 <= stats["by_status"][str(status)] <= 6, "no more than was in flight already"

    index = Index(spec)
    assert index.runs()[0].status == "failed"
    service.faults()
    report = index.ingest()
    assert (report.status, report.added, report.embedded, report.reused) == ("completed", 320, 270, 50)
    assert (service.stats()["texts"], service.stats()["duplicates"]) == (320, 0)
    assert sorted(texts_of(index)) == sorted(texts.values())


def test_a_key_of_another_region_is_refused_once_per_request_in_flight_and_the_right_one_goes_on(
    declare, docs, run, monkeypatch
) -> None:
    write_corpus(docs, notes(100))
    with emulating(region="beijing", keys={"sk-singapore": "singapore", "sk-beijing": "beijing"}) as service:
        spec = declare(service, region="beijing")
        monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-singapore")
        told = sentence(run("ingest", spec, "--direct"))
        assert f"The key in DASHSCOPE_API_KEY is not valid at {service.host}: a key works only in the region" in told
        assert "sk-singapore" not in told
        assert set(service.stats()["by_status"]) == {"401"}
        assert service.stats()["requests"] <= 4, "as many as are tried at first"
        monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-beijing")
        report = Index(spec).ingest()
        assert (report.embedded, report.reused, service.stats()["duplicates"]) == (100, 0, 0)
        assert report.cost_usd == pytest.approx(report.tokens * 0.069e-6), "the price in Beijing"


def test_no_key_at_all_is_said_before_anything_is_read_or_sent(declare, docs, service, run, monkeypatch) -> None:
    write_corpus(docs, notes(3))
    monkeypatch.delenv("DASHSCOPE_API_KEY")
    ran = run("ingest", declare(service, base_url=None, region="hongkong"), "--direct")
    assert (ran.code, ran.out) == (2, "")
    assert "set DASHSCOPE_API_KEY to one made for Hong Kong" in ran.err


# -- money ------------------------------------------------------------------------------------------------------


def test_a_plan_over_the_budget_spends_nothing_and_says_what_it_needs(declare, docs, service, run) -> None:
    write_corpus(docs, notes(100))
    plan = Index(declare(service)).plan()
    cost = plan.tokens * 0.07e-6
    assert plan.cost_usd == pytest.approx(cost)
    poor = declare(service, sections={"limits": {"max_cost_usd": cost * 0.99}})
    told = sentence(run("ingest", poor, "--direct"))
    assert f"this run needs ${cost:.4f} for {plan.tokens:,} tokens" in told
    assert "nothing was spent" in told
    assert service.stats()["requests"] == 0
    assert run("plan", poor).code == 0
    assert service.stats()["requests"] == 0

    rich = Index(declare(service, sections={"limits": {"max_cost_usd": cost * 1.01}}))
    report = rich.ingest()
    assert (report.tokens, report.cost_usd) == (plan.tokens, pytest.approx(cost))
    assert (report.requests, service.stats()["tokens"]) == (plan.requests, plan.tokens), "planned to the token"


def test_bills_higher_than_estimated_stop_the_run_before_the_request_that_would_exceed_the_budget(
    declare, tmp_path, service
) -> None:
    """An image is estimated at 896 tokens, as the vendor's samples have it, and billed one more for its vector."""
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(24):
        Image.new("RGB", (16, 16), (n * 10, 255 - n * 10, n)).save(folder / f"{n:02}.png")
    embedding = {
        "model": "dashscope/tongyi-embedding-vision-plus", "base_url": f"{service.url}/api/v1", "max_concurrency": 1,
    }  # fmt: skip
    sections = {"sources": [{"type": "files", "root": str(folder)}], "media": {"embedding": embedding | NO_LIMITS}}
    plan = Index(declare(service, sections=sections)).plan()
    estimated = 24 * 896 * 0.09e-6
    assert plan.media.cost_usd == pytest.approx(estimated)
    spec = declare(service, sections=sections | {"limits": {"max_cost_usd": estimated + 1e-9}})
    with pytest.raises(BudgetError, match=r"would bring this run to \$0\.0019, over limits\.max_cost_usd"):
        Index(spec).ingest()
    stats = service.stats()
    assert (stats["requests"], stats["texts"], stats["tokens"]) == (2, 16, 16 * 897)

    report = Index(declare(service, sections=sections)).ingest().media
    assert (report.added, report.embedded, report.reused) == (24, 8, 16)
    assert service.stats()["duplicates"] == 0


def test_a_free_quota_is_shown_taken_off_and_remembered(declare, docs, service, run) -> None:
    texts = notes(60)
    write_corpus(docs, texts)
    tokens = Index(declare(service)).plan().tokens
    spec = declare(service, free_tokens=tokens + 100, sections={"limits": {"max_cost_usd": 0}})
    plan = Index(spec).plan()
    assert (plan.tokens, plan.free_tokens, plan.cost_usd) == (tokens, tokens, 0)
    assert f"{tokens:,} of the tokens are covered by embedding.free_tokens" in run("plan", spec).out
    report = Index(spec).ingest()
    assert (report.embedded, report.tokens, report.cost_usd) == (60, tokens, 0)

    write_corpus(docs, texts | {f"more{n}": text for n, text in enumerate(notes(30, seed=8).values())})
    plan = Index(spec).plan()
    assert plan.free_tokens == 100
    assert plan.cost_usd == pytest.approx((plan.tokens - 100) * 0.07e-6)
    with pytest.raises(BudgetError, match="nothing was spent"):
        Index(spec).ingest()
    assert service.stats()["tokens"] == tokens
    report = Index(declare(service, free_tokens=tokens + 100)).ingest()
    assert (report.tokens, report.cost_usd) == (plan.tokens, pytest.approx(plan.cost_usd))
