"""Kills while pictures are fetched and bought: at most what was in flight is bought again, and twice that fetched again."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from media_rows import media_rows
from tests.chaos.victims import Victim

from relance.index import Index
from relance_emulator import EmulatorConfig, running

SEED = int(os.environ.get("RELANCE_CHAOS_SEED", "20261122"))
BATCH, BATCHES = 8, 4  # pictures in a batch, batches on their way
REQUEST, REQUESTS = 4, 2  # pictures in a request, requests open at once
BEING_BOUGHT, BEING_FETCHED = REQUEST * REQUESTS, BATCH * BATCHES
_PICTURE = re.compile(r'"data:image/png;base64,([^"]+)"')


@dataclass
class Counted:
    """What a host and a service were asked for, from one look to the next.

    Attributes:
        fetched: addresses whose pictures were sent so far.
        bought: pictures that were asked for so far, answered or not.
    """

    web: Any
    service: str
    fetched: set[str] = field(default_factory=set)
    bought: set[str] = field(default_factory=set)
    _requests: int = 0

    def requests(self) -> list[str]:
        """Return the bodies that the service was sent."""
        with httpx.Client(trust_env=False) as control:
            return [each["body"] for each in control.get(f"{self.service}/_emulator/requests").json()["requests"]]

    def again(self) -> tuple[int, int]:
        """Count what was fetched and what was bought since the last look although it had been before."""
        sent = [path for path, status in self.web.take() if status == 200]
        bodies = self.requests()
        paid = [
            picture for body in bodies[self._requests :] for picture in _PICTURE.findall(json.dumps(json.loads(body)))
        ]
        self._requests = len(bodies)
        found = sum(path in self.fetched for path in sent), sum(picture in self.bought for picture in paid)
        assert len(paid) == len(set(paid)), "bought twice by one run"
        self.fetched.update(sent)
        self.bought.update(paid)
        return found


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """A service that takes a moment for each request."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-killed")
    with running(EmulatorConfig(vectors="hash", base_ms=20, record=100_000)) as url:
        yield url


def declare(gallery: Any, web: Any, service: str, count: int) -> Path:
    """Put pictures on the web, and write the spec of an index of them."""
    urls = [web.put(f"/{n}.png", gallery.png("red", size=(20 + n % 400, 20 + n // 400))) for n in range(count)]
    web.before = lambda _: time.sleep(0.003)
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},\n" for n, url in enumerate(urls)))
    spec: dict[str, Any] = {
        "name": "killed",
        "sources": [{"type": "files", "root": ".", "include": ["m.csv"], "rows": {"id": "id", "url": "url"}}],
        "embedding": {"model": "fake/hash"},
        "media": gallery.media(
            embedding={"base_url": f"{service}/api/v1", "batch_texts": REQUEST, "max_concurrency": REQUESTS}
        ),
        "limits": {"batch_documents": BATCH, "batches_in_flight": BATCHES},
        "store": {"uri": "db"},
    }
    return gallery.write("index.yaml", json.dumps(spec))


def check_kills(spec: Path, counted: Counted, count: int, moments: list[int]) -> None:
    """Kill runs after so many requests to the service each, and let another one finish."""
    following = Victim(spec)
    for left, moment in zip(range(len(moments) - 1, -1, -1), moments, strict=True):
        victim, before = following, len(counted.requests())
        if left:
            following = Victim(spec)  # imports while the other one works
        victim.release()
        deadline = time.monotonic() + 60
        while len(counted.requests()) < before + moment and victim.at_work:
            assert time.monotonic() < deadline, "the run did not begin"
            time.sleep(0.002)
        assert victim.kill(), "it had finished"
        check(counted)
    index = Index(spec)
    assert index.ingest(wait_s=30).status == "completed"
    check(counted)
    assert len(counted.bought) == len(counted.fetched) == count
    assert len(media_rows(index)) == count
    report = index.ingest()
    assert report.media is not None
    assert (report.media.unchanged, report.media.embedded) == (count, 0)
    assert counted.again() == (0, 0)


def check(counted: Counted) -> None:
    """Check what was fetched and bought again since the last kill."""
    fetched, bought = counted.again()
    assert bought <= BEING_BOUGHT
    assert fetched <= 2 * BEING_FETCHED


@pytest.mark.long
def test_a_kill_costs_the_pictures_that_were_in_flight(gallery: Any, web: Any, service: str) -> None:
    check_kills(declare(gallery, web, service, 80), Counted(web, service), 80, [6])


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_kills_at_random_moments_cost_the_pictures_that_were_in_flight(
    gallery: Any, web: Any, service: str
) -> None:
    rng = random.Random(SEED)
    spec = declare(gallery, web, service, 600)
    check_kills(spec, Counted(web, service), 600, [rng.randrange(1, 16) for _ in range(12)])
