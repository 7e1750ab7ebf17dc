"""Whole runs against DashScope's emulator: through faults, refusals, budgets, limits and batches, to the last text."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import stamina
import yaml

from relance.cli import main
from relance.emulator import EmulatorConfig, running
from relance.emulator.models import MODELS
from relance.emulator.vectors import fitted, hashed
from relance.errors import AccountError, BudgetError
from relance.index import Index
from relance.ingestion import Ingestion

V4 = "dashscope/text-embedding-v4"
NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"
COMPATIBLE = "/compatible-mode/v1/embeddings"
KEY = "sk-very-secret-0123456789"
DIMENSION = 64
WORDS = "river gauge flood satellite sensor battery antenna ferry bridge lock weir basin spring delta storm".split()
NO_LIMITS = {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000}


class Service:
    """A running emulator, as tests see it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = url.removeprefix("http://")

    def faults(self, *rules: dict[str, Any]) -> None:
        """Script what goes wrong from now on."""
        self._ask("POST", "faults", list(rules))

    def reset(self) -> None:
        """Forget everything."""
        self._ask("POST", "reset")

    def stats(self) -> dict[str, Any]:
        """Return the figures since the last reset."""
        return self._ask("GET", "stats")

    def sent(self, path: str) -> list[dict[str, Any]]:
        """Return the requests to an address, oldest first, with their bodies read."""
        found = [each for each in self._ask("GET", "requests")["requests"] if each["path"] == path]
        return [each | {"body": json.loads(each["body"])} for each in found if each["method"] == "POST"]

    def calls(self, path: str) -> int:
        """Count the requests to an address."""
        return self.stats()["by_path"].get(path, 0)

    def _ask(self, method: str, name: str, content: Any = None) -> Any:
        response = httpx.request(method, f"{self.url}/_emulator/{name}", json=content, trust_env=False)
        assert response.status_code == 200, response.text
        return response.json()


@contextmanager
def emulating(**settings: Any) -> Generator[Service]:
    with running(EmulatorConfig(vectors="hash", record=1000, **settings)) as url:
        yield Service(url)


@pytest.fixture(scope="module")
def plain() -> Generator[Service]:
    with emulating() as service:
        yield service


@pytest.fixture
def service(plain: Service) -> Service:
    """An emulator without limits that has counted nothing yet."""
    plain.reset()
    return plain


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)

    def call(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        assert isinstance(ended.value.code, int)
        ran = Ran(ended.value.code, *capsys.readouterr())
        assert KEY not in ran.out + ran.err
        return ran

    return call


def notes(count: int, *, words: int = 12, seed: int = 7) -> dict[str, str]:
    """Make up texts that all differ, by id."""
    dice = random.Random(seed)
    return {
        f"n{n}": f"Note {n} says " + " ".join(dice.choice(WORDS) + str(dice.randrange(90)) for _ in range(words)) + "."
        for n in range(count)
    }


def write(docs: Path, texts: dict[str, str]) -> None:
    """Put texts where indexes look for them."""
    lines = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in texts.items()]
    (docs / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def declare(tmp_path: Path, docs: Path) -> Callable[..., Path]:
    """Write the spec of an index over the texts; keywords are for the section `embedding`, `sections` for others."""

    def write_spec(service: Service, *, name: str = "runs", sections: dict[str, Any] | None = None, **fields: Any) -> Path:
        embedding = {"model": V4, "base_url": f"{service.url}/api/v1", "dimension": DIMENSION} | NO_LIMITS | fields
        declared = {
            "name": name,
            "sources": [
                {
                    "type": "files",
                    "root": str(docs),
                    "include": ["*.jsonl"],
                    "rows": {"id": "_id", "title": "title", "text": ["title", "text"]},
                }
            ],
            "chunking": {"max_tokens": 256},
            "embedding": {key: value for key, value in embedding.items() if value is not None},
            "store": {"uri": str(tmp_path / name)},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(declared | (sections or {})), encoding="utf-8")
        return path

    return write_spec


def rows(index: Index) -> list[dict[str, Any]]:
    """Return all of a table but the vectors and what tells runs apart."""
    table = index.table().search().where("active").limit(None).to_arrow()
    found = table.drop_columns([name for name in ("run_id", "updated_at", "vector", "sparse") if name in table.schema.names])
    return sorted(found.to_pylist(), key=lambda row: row["id"])


def texts_of(index: Index) -> list[str]:
    return [row["text"] for row in rows(index)]


def check_vectors(index: Index) -> None:
    """Check that every text has its own vector and no other's."""
    found = index.table().search().where("active").select(["text", "vector"]).limit(None).to_arrow()
    expected = fitted(hashed(found["text"].to_pylist()), "text-embedding-v4", DIMENSION)
    np.testing.assert_allclose(np.stack(found["vector"].to_numpy()), expected, atol=1e-6)


def uris(hits: Iterable[Any]) -> list[str]:
    return [hit.uri.rpartition("#")[2] for hit in hits]


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


@pytest.fixture
def impatient() -> Generator[None]:
    """No pauses between attempts."""
    with stamina.set_testing(True, attempts=20, cap=True):
        yield


@pytest.mark.parametrize("dataset", ["cranfield"], indirect=True)
def test_a_real_set_is_complete_though_every_fifth_request_fails(declare, docs, dataset, impatient) -> None:
    (docs / "corpus.jsonl").write_bytes((dataset / "corpus.jsonl").read_bytes())
    stats = endure(declare, seed=1, max_concurrency=32)
    failed = stats["requests"] - stats["texts"] / 10
    assert 0.1 < failed / stats["requests"] < 0.35


@pytest.mark.parametrize("seed", range(2))
def test_a_run_is_complete_though_every_fifth_request_fails(declare, docs, seed, impatient) -> None:
    write(docs, notes(400))
    stats = endure(declare, seed=seed, max_concurrency=16, batch_texts=4)
    assert 105 < stats["requests"] < 160
    assert set(stats["by_status"]) > {"200", "429", "500"}


def test_what_fails_is_waited_for_with_pauses_and_not_asked_for_at_once(declare, docs) -> None:
    write(docs, notes(160))
    with emulating() as service:
        service.faults({"kind": "text", "times": 3, "action": "Throttling.BurstRate"}, {"kind": "text", "times": 3, "action": "reset"})
        began = time.monotonic()
        report = Index(declare(service)).ingest()
        assert time.monotonic() - began > 0.5
        assert (report.status, report.embedded) == ("completed", 160)
        stats = service.stats()
        assert (stats["requests"], stats["rejected"], stats["duplicates"]) == (16 + 6, 3, 0)


# -- an account that is refused ---------------------------------------------------------------------------------

# What the service says, its status, and what the user has to be told of.
REFUSED = {
    "Arrearage": (400, "a bill to be paid"),
    "PrepaidBillOverdue": (429, "a bill to be paid"),
    "PostpaidBillOverdue": (429, "a bill to be paid"),
    "AllocationQuota.FreeTierOnly": (403, f"free quota of {V4}"),
    "FreeAllocatedQuota": (429, f"free quota of {V4}"),
    "CommodityNotPurchased": (429, "not subscribed"),
    "InvalidApiKey": (401, "key in DASHSCOPE_API_KEY is not valid"),
    "Model.AccessDenied": (403, "key in DASHSCOPE_API_KEY may not use"),
}


def sentence(ran: Ran) -> str:
    """Check that a command failed with one message on stderr, nothing on stdout and no traceback; returns it."""
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("relance: ")
    assert ran.err.count("\n") == 1, "one line, not several"
    assert not any(word in ran.err for word in ("Traceback", "Error(", "Error:"))
    return ran.err


@pytest.mark.parametrize("batches", [1, 4])
@pytest.mark.parametrize("action", REFUSED)
def test_a_refused_account_ends_the_run_at_once_and_loses_nothing(
    declare, docs, service, run, monkeypatch, action, batches
) -> None:
    status, says = REFUSED[action]
    texts = notes(320)
    write(docs, texts)
    monkeypatch.setattr(Ingestion, "batch_items", len(texts) // batches)
    service.faults({"kind": "text", "skip": 5, "action": action})
    spec = declare(service, max_concurrency=6)
    told = sentence(run("ingest", spec, "--direct"))
    assert says in told
    assert service.host in told
    stats = service.stats()
    assert stats["by_status"]["200"] == 5
    assert 1 <= stats["by_status"][str(status)] <= 6, "no more than was in flight already"

    index = Index(spec)
    assert index.runs()[0]["status"] == "failed"
    service.faults()
    report = index.ingest()
    assert (report.status, report.added, report.embedded, report.reused) == ("completed", 320, 270, 50)
    assert (service.stats()["texts"], service.stats()["duplicates"]) == (320, 0)
    assert sorted(texts_of(index)) == sorted(texts.values())
