"""The parts of batch mode: where it is to be had, files of requests, files of results, odd services."""

import io
import json
from typing import Any

import numpy as np
import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import entered
from werkzeug import Response

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.embedding.batch_api import Order, Orders, fill, open_endpoint
from relance.embedding.batch_api.lines import Requests, read_results
from relance.embedding.embedder import vector_key
from relance.embedding.providers import ModelInfo
from relance.errors import ConfigurationError, RetryableError
from relance.pipeline.batch_mode import fill_context

KEY = "sk-very-secret-0123456789"
FAST: dict[str, Any] = {"least": 1, "poll_s": (0.001, 0.01)}
DIMENSION = 4
TEXTS = ["one", "two", "three", "四"]
BEIJING: dict[str, Any] = {"model": "dashscope/text-embedding-v4", "region": "beijing", "api_key": KEY}


@pytest.fixture(autouse=True)
def impatient():
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


# Where batches are to be had


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (EmbeddingSpec(model="local/wordllama"), "cannot be ordered in batches; remove the line"),
        (EmbeddingSpec.of(BEIJING | {"output_type": "sparse"}), "dense vectors only"),
        (EmbeddingSpec.of(BEIJING | {"output_type": "dense&sparse"}), "dense vectors only"),
        (
            EmbeddingSpec.of(BEIJING | {"region": "singapore"}),
            "not.*in Singapore; set embedding.region: beijing",
        ),
        (EmbeddingSpec.of(BEIJING | {"region": "hongkong"}), "in Hong Kong"),
        (
            EmbeddingSpec.of(BEIJING | {"base_url": "https://dashscope-intl.aliyuncs.com/api/v1"}),
            "in Singapore",
        ),
        (EmbeddingSpec.of(BEIJING | {"model": "dashscope/multimodal-embedding-v1"}), "set mode: online"),
        (MediaEmbeddingSpec.of({"region": "beijing", "api_key": KEY}), "media.embedding.mode"),
    ],
)
def test_what_cannot_be_had_in_batches_is_said_before_anything_is_sent(spec, words):
    with pytest.raises(ConfigurationError, match=words.replace("not.*in", "cannot be ordered in batches in")):
        open_endpoint(spec)


@pytest.mark.parametrize(
    ("fields", "url", "price", "dimensions"),
    [
        (BEIJING, "https://dashscope.aliyuncs.com/compatible-mode/v1", 0.0345, 1024),
        (BEIJING | {"dimension": 64}, "https://dashscope.aliyuncs.com/compatible-mode/v1", 0.0345, 64),
        (BEIJING | {"price_per_million_tokens": 0.1}, "https://dashscope.aliyuncs.com/compatible-mode/v1", 0.05, 1024),
        (BEIJING | {"model": "dashscope/text-embedding-v2"}, "https://dashscope.aliyuncs.com/compatible-mode/v1", 0.0483, 0),
        (
            BEIJING | {"base_url": "http://127.0.0.1:8080", "region": "singapore"},
            "http://127.0.0.1:8080/compatible-mode/v1",
            0.035,
            1024,
        ),
        ({"model": "openai/text-embedding-3-small", "api_key": KEY}, "https://api.openai.com/v1", 0.01, 0),
        (
            {"model": "openai/text-embedding-3-small", "api_key": KEY, "dimension": 512},
            "https://api.openai.com/v1",
            0.01,
            512,
        ),
        ({"model": "openai/own", "dimension": 8, "base_url": "http://127.0.0.1:1/v1"}, "http://127.0.0.1:1/v1", None, 8),
    ],
)  # fmt: skip
def test_address_price_and_dimension_are_those_of_the_same_model_online(fields, url, price, dimensions):
    endpoint = open_endpoint(EmbeddingSpec.of(fields))
    assert endpoint.url == url
    assert endpoint.price == (price if price is None else pytest.approx(price))
    assert endpoint.dimensions == dimensions
    body = endpoint.body("text")
    assert body["model"] == fields["model"].partition("/")[2]
    assert (body["input"], body["encoding_format"]) == ("text", "float")
    assert body.get("dimensions", 0) == dimensions


# Files of requests

texts = st.text(st.characters(exclude_categories=()), min_size=1, max_size=60)


@settings(deadline=None)
@given(st.lists(texts, max_size=30), st.integers(1, 10), st.integers(100, 3000))
def test_files_hold_every_text_once_in_order_and_stay_within_their_limits(many, max_lines, max_bytes):
    endpoint = open_endpoint(EmbeddingSpec.of(BEIJING))
    with Requests(endpoint, max_lines=max_lines, max_bytes=max_bytes) as requests:
        for number, text in enumerate(many):
            requests.add(f"{number:032x}", text, number)
        lines = []
        for sheet in requests.sheets:
            sheet.file.seek(0)
            content = sheet.file.read()
            mine = [json.loads(line) for line in content.decode().splitlines() if line]
            assert len(mine) == sheet.lines <= max_lines
            assert len(content) == sheet.size
            assert sheet.size <= max_bytes or sheet.lines == 1
            lines += mine
        assert requests.lines == len(many)
        assert sum(sheet.tokens for sheet in requests.sheets) == sum(range(len(many)))
    assert [int(line["custom_id"], 16) for line in lines] == list(range(len(many)))
    assert {(line["method"], line["url"]) for line in lines} <= {("POST", "/v1/embeddings")}
    for line, text in zip(lines, many, strict=True):
        # Halves of surrogate pairs cannot be sent.
        assert line["body"] == endpoint.body(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    assert all(sheet.file.closed for sheet in requests.sheets)


# Files of results

INFO = ModelInfo("openai/m", DIMENSION)


def result(key, vector=(0, 3, 0, 4), *, status=200, usage={"total_tokens": 7}, error=None, said=None, **body):  # noqa: B006
    data = {"data": [{"embedding": list(vector), "index": 0}], "usage": usage, "error": said} | body
    response = {"status_code": status, "request_id": "r", "body": data}
    return json.dumps({"id": "i", "custom_id": key, "response": response, "error": error}).encode()


def read(*lines):
    return list(read_results(io.BytesIO(b"\n".join(lines)), INFO))


def test_vectors_are_read_normalised_with_their_keys_and_bill():
    [block] = read(result("a" * 32), result("b" * 32, (1, 0, 0, 0), usage=None))
    assert block.keys == ["a" * 32, "b" * 32]
    np.testing.assert_allclose(block.vectors, [[0, 0.6, 0, 0.8], [1, 0, 0, 0]])
    assert block.vectors.dtype == np.float32
    assert (block.tokens, block.unbilled, block.failures) == (7, 1, {})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (result("a" * 32, (0, 0, 0, 0)), "of zeros"),
        (result("a" * 32, (float("nan"), 0, 0, 1)), "not finite"),
        (result("a" * 32, (1e39, 0, 0, 1)), "not finite"),
        (result("a" * 32, (1, 0)), r"\(2,\) for \(4,\)"),
        (result("a" * 32, ("x", 0, 0, 0)), "no vector"),
        (result("a" * 32, data=[]), "no vector"),
        (result("a" * 32, data="vectors"), "no vector"),
        (result("a" * 32, status=400, error={"code": "c", "message": "too long"}), "too long"),
        (result("a" * 32, error={"code": "batch_expired"}), "batch_expired"),
        (result("a" * 32, status=500), "no reason"),
        (json.dumps({"custom_id": "a" * 32, "response": None, "error": None}).encode(), "no reason"),
        (json.dumps({"custom_id": "a" * 32, "response": {"status_code": 200, "body": None}}).encode(), "no vector"),
        (result("a" * 32, status=400, said={"message": "from the body"}), "from the body"),
    ],
)
def test_a_line_without_a_vector_that_can_be_stored_is_a_failure_of_its_text(line, words):
    import re

    [block] = read(line)
    assert block.keys == []
    assert list(block.failures) == ["a" * 32]
    assert re.search(words, block.failures["a" * 32])


@given(st.lists(st.binary(max_size=80).map(lambda raw: raw.replace(b"\n", b" ")), max_size=5), st.integers(0, 3))
def test_lines_that_are_no_results_do_not_hide_those_that_are(rubbish, at):
    lines = [*rubbish[:at], result("c" * 32), *rubbish[at:]]
    assert [key for block in read(*lines) for key in block.keys] == ["c" * 32]


def test_results_cut_off_lose_the_last_line_only():
    whole = b"\n".join([result("a" * 32), result("b" * 32)])
    [block] = read_results(io.BytesIO(whole[:-20]), INFO)
    assert block.keys == ["a" * 32]


@pytest.mark.parametrize("name", ["", "x", "A" * 32, "a" * 31, None, 7])
def test_results_of_somebody_elses_requests_are_passed_over(name):
    [block] = read(result(name))
    assert (block.keys, block.failures) == ([], {})


def test_results_are_read_in_parts():
    blocks = read(*(result(f"{n:032x}") for n in range(1000)))
    assert len(blocks) > 3
    assert [key for block in blocks for key in block.keys] == [f"{n:032x}" for n in range(1000)]


# Services that differ


class Odd:
    """A service whose answers are set: `batch` is changed into whatever a look at the batch shows."""

    def __init__(self, server):
        self.url = server.url_for("/v1")
        self.batch = {"status": "completed", "output_file_id": "out"}
        self.looks = []
        self.answers = {}
        self.lines = []
        self.bodies = []
        self.content = None
        server.expect_request("/v1/files", method="POST").respond_with_handler(self.upload)
        server.expect_request("/v1/batches", method="POST").respond_with_handler(self.create)
        server.expect_request("/v1/batches", method="GET").respond_with_handler(lambda r: self.answer("list", {}))
        for unknown in ("other", "forgotten"):
            server.expect_request(f"/v1/batches/{unknown}").respond_with_response(Response("", 404))
        server.expect_request("/v1/batches/b1").respond_with_handler(lambda r: self.answer("get", self.show()))
        server.expect_request("/v1/files/out/content").respond_with_handler(self.results)

    def answer(self, name, plain):
        script = self.answers.get(name)
        reply = script.pop(0) if script else plain
        return reply if isinstance(reply, Response) else Response(json.dumps(reply), mimetype="application/json")

    def upload(self, request):
        self.lines = [json.loads(line) for line in request.files["file"].read().splitlines()]
        assert request.form["purpose"] == "batch"
        assert request.files["file"].filename.endswith(".jsonl")
        return self.answer("upload", {"id": "file-1", "object": "file"})

    def create(self, request):
        self.bodies.append(request.get_json())
        return self.answer("create", {"id": "b1", "status": "validating"})

    def show(self):
        return {"id": "b1", **(self.looks.pop(0) if self.looks else self.batch)}

    def results(self, request):
        if isinstance(self.content, Response):
            return self.content
        if self.content is not None:
            return Response(self.content)
        return Response(
            b"\n".join(result(line["custom_id"], (len(line["body"]["input"]), 1, 1, 1)) for line in self.lines)
        )


@pytest.fixture
def odd(httpserver):
    return Odd(httpserver)


@pytest.fixture
def run(make_index, odd):
    plain = {"model": "openai/own", "dimension": DIMENSION, "base_url": odd.url, "api_key": KEY, "mode": "batch"}
    with entered(make_index(embedding=plain | {"price_per_million_tokens": 2.0}).spec) as run:
        yield run


def order_all(run):
    return fill(fill_context(run), [(TEXTS, None)], **FAST)


def left(run):
    return Orders(run.tables.catalog, run.tables.space, run.runtime.embedding.base_url).all()


def vectors(run):
    keys = [vector_key(run.provider.info.space, "document", text) for text in TEXTS]
    found = run.cache.get(keys)
    return [found[key][0] for key in keys if key in found]


def test_vectors_land_under_the_keys_that_a_run_looks_for(run, odd):
    report = order_all(run)
    expected = np.array([(len(text), 1, 1, 1) for text in TEXTS], dtype=np.float32)
    np.testing.assert_allclose(vectors(run), expected / np.linalg.norm(expected, axis=1)[:, None], rtol=1e-6)
    assert [line["body"]["input"] for line in odd.lines] == TEXTS
    assert (report.embedded, report.tokens, report.cost_usd) == (4, 28, pytest.approx(28e-6))


def test_a_batch_is_looked_at_until_it_has_ended(run, odd):
    odd.looks = [{"status": status} for status in ("validating", "validating", "in_progress", "finalizing")]
    assert order_all(run).embedded == 4


@pytest.mark.parametrize(
    ("problems", "error", "words"),
    [
        ([{"code": "mismatched_model", "message": f"wrong {KEY}", "line": 3}], ConfigurationError, "mismatched_model in line 3"),
        ([{"code": "empty_file", "message": "nothing"}], ConfigurationError, r"\(empty_file: nothing\)"),
        ([{"code": "token_limit_exceeded", "message": "Enqueued token limit"}], RetryableError, "takes no more batches"),
        (None, RetryableError, "does not say why"),
    ],
)  # fmt: skip
def test_a_batch_that_failed_as_a_whole_says_why_in_one_sentence(run, odd, problems, error, words):
    odd.batch = {"status": "failed", "errors": {"object": "list", "data": problems} if problems else None}
    with pytest.raises(error, match=words) as raised:
        order_all(run)
    assert KEY not in str(raised.value)
    assert left(run) == []
    assert run.report.cost_usd == run.budget.reserved_usd == 0


def test_a_batch_of_an_earlier_run_that_failed_is_noted_and_its_texts_are_ordered_again(run, odd):
    orders = Orders(run.tables.catalog, run.tables.space, odd.url)
    orders.save(Order(odd.url, 4, 100, input_file_id="file-0", batch_id="b1"))
    odd.looks = [{"status": "failed", "errors": {"data": [{"code": "c", "message": "old"}]}}]
    assert order_all(run).embedded == 4
    assert "(c: old)" in run.report.notes[0]
    assert len(odd.bodies) == 1


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_without_batches_is_named_with_what_to_do(run, odd, status):
    odd.answers["upload"] = [Response("not found", status)]
    with pytest.raises(ConfigurationError, match=rf"has no batches \(POST /files said {status}\); set mode: online"):
        order_all(run)
    assert left(run) == []


def test_a_refused_file_is_an_error_of_the_settings(run, odd):
    odd.answers["upload"] = [Response(json.dumps({"error": {"message": "'purpose' is wrong"}}), 400)]
    with pytest.raises(ConfigurationError, match="'purpose' is wrong"):
        order_all(run)


def test_where_batches_are_not_listed_a_lost_answer_is_noted_as_what_may_be_billed_twice(run, odd):
    odd.answers["create"] = [Response("", 502)]
    odd.answers["list"] = [Response("", 404)]
    assert order_all(run).embedded == 4
    assert "may be billed twice" in run.report.notes[0]
    assert len(odd.bodies) == 2


def test_a_lost_order_is_found_on_a_later_page_of_the_list(run, odd):
    odd.answers["create"] = [Response("", 502)]
    others = [{"id": f"b{n}", "status": "completed", "input_file_id": "other"} for n in range(2, 5)]
    ours = {"id": "b1", "status": "in_progress", "input_file_id": "file-1"}
    odd.answers["list"] = [{"data": others, "has_more": True}, {"data": [ours], "has_more": False}]
    assert order_all(run).embedded == 4
    assert len(odd.bodies) == 1
    assert run.report.notes == []


@pytest.mark.parametrize("answer", [[], "no", {"object": "batch"}, {"id": "b1"}])
def test_an_answer_that_is_no_batch_is_taken_for_none(run, odd, answer):
    odd.answers["create"] = [answer]
    assert order_all(run).embedded == 4


def test_a_batch_this_account_does_not_know_is_left_for_the_one_that_does(run, odd):
    orders = Orders(run.tables.catalog, run.tables.space, odd.url)
    orders.save(Order(odd.url, 4, 100, input_file_id="file-0", batch_id="other"))
    orders.save(Order("http://elsewhere/v1", 4, 100, input_file_id="file-9", batch_id="there"))
    old = Order(odd.url, 4, 100, input_file_id="file-0", batch_id="forgotten", submitted_at=0)
    orders.save(old)
    assert order_all(run).embedded == 4
    assert [order.batch_id for order in left(run)] == ["other"]
    assert [note.partition(" ")[0] for note in run.report.notes] == ["forgotten", "other"]
    assert Orders(run.tables.catalog, run.tables.space, "http://elsewhere/v1").all()[0].batch_id == "there"


def test_results_that_are_gone_are_noted_and_the_order_is_over(run, odd):
    odd.content = Response("no such file", 404)
    report = order_all(run)
    assert (report.embedded, report.waiting) == (0, 0)
    assert "lost results" in run.report.notes[0]


def test_what_is_not_billed_line_by_line_is_counted_by_our_own_tokenizer(run, odd):
    odd.content = b"".join(
        result(vector_key(run.provider.info.space, "document", text), (1, 2, 3, 4), usage=None) + b"\n"
        for text in TEXTS
    )
    own = int(run.provider.tokenizer.count(TEXTS).sum()) + len(TEXTS)
    assert order_all(run).tokens == own
