"""Work in the background: the Batch interface at half the price, and asynchronous tasks; with the official clients."""

import gzip
import json
import time
from typing import Any

import dashscope
import httpx
import numpy as np
import openai
import pytest
from dashscope.v2.errors import APIStatusError

from relance_emulator import EmulatorConfig, running
from relance_emulator.batch_lines import read_requests

V4 = "text-embedding-v4"
NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def client(emulator):
    with openai.OpenAI(base_url=f"{emulator.url}/compatible-mode/v1", api_key="sk-test") as client:
        yield client


def line(name, text="some text", model=V4, url="/v1/embeddings", **body):
    request = {"model": model, "input": text, **body}
    return {"custom_id": name, "method": "POST", "url": url, "body": request}


def start(client, lines, window="24h", **metadata):
    content = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines).encode()
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window=window, metadata=metadata or openai.omit
    )


def ended(client, batch):
    """Poll until the batch has come to an end; returns it and the statuses on the way."""
    seen = [batch.status]
    deadline = time.monotonic() + 30
    while batch.status not in {"completed", "failed", "expired", "cancelled"}:
        assert time.monotonic() < deadline, f"still {batch.status}"
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
        if batch.status != seen[-1]:
            seen.append(batch.status)
    return batch, seen


def lines_of(client, name):
    return [json.loads(text) for text in client.files.content(name).text.splitlines()] if name else []


def test_a_batch_gives_the_vectors_that_single_calls_give(client, emulator):
    texts = [f"text {number}" for number in range(12)]
    lines = [line(f"id-{number}", text, dimensions=256) for number, text in enumerate(texts)]
    batch, seen = ended(client, start(client, lines, ds_name="test"))
    way = ["validating", "in_progress", "finalizing", "completed"]
    assert seen == [status for status in way if status in seen], "a short one may pass unseen"
    assert (seen[0], seen[-1]) == (way[0], way[-1])
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (12, 12, 0)
    assert batch.error_file_id is None
    assert batch.metadata == {"ds_name": "test"}
    assert batch.output_file_id.startswith("file-batch_output-")
    found = {each["custom_id"]: each for each in lines_of(client, batch.output_file_id)}
    assert list(found["id-0"]) == ["id", "custom_id", "response", "error"]
    assert list(found["id-0"]["response"]) == ["status_code", "request_id", "body"]
    assert emulator.stats()["texts"] == 12
    direct = client.embeddings.create(model=V4, input=texts[:10], dimensions=256, encoding_format="float")
    for number, item in enumerate(direct.data):
        assert found[f"id-{number}"]["response"]["body"]["data"][0]["embedding"] == item.embedding


def test_lines_that_are_refused_are_in_the_error_file_and_the_rest_goes_on(client):
    lines = [line("a"), line("b", ""), line("c", dimensions=5), line("d", ["x"] * 11), line("e")]
    batch, _ = ended(client, start(client, lines))
    assert batch.status == "completed"
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 3)
    assert [each["custom_id"] for each in lines_of(client, batch.output_file_id)] == ["a", "e"]
    errors = lines_of(client, batch.error_file_id)
    assert [each["custom_id"] for each in errors] == ["b", "c", "d"]
    assert [each["response"]["status_code"] for each in errors] == [400] * 3
    assert "Range of input length" in errors[0]["error"]["message"]


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([line("a"), "{"], "invalid_json_line", 2),
        ([line("a"), line("a", "other")], "duplicate_custom_id", 2),
        ([line("a"), line("b", model="text-embedding-v3")], "mismatched_model", 2),
        ([line("a", url="/v1/chat/completions")], "url_not_found", 1),
        ([line("a", model="nonesuch")], "model_not_found", 1),
        ([line("")], "missing_required_parameter", 1),
        ([""], "empty_file", None),
    ],
)
def test_a_file_with_a_wrong_line_fails_before_anything_is_embedded(client, emulator, lines, code, number):
    batch, seen = ended(client, start(client, lines))
    assert seen == ["validating", "failed"]
    assert [(error.code, error.line) for error in batch.errors.data] == [(code, number)]
    assert batch.output_file_id is None
    assert emulator.stats()["texts"] == 0


def test_a_file_holds_at_most_fifty_thousand_requests():
    lines = [json.dumps(line(str(number))) for number in range(50_001)]
    for most, codes in ((50_000, []), (50_001, ["too_many_lines"])):
        _, errors = read_requests("\n".join(lines[:most]).encode(), "/v1/embeddings")
        assert [error["code"] for error in errors] == codes


def test_an_unsupported_address_reads_as_recorded(client):
    batch, _ = ended(client, start(client, [line("a", url="/v1/chat/completion")]))
    (error,) = batch.errors.data
    assert error.message == "The provided url '/v1/chat/completion' is not supported by the Batch API."
    assert (error.param, error.line) == ("url", 1)


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_what_a_batch_has_done_before_its_end_is_kept(end):
    slow = EmulatorConfig(batch_s=2.0, batch_expires_s=0.8 if end == "expired" else None, vectors="hash")
    with (
        running(slow) as url,
        openai.OpenAI(base_url=f"{url}/compatible-mode/v1", api_key="sk-test") as client,
    ):
        batch = start(client, [line(str(number), f"text {number}") for number in range(50)])
        while not client.batches.retrieve(batch.id).request_counts.completed:
            time.sleep(0.02)
        if end == "cancelled":
            assert client.batches.cancel(batch.id).status == "cancelling"
        batch, seen = ended(client, batch)
        done, undone = (lines_of(client, name) for name in (batch.output_file_id, batch.error_file_id))
        assert seen[-1] == end
        with pytest.raises(openai.BadRequestError):
            client.batches.cancel(batch.id)
    assert len(done) >= 1
    assert [each["custom_id"] for each in done + undone] == [str(number) for number in range(50)]
    assert {each["error"]["code"] for each in undone} == {f"batch_{end}"}
    assert (batch.request_counts.completed, batch.request_counts.failed) == (len(done), len(undone))


def test_files_and_batches_are_listed_and_files_deleted(client):
    assert client.batches.list().data is None, "as recorded: not an empty list"
    batch, _ = ended(client, start(client, [line("a")]))
    other, _ = ended(client, start(client, [line("a")]))
    page = client.batches.list(limit=1)
    assert [each.id for each in page.data] == [other.id]
    assert page.has_more
    assert [each.id for each in client.batches.list(after=other.id).data] == [batch.id]
    assert {file.purpose for file in client.files.list().data} == {"batch", "batch_output"}
    deleted = client.files.delete(batch.input_file_id)
    assert deleted.deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(batch.input_file_id)


def test_a_wrong_file_or_batch_is_refused_in_the_recorded_form(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=("a", b"x"), purpose="assistants")
    assert refused.value.body == {
        "message": "'purpose' must be 'batch'",
        "type": "invalid_request_error",
        "param": "purpose",
        "code": None,
    }
    file = client.files.create(file=("a", b"x"), purpose="batch")
    for change in ({"endpoint": "/v1/completions"}, {"completion_window": "1h"}, {"completion_window": "15d"}):
        arguments = {"endpoint": "/v1/embeddings", "completion_window": "24h", **change}
        with pytest.raises(openai.BadRequestError):
            client.batches.create(input_file_id=file.id, **arguments)
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id="none", endpoint="/v1/embeddings", completion_window="336h")


# --- asynchronous tasks


@pytest.fixture
def texts_url(httpserver):
    httpserver.expect_request("/f.txt").respond_with_data("first line\nsecond line\n", content_type="text/plain")
    return httpserver.url_for("/f.txt")


def test_the_classic_client_submits_and_awaits_a_task(emulator, texts_url):
    arguments = {"api_key": "sk-test", "base_address": f"{emulator.url}/api/v1"}
    # Its annotation says less than what comes back.
    task: Any = dashscope.BatchTextEmbedding.async_call(
        "text-embedding-async-v2", texts_url, text_type="document", **arguments
    )
    assert (task.status_code, task.output["task_status"]) == (200, "PENDING")
    done: Any = dashscope.BatchTextEmbedding.wait(task, **arguments)
    assert done.output["task_status"] == "SUCCEEDED"
    assert done.usage["total_tokens"] == 4
    headers = {"authorization": "Bearer sk-test"}
    raw = httpx.get(f"{emulator.url}/api/v1/tasks/{task.output['task_id']}", headers=headers, trust_env=False).json()
    assert list(raw) == ["request_id", "output", "usage"]
    assert list(raw["output"]) == ["task_id", "task_status", "submit_time", "scheduled_time", "end_time", "url"]
    result = httpx.get(done.output["url"], trust_env=False)
    lines = [json.loads(text)["output"] for text in gzip.decompress(result.content).splitlines()]
    assert [each["text_index"] for each in lines] == [0, 1]
    assert np.linalg.norm([each["embedding"] for each in lines], axis=1) == pytest.approx(1, abs=1e-6)
    submitted = emulator.requests()[0]
    assert submitted["headers"]["x-dashscope-async"] == "enable"
    assert json.loads(submitted["body"]) == {
        "model": "text-embedding-async-v2",
        "parameters": {"text_type": "document"},
        "input": {"url": texts_url},
    }


def test_the_second_client_submits_and_awaits_a_job(emulator, texts_url):
    with dashscope.Client(base_url=f"{emulator.url}/api/v1", api_key="sk-test") as client:
        job = client.embeddings.jobs.create(model="text-embedding-async-v2", file_url=texts_url)
        done = client.embeddings.jobs.wait(job, poll_interval=0.05, timeout=20)
        assert str(done.status).endswith("SUCCEEDED")
        with pytest.raises(APIStatusError, match="Failed to cancel the task, please confirm if the task is in PENDING"):
            client.embeddings.jobs.cancel(job.task_id)


@pytest.fixture
def native(emulator):
    with httpx.Client(base_url=emulator.url, trust_env=False, headers={"authorization": "Bearer sk-test"}) as client:
        yield client


def submit(native, url):
    body = {"model": "text-embedding-async-v1", "input": {"url": url}}
    return native.post(NATIVE, json=body, headers={"x-dashscope-async": "enable"})


def test_a_task_that_cannot_be_done_fails_with_its_reason(native):
    task = submit(native, "http://127.0.0.1:1/nothing.txt").json()["output"]
    assert list(task) == ["task_status", "task_id"]
    deadline = time.monotonic() + 20
    while (output := native.get(f"/api/v1/tasks/{task['task_id']}").json()["output"])["task_status"] in {
        "PENDING",
        "RUNNING",
    }:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert output["task_status"] == "FAILED"
    assert output["code"] == "BadRequest.InputDownloadFailed"
    assert "127.0.0.1" in output["message"]


def test_a_waiting_task_can_be_cancelled_and_an_unknown_one_is_in_an_unknown_state(native):
    task = submit(native, "http://127.0.0.1:1/nothing.txt").json()["output"]["task_id"]
    assert native.post(f"/api/v1/tasks/{task}/cancel").status_code == 200
    assert native.get(f"/api/v1/tasks/{task}").json()["output"]["task_status"] == "CANCELED"
    unknown = native.get("/api/v1/tasks/none")
    assert (unknown.status_code, unknown.json()["output"]) == (200, {"task_id": "none", "task_status": "UNKNOWN"})


def test_only_asynchronous_models_are_called_asynchronously(native):
    body = {"model": V4, "input": {"texts": ["a"]}}
    reply = native.post(NATIVE, json=body, headers={"x-dashscope-async": "enable"})
    assert (reply.status_code, reply.json()["code"]) == (403, "AccessDenied")
    assert reply.json()["message"] == "Current user api does not support asynchronous calls."


def test_no_more_than_fifty_tasks_may_wait():
    with (
        running(EmulatorConfig(task_s=60, vectors="hash")) as url,
        httpx.Client(base_url=url, trust_env=False, headers={"authorization": "Bearer sk-test"}) as client,
    ):
        codes = [submit(client, "http://127.0.0.1:1/nothing.txt").status_code for _ in range(51)]
    assert codes == [200] * 50 + [429]
