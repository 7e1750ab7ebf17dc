"""Batches at half the price: against the emulator, through crashes, and never ordering a text twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import httpx
import numpy as np
import pytest
import stamina

from relance.embedding.batch_api import Orders, cancel, fill
from relance.embedding.embedder import vector_key
from relance.errors import AccountError, BudgetError, ConfigurationError, RetryableError
from relance.pipeline.batch_mode import changed_texts, fill_context
from relance.pipeline.run import Ingestion
from relance.store.catalog import Catalog
from relance_emulator import EmulatorConfig, running

fill_module = import_module("relance.embedding.batch_api.fill")  # the package has a function of that name
KEY = "sk-very-secret-0123456789"
TEXTS = [f"The gauge at mile {n} stands {n * 7 % 31} feet above the mean." for n in range(25)]
FAST: dict[str, Any] = {"least": 1, "poll_s": (0.01, 0.05)}


class Service:
    """An emulator, as tests see it."""

    def __init__(self, url):
        self.url = url

    def post(self, name, content=None):
        assert httpx.post(f"{self.url}/_emulator/{name}", json=content, trust_env=False).status_code == 200

    def get(self, path):
        return httpx.get(self.url + path, headers={"authorization": f"Bearer {KEY}"}, trust_env=False).json()

    def stats(self):
        return self.get("/_emulator/stats")

    def sent(self, method, path):
        """Return the bodies of the latest requests to an address."""
        found = [each for each in self.get("/_emulator/requests")["requests"] if each["method"] == method]
        return [each["body"] for each in found if each["path"] == f"/compatible-mode/v1{path}"]

    @property
    def online(self):
        """Count the texts' requests that were no part of a batch."""
        return sum(count for path, count in self.stats()["by_path"].items() if path.endswith("embedding"))


def emulating(**settings):
    return running(EmulatorConfig(vectors="hash", record=500, **settings))


@pytest.fixture(scope="module")
def emulator_url():
    with emulating(batch_s=0.05) as url:
        yield url


@pytest.fixture
def service(emulator_url):
    service = Service(emulator_url)
    service.post("reset")
    return service


@pytest.fixture(autouse=True)
def impatient():
    """No pauses between attempts."""
    with stamina.set_testing(True, attempts=20, cap=True):
        yield


def embedding_for(service, **fields):
    plain = {"model": "dashscope/text-embedding-v4", "base_url": service.url, "api_key": KEY, "dimension": 64}
    return plain | {"mode": "batch"} | fields


@pytest.fixture
def start(make_index, service):
    """Enter a run; keywords are for the section `embedding`, `sections` for others."""

    @contextmanager
    def enter(at=service, sections=None, **fields):
        with Ingestion(make_index(embedding=embedding_for(at, **fields), **(sections or {})).spec) as run:
            yield run

    return enter


def keys_of(run, texts):
    return [vector_key(run.provider.info.space, "document", text) for text in texts]


def has(run, texts):
    return run.vectors.contains(keys_of(run, texts)).tolist()


def open_orders(run):
    return Orders(run.tables.catalog, run.tables.space, f"{run.embedding.base_url}/compatible-mode/v1").all()


def write_documents(docs):
    for n in range(8):
        (docs / f"{n}.md").write_text("\n\n".join(TEXTS[n : n + 6]), encoding="utf-8")


def ingest(index):
    """Do what the flow does."""
    with Ingestion(index.spec) as run:
        run.discover()
        filled = fill(fill_context(run), changed_texts(run), **FAST) if index.spec.embedding.mode == "batch" else None
        for batch in run.batches():
            run.upsert(run.embed(run.chunk(run.load(batch))))
        return run.finish(), filled


def rows_of(index):
    with Ingestion(index.spec, read_only=True) as run:
        rows = run.tables.chunks.table.search().where("active").select(["id", "vector"]).limit(None).to_arrow()
    return dict(zip(rows["id"].to_pylist(), rows["vector"].to_pylist(), strict=True))


# The whole way


@pytest.mark.parametrize("provider", ["dashscope", "openai"])
def test_an_index_is_the_same_by_batches_as_online_at_half_the_price(service, make_index, docs, tmp_path, provider):
    write_documents(docs)
    fields: dict[str, Any] = {"price_per_million_tokens": 0.5}
    if provider == "openai":
        fields |= {"model": "openai/text-embedding-v4", "base_url": f"{service.url}/compatible-mode/v1"}
    index = make_index(embedding=embedding_for(service, **fields))
    report, filled = ingest(index)
    batched = service.stats()
    assert service.online == 0
    assert batched["duplicates"] == 0
    assert report.status == "completed"
    assert (filled.ordered, filled.batches, filled.embedded, filled.failed, filled.waiting) == (
        batched["texts"], 1, batched["texts"], 0, 0,
    )  # fmt: skip
    assert (report.embedded, report.requests) == (filled.embedded, 1)
    assert report.tokens == filled.tokens == batched["tokens"]
    assert report.cost_usd == filled.cost_usd == pytest.approx(batched["tokens"] * 0.25e-6)

    service.post("reset")
    elsewhere = {"store": {"uri": str(tmp_path / "online")}}
    online = make_index(embedding=embedding_for(service, mode="online", **fields), **elsewhere)
    dear, _ = ingest(online)
    assert dear.cost_usd == pytest.approx(2 * report.cost_usd)
    ours, theirs = rows_of(index), rows_of(online)
    assert ours.keys() == theirs.keys()
    for name, vector in ours.items():
        np.testing.assert_allclose(vector, theirs[name], atol=1e-6)


def test_a_run_over_an_unchanged_index_orders_nothing(service, make_index, docs):
    write_documents(docs)
    index = make_index(embedding=embedding_for(service))
    ingest(index)
    service.post("reset")
    report, filled = ingest(index)
    assert filled.ordered == report.embedded == service.stats()["requests"] == 0


def test_what_cannot_be_read_is_reported_once(service, make_index, docs):
    write_documents(docs)
    (docs / "empty.md").write_text(" \n")
    report, _ = ingest(make_index(embedding=embedding_for(service)))
    assert [failure.uri.rpartition("/")[2] for failure in report.failures] == ["empty.md"]
    assert report.failed == 1


def test_a_batch_is_ordered_as_the_protocol_says_and_its_files_are_removed(service, start):
    with start() as run:
        fill(fill_context(run), [(TEXTS, None)], **FAST)
    [body] = map(json.loads, service.sent("POST", "/batches"))
    assert body["metadata"]["ds_name"].startswith("relance-")
    del body["metadata"]
    assert body.pop("input_file_id").startswith("file-batch-")
    assert body == {"endpoint": "/v1/embeddings", "completion_window": "24h"}
    assert service.get("/compatible-mode/v1/files")["data"] == []


# What is ordered


def test_no_text_is_ordered_that_need_not_or_cannot_be(service, start):
    with start(max_input_tokens=20) as run:
        fill(fill_context(run), [(TEXTS[:3], None)], **FAST)
        service.post("reset")
        wanted = TEXTS[3:8]
        batches = [
            ([*TEXTS[:3], *wanted, *wanted], None),
            (["", "  \n", "word " * 30, wanted[0]], np.array([0, 2, 31, 12])),
        ]
        report = fill(fill_context(run), iter(batches), **FAST)
        assert (report.ordered, service.stats()["texts"], service.stats()["duplicates"]) == (5, 5, 0)
        assert all(has(run, wanted))


def test_fewer_texts_than_pay_are_left_to_be_embedded_online(service, start):
    with start() as run:
        assert fill(fill_context(run), [(TEXTS, None)], least=len(TEXTS) + 1).ordered == 0
        assert service.stats()["requests"] == 0


@pytest.mark.parametrize("limits", [{"max_lines": 10}, {"max_bytes": 2500}])
def test_many_texts_are_ordered_in_several_files(service, start, limits):
    with start() as run:
        report = fill(fill_context(run), [(TEXTS, None)], **FAST, **limits)
        assert report.batches == len(service.sent("POST", "/batches")) >= 3
        assert (report.embedded, service.stats()["duplicates"]) == (len(TEXTS), 0)
        assert run.report.requests == report.batches


def test_two_indexes_of_one_store_do_not_order_the_same_texts(service, start):
    reports, ready = [], threading.Barrier(2)

    def work(name):
        with start(sections={"name": name}) as run:
            ready.wait()
            reports.append(fill(fill_context(run), [(TEXTS, None)], **FAST))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.embedded for report in reports) == [0, len(TEXTS)]
    assert (service.stats()["texts"], service.stats()["duplicates"]) == (len(TEXTS), 0)


# Crashes


class CrashError(BaseException):
    """The process is no more."""


class Crash:
    """Ends a run after the n-th thing it does to the outside: call a service, write to the catalog."""

    def __init__(self, monkeypatch, at):
        self.left = at
        self.happened = False
        put, loop = Catalog.put, fill_module.event_loop

        def counted_put(catalog, key, value, *, expected):
            put(catalog, key, value, expected=expected)
            if key.startswith("bulk/"):
                self.step()

        @contextmanager
        def counted_loop():
            with loop() as portal:
                yield Portal(portal, self.step)

        monkeypatch.setattr(Catalog, "put", counted_put)
        monkeypatch.setattr(fill_module, "event_loop", counted_loop)

    def step(self):
        self.left -= 1
        if self.left == 0:
            self.happened = True
            raise CrashError


class Portal:
    def __init__(self, portal, step):
        self._portal = portal
        self._step = step

    def call(self, work, *args):
        result = self._portal.call(work, *args)
        if work.__name__ != "aclose":
            self._step()
        return result


@pytest.mark.slow
def test_a_run_may_be_killed_anywhere_and_each_text_is_still_ordered_once(service, start):
    calm: dict[str, Any] = {"least": 1, "max_lines": 2, "poll_s": (0.1, 0.1)}
    for at in range(1, 60):
        service.post("reset")
        texts = [f"{at}: {text}" for text in TEXTS[:4]]
        with pytest.MonkeyPatch.context() as patch, suppress(CrashError):
            crash = Crash(patch, at)
            with start() as run:
                try:
                    fill(fill_context(run), [(texts, None)], **calm)
                except CrashError:
                    run.vectors._buffer.clear()  # what was not on disk is lost
                    raise
        if not crash.happened:
            break
        with start() as run:
            report = fill(fill_context(run), [(texts, None)], **calm)
            assert all(has(run, texts)), at
            assert report.waiting == 0, at
        stats = service.stats()
        assert (stats["texts"], stats["duplicates"]) == (4, 0), at
    assert not crash.happened
    assert at > 15


@pytest.mark.slow
def test_a_killed_process_loses_no_batch(make_index, tmp_path):
    with emulating(batch_s=3.0) as url:
        service = Service(url)
        spec = make_index(embedding=embedding_for(service)).spec
        script = (
            "import json, sys\n"
            "from relance.embedding.batch_api import fill\n"
            "from relance.pipeline.batch_mode import fill_context\n"
            "from relance.pipeline.run import Ingestion\n"
            "from relance.config import IndexSpec\n"
            "declared, texts = json.loads(sys.argv[1])\n"
            "with Ingestion(IndexSpec.model_validate(declared)) as run:\n"
            "    fill(fill_context(run), [(texts, None)], least=1)\n"
        )
        declared = spec.model_dump(mode="json") | {"embedding": embedding_for(service), "folder": str(tmp_path)}
        process = subprocess.Popen([sys.executable, "-c", script, json.dumps([declared, TEXTS])])
        with Ingestion(spec, read_only=True) as reader:
            deadline = time.monotonic() + 60
            while not any(order.batch_id for order in open_orders(reader)):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

        read_when = []

        def texts():
            read_when.append(all(has(run, TEXTS)))
            yield TEXTS, None

        with Ingestion(spec, wait_s=10) as run:
            report = fill(fill_context(run), texts(), **FAST)
        assert read_when == [True]  # the batch was received before a document was read
        assert (report.ordered, report.embedded) == (0, len(TEXTS))
        assert (service.stats()["texts"], service.stats()["duplicates"]) == (len(TEXTS), 0)


@pytest.mark.parametrize("action", ["reset", "truncated", "ok_with_code", "InternalError", "html"])
def test_an_order_whose_answer_is_lost_is_looked_up_before_it_is_made_again(service, start, action):
    service.post("faults", [{"kind": "batches", "times": 1, "action": action}])
    with start() as run:
        report = fill(fill_context(run), [(TEXTS, None)], **FAST)
        assert (report.embedded, report.batches) == (len(TEXTS), 1)
    assert (service.stats()["texts"], service.stats()["duplicates"]) == (len(TEXTS), 0)
    assert service.sent("GET", "/batches")


@pytest.mark.parametrize("seed", range(2))
def test_a_shaky_service_is_waited_for_and_nothing_is_bought_twice(make_index, seed):
    faults = [
        {"probability": 0.1, "action": action}
        for action in ("reset", "truncated", "html", "InternalError", "Throttling", "ModelUnavailable")
    ]
    with emulating(batch_s=0.05, seed=seed) as url:
        service = Service(url)
        service.post("faults", faults)
        with Ingestion(make_index(embedding=embedding_for(service)).spec) as run:
            report = fill(fill_context(run), [(TEXTS, None)], **FAST, max_lines=5)
            assert all(has(run, TEXTS))
        stats = service.stats()
    assert report.batches == 5
    assert (stats["texts"], stats["duplicates"]) == (len(TEXTS), 0)
    assert len(stats["by_status"]) > 2  # it was shaky


# Being stopped, and other ends


def test_a_stopped_run_leaves_its_batch_to_the_next_one(start, make_index):
    with emulating(batch_s=1.0) as url:
        service = Service(url)
        with start(service) as run:
            threading.Timer(0.3, run.handle.stop.set).start()
            report = fill(fill_context(run), [(TEXTS, None)], **FAST)
            assert (report.ordered, report.embedded, report.waiting) == (len(TEXTS), 0, len(TEXTS))
            [order] = open_orders(run)
            assert order.batch_id.startswith("batch_")
            assert order.input_file_id.startswith("file-")
            assert order.lines == len(TEXTS)
        with start(service, price_per_million_tokens=1.0) as run:
            report = fill(fill_context(run), [(TEXTS, None)], **FAST)
            assert (report.ordered, report.embedded, report.waiting) == (0, len(TEXTS), 0)
            assert report.cost_usd == pytest.approx(service.stats()["tokens"] * 0.5e-6)
            assert run.budget.reserved_usd == pytest.approx(report.cost_usd)
        assert (len(service.sent("POST", "/batches")), service.stats()["duplicates"]) == (1, 0)


def test_a_cancelled_batch_leaves_what_was_done(start):
    with emulating(batch_s=2.0) as url:
        service = Service(url)
        with start(service) as run:
            threading.Timer(1.0, run.handle.stop.set).start()
            fill(fill_context(run), [(TEXTS, None)], **FAST)
        with start(service) as run:
            assert cancel(fill_context(run)) == 1
            report = fill(fill_context(run), [(TEXTS, None)], **FAST)
            done = has(run, TEXTS)
            assert 0 < sum(done) < len(TEXTS)
            assert (report.ordered, report.embedded, report.failed) == (0, sum(done), len(TEXTS) - sum(done))
            assert cancel(fill_context(run)) == 0
        assert service.stats()["texts"] == sum(done)


def test_an_expired_batch_leaves_what_was_done(start):
    with emulating(batch_s=2.0, batch_expires_s=0.8) as url:
        service = Service(url)
        with start(service) as run:
            report = fill(fill_context(run), [(TEXTS, None)], **FAST)
            done = sum(has(run, TEXTS))
            assert 0 < done < len(TEXTS)
            assert (report.embedded, report.failed, report.waiting) == (done, len(TEXTS) - done, 0)
            assert "online" in run.report.notes[0]
            assert "expired" in run.report.notes[0]
        assert (service.stats()["texts"], service.stats()["duplicates"]) == (done, 0)


def test_what_comes_back_without_a_vector_is_left_to_be_embedded_online(service, start):
    too_long = "word " * 9000  # for the service; we are told otherwise
    with start(max_input_tokens=100_000) as run:
        report = fill(fill_context(run), [([*TEXTS, too_long], None)], **FAST)
        assert (report.ordered, report.embedded, report.failed) == (len(TEXTS) + 1, len(TEXTS), 1)
        assert has(run, [*TEXTS, too_long]) == [True] * len(TEXTS) + [False]
        [note] = run.report.notes
        assert "1 texts" in note
        assert "[1, 8192]" in note
        assert service.online == 0
        result = run.embedder.call([*TEXTS, too_long])
        assert (result.reused, list(result.failures)) == (len(TEXTS), [len(TEXTS)])
        assert service.online == 1


def test_a_refused_text_is_not_ordered_again_by_the_run_that_hears_of_it(start):
    too_long = "word " * 9000
    with emulating(batch_s=1.0) as url:
        service = Service(url)
        texts = [([*TEXTS, too_long], None)]
        with start(service, max_input_tokens=100_000) as run:
            threading.Timer(0.3, run.handle.stop.set).start()
            fill(fill_context(run), texts, **FAST)
        with start(service, max_input_tokens=100_000) as run:
            report = fill(fill_context(run), texts, **FAST)
            assert (report.ordered, report.embedded, report.failed) == (0, len(TEXTS), 1)


def test_a_batch_the_service_does_not_begin_is_an_error_of_one_sentence(service, start):
    fields = {"model": "openai/no-such-model", "base_url": f"{service.url}/compatible-mode/v1"}
    with start(**fields) as run:
        with pytest.raises(ConfigurationError, match=r"model_not_found in line 1: The provided model .*mode: online"):
            fill(fill_context(run), [(TEXTS, None)], **FAST)
        assert Orders(run.tables.catalog, run.tables.space, fields["base_url"]).all() == []
        assert run.budget.reserved_usd == 0


# Money and accounts


def test_without_the_money_for_all_of_it_nothing_is_sent(service, start):
    sections = {"limits": {"max_cost_usd": 0.0001}}
    with start(sections=sections, price_per_million_tokens=1.0) as run:
        with pytest.raises(BudgetError, match=r"max_cost_usd"):
            fill(fill_context(run), [(TEXTS, None)], **FAST, max_lines=5)
        assert service.stats()["requests"] == 0
        assert open_orders(run) == []


def test_a_budget_is_reserved_by_the_price_of_batches(service, start):
    tokens = 600  # of all texts, at most
    with start(sections={"limits": {"max_cost_usd": tokens * 0.5e-6}}, price_per_million_tokens=1.0) as run:
        assert fill(fill_context(run), [(TEXTS, None)], **FAST).embedded == len(TEXTS)
        assert 0 < run.report.cost_usd < tokens * 0.5e-6


def test_a_free_quota_does_not_pay_for_batches(start):
    with start(free_tokens=10**9, price_per_million_tokens=1.0) as run:
        assert fill(fill_context(run), [(TEXTS, None)], **FAST).cost_usd > 0


@pytest.mark.parametrize("kind", ["files", "batches"])
def test_a_refused_account_ends_the_run_at_once(service, start, kind):
    service.post("faults", [{"kind": kind, "action": "Arrearage"}])
    with start() as run:
        with pytest.raises(AccountError, match="bill"):
            fill(fill_context(run), [(TEXTS, None)], **FAST)
        assert open_orders(run) == []
    assert len(service.sent("POST", f"/{kind}")) == 1


def test_a_service_that_stays_away_leaves_the_order_to_the_next_run(service, start):
    with start() as run:
        service.post("faults", [{"kind": "batches", "skip": 1, "action": "InternalError"}])
        with pytest.raises(RetryableError):
            fill(fill_context(run), [(TEXTS, None)], **FAST)
        service.post("faults", [])
        assert fill(fill_context(run), [(TEXTS, None)], **FAST).embedded == len(TEXTS)
    assert (len(service.sent("POST", "/batches")), service.stats()["duplicates"]) == (1, 0)


def test_the_key_is_in_no_table_and_no_log(service, start, caplog, capsys):
    service.post("faults", [{"kind": "batches", "times": 1, "action": "InternalError", "message": f"not {KEY}"}])
    with caplog.at_level("DEBUG"), start() as run:
        run.handle.stop.set()
        fill(fill_context(run), [(TEXTS, None)], **FAST)
        run.handle.stop.clear()
        fill(fill_context(run), [(TEXTS, None)], **FAST)
        rows = run.tables.catalog.table.to_arrow().to_pylist()
    assert KEY not in caplog.text + repr(rows) + "".join(capsys.readouterr())
