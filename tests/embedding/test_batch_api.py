"""Batches at half the price, against the emulator: what is ordered, how it ends and what it costs."""

import json
import threading
from typing import Any

import numpy as np
import pytest
from batch_emulator import FAST, KEY, TEXTS, Service, embedding_for, emulating, has, open_orders
from parts import entered

from relance.embedding.batch_api import Orders, cancel, fill
from relance.errors import AccountError, BudgetError, ConfigurationError, RetryableError
from relance.pipeline.batch_mode import changed_texts, fill_context
from relance.pipeline.run import Run

SERVICE = "batch_emulator"
pytestmark = pytest.mark.usefixtures("impatient")


def write_documents(docs):
    for n in range(8):
        (docs / f"{n}.md").write_text("\n\n".join(TEXTS[n : n + 6]), encoding="utf-8")


def ingest(index):
    """Do what the flow does."""
    filled = None
    with Run(index.spec) as run:
        for part, journeys in run.work():
            if index.spec.embedding.mode == "batch":
                filled = fill(fill_context(part), changed_texts(part, journeys), **FAST)
            journeys.go()
            part.finish()
        return run.parts[0].report, filled


def rows_of(index):
    with entered(index.spec, read_only=True) as run:
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
    (docs / "broken.md").write_bytes(bytes(range(256)))
    report, _ = ingest(make_index(embedding=embedding_for(service)))
    assert [failure.uri.rpartition("/")[2] for failure in report.failures] == ["broken.md"]
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
        assert "1 text came back" in note
        assert "[1, 8192]" in note
        assert service.online == 0
        result = run.runtime.embedder.call([*TEXTS, too_long])
        assert (result.reused, list(result.failures)) == (len(TEXTS), [len(TEXTS)])
        assert service.online == 2, "the text, and a short one that shows that the service is well"


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
