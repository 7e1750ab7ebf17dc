"""What the requests to a model tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from relance import errors
from relance.embedding.providers import BadReplyError, ModelInfo
from relance.embedding.rate_limits import AdaptiveLimit
from relance.embedding.traffic import Traffic, outcome_of
from relance.index import Index

if TYPE_CHECKING:
    from tests.telemetry.conftest import Told

V4 = {"provider": "dashscope", "model": "text-embedding-v4", "region": "singapore"}


def labels(**values: Any) -> frozenset[tuple[str, Any]]:
    return frozenset(values.items())


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("Throttling.RateQuota", "rate_limited"),
        ("InternalError", "unavailable"),
        ("html", "unavailable"),
        ("reset", "unavailable"),
        ("missing_item", "bad_reply"),
    ],
)
def test_each_request_is_counted_by_how_it_ended(
    told: Told, make_index: Callable[..., Index], docs: Path, emulator: Any, fault: str, outcome: str
) -> None:
    for number in range(40):
        (docs / f"{number}.md").write_text(f"note number {number}", encoding="utf-8")
    emulator.faults([{"action": fault, "times": 1}])
    report = make_index(
        embedding={
            "model": "dashscope/text-embedding-v4",
            "base_url": f"{emulator.url}/api/v1",
            "api_key": "sk-test",
            "region": "singapore",
            "requests_per_minute": 1_000_000,
            "tokens_per_minute": 1_000_000_000,
        }
    ).ingest()
    found = told.collect()
    requests = {key: point.value for key, point in found["relance.requests"].items()}
    assert requests == {labels(**V4, outcome="ok"): 4, labels(**V4, outcome=outcome): 1}
    durations = {key: point.count for key, point in found["relance.request.duration"].items()}
    assert durations == requests
    assert sum(requests.values()) == report.requests == emulator.stats()["requests"]


def test_the_queue_is_seen_while_it_is_there(told: Told) -> None:
    asyncio.run(queue(told))


async def queue(told: Told) -> None:
    limit = AdaptiveLimit(10, start=2)
    info = ModelInfo(name="queue/model", dimension=8)
    traffic = [Traffic(info, limit), Traffic(info, limit)]
    go, sent = asyncio.Event(), asyncio.Event()

    async def one(sender: Traffic, *, tries: bool) -> None:
        async with limit:
            if not tries:  # it has a place, and waits for a rate per minute
                await go.wait()
            with sender.request(1, 1):
                sent.set()
                await go.wait()

    def seen() -> dict[str, float]:
        mine = labels(provider="queue", model="model")
        return {name: points[mine].value for name, points in told.collect().items() if mine in points}

    tasks = [asyncio.create_task(one(traffic[n % 2], tries=n != 1)) for n in range(5)]
    await sent.wait()
    assert seen() == {"relance.request.active": 1, "relance.request.waiting": 4, "relance.request.limit": 2}
    go.set()
    await asyncio.gather(*tasks)
    assert seen() == {"relance.request.active": 0, "relance.request.waiting": 0, "relance.request.limit": 2}
    traffic.clear()
    assert seen() == {"relance.request.active": 0, "relance.request.waiting": 0, "relance.request.limit": 0}


def test_every_kind_of_error_has_a_name_of_its_own_or_its_parents() -> None:
    named = {
        name: outcome_of(kind.__new__(kind))
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.RelanceError)
    }
    assert named["RateLimitedError"] == "rate_limited"
    assert named["SuspectInputError"] == "suspect_input"
    assert named["RetryableError"] == named["IndexBusyError"] == "unavailable"
    assert named["InputError"] == named["DocumentError"] == "input"
    assert named["ConfigurationError"] == named["SpecError"] == "configuration"
    assert named["AccountError"] == "account"
    assert outcome_of(BadReplyError("")) == "bad_reply"
    assert outcome_of(asyncio.CancelledError()) == "cancelled"
    assert outcome_of(ZeroDivisionError()) == "error"
