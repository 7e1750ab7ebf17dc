"""What the official clients send, as captured from dashscope 2.0.2 and openai 3.54.0, is taken and answered."""

import json
from dataclasses import dataclass

import dashscope
import numpy as np
import openai
import pytest
from dashscope.version import __version__ as dashscope_version
from dashscope_clients import COMPATIBLE_PATH, MEDIA_PATH, PLUS, QUOTES, TEXT_PATH, V4, picture

pytestmark = pytest.mark.usefixtures("no_proxy")


@dataclass
class Captured:
    """A captured request: its body in the order of its keys, and the headers that matter."""

    ask: object
    path: str
    body: dict
    headers: dict
    sdk: str = ""


def classic(function, **arguments):
    return lambda url, module: getattr(module, function).call(
        **arguments, api_key="sk-test", base_address=f"{url}/api/v1"
    )


def second(**arguments):
    workspace = arguments.pop("workspace", None)

    def ask(url, module):
        with module.Client(base_url=f"{url}/api/v1", api_key="sk-test", workspace=workspace) as client:
            return client.embeddings.create(**arguments)

    return ask


def compatible(**arguments):
    def ask(url, module):
        with openai.OpenAI(base_url=f"{url}/compatible-mode/v1", api_key="sk-test") as client:
            return client.embeddings.create(**arguments)

    return ask


CAPTURED = {
    "classic, one text": Captured(
        classic("TextEmbedding", model=V4, input=QUOTES[0]),
        TEXT_PATH,
        {"model": V4, "parameters": {}, "input": {"texts": [QUOTES[0]]}},
        {"content-type": "application/json; charset=utf-8", "x-dashscope-sdk-client": "python-sdk/2.0.2/embeddings"},
    ),
    "classic, everything": Captured(
        classic(
            "TextEmbedding",
            model=V4,
            input=["a", "b"],
            text_type="query",
            dimension=256,
            output_type="dense&sparse",
            instruct="Given...",
            workspace="ws-1",
        ),
        TEXT_PATH,
        {
            "model": V4,
            "parameters": {
                "text_type": "query",
                "dimension": 256,
                "output_type": "dense&sparse",
                "instruct": "Given...",
            },
            "input": {"texts": ["a", "b"]},
        },
        {"x-dashscope-workspace": "ws-1"},
    ),
    "classic, weighted parts": Captured(
        classic(
            "MultiModalEmbedding",
            model="multimodal-embedding-one-peace-v1",
            input=[{"factor": 1, "text": "hi"}],
            auto_truncation=True,
        ),
        MEDIA_PATH,
        {
            "model": "multimodal-embedding-one-peace-v1",
            "parameters": {"auto_truncation": True},
            "input": {"contents": [{"factor": 1, "text": "hi"}]},
        },
        {},
    ),
    "v2": Captured(
        second(model=V4, input=["a", "b"], dimension=1024),
        TEXT_PATH,
        {"model": V4, "input": {"texts": ["a", "b"]}, "parameters": {"dimension": 1024}},
        {"content-type": "application/json", "x-dashscope-sdk-client": "python-sdk/2.0.2/embeddings2"},
    ),
    "v2 with a workspace": Captured(
        second(model=V4, input="a", workspace="ws-1"),
        TEXT_PATH,
        {"model": V4, "input": {"texts": ["a"]}, "parameters": {}},
        {"x-dashscope-workspace": "ws-1"},
    ),
    "openai by default": Captured(
        compatible(model=V4, input="a"),
        COMPATIBLE_PATH,
        {"model": V4, "input": "a", "encoding_format": "base64"},
        {"content-type": "application/json", "user-agent": "OpenAI/Python 3.54.0"},
    ),
    "openai, numbers": Captured(
        compatible(model=V4, input=["a", "b"], dimensions=256, encoding_format="float"),
        COMPATIBLE_PATH,
        {"model": V4, "input": ["a", "b"], "dimensions": 256, "encoding_format": "float"},
        {},
    ),
    "openai, something unknown": Captured(
        compatible(model=V4, input=["a"], extra_body={"text_type": "query"}),
        COMPATIBLE_PATH,
        {"model": V4, "input": ["a"], "encoding_format": "base64", "text_type": "query"},
        {},
    ),
}


def ordered(value):
    """Make the order of keys count in a comparison."""
    if isinstance(value, dict):
        return [(key, ordered(part)) for key, part in value.items()]
    return [ordered(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("captured", CAPTURED.values(), ids=CAPTURED)
def test_official_clients_send_what_was_captured_and_get_an_answer(captured, emulator):
    answer = captured.ask(emulator.url, dashscope)
    assert getattr(answer, "status_code", None) in {None, 200}
    (request,) = emulator.requests()
    assert (request["method"], request["path"]) == ("POST", captured.path)
    assert ordered(json.loads(request["body"])) == ordered(captured.body)
    for name, value in captured.headers.items():
        # Captured from these versions; newer ones name themselves.
        expected = value.replace("2.0.2", dashscope_version).replace("3.54.0", openai.__version__)
        assert request["headers"][name] == expected
    assert request["headers"]["authorization"] == "Bearer ***"


@pytest.mark.parametrize("version", ["classic", "v2"])
def test_a_local_picture_is_uploaded_and_named_by_its_place_there(version, emulator, tmp_path, monkeypatch):
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{emulator.url}/api/v1")  # uploads go by this one only
    path = tmp_path / "a.png"
    path.write_bytes(picture("red"))
    contents = [{"image": str(path)}, {"text": "red"}]
    if version == "classic":
        reply = dashscope.MultiModalEmbedding.call(
            model=PLUS, input=contents, api_key="sk-test", base_address=f"{emulator.url}/api/v1"
        )
        vectors = [item["embedding"] for item in reply.output["embeddings"]]
    else:
        with dashscope.Client(base_url=f"{emulator.url}/api/v1", api_key="sk-test") as client:
            vectors = [
                item.embedding for item in client.multimodal.embeddings.create(model=PLUS, input=contents).embeddings
            ]
    assert np.dot(vectors[0], vectors[1]) > 0.5
    policy, upload, call = emulator.requests()
    assert (policy["path"], policy["query"]) == ("/api/v1/uploads", {"action": "getPolicy", "model": PLUS})
    assert list(upload["form"]) == [
        "OSSAccessKeyId",
        "Signature",
        "policy",
        "key",
        "x-oss-object-acl",
        "x-oss-forbid-overwrite",
        "success_action_status",
        "x-oss-content-type",
        "file",
    ]
    assert call["headers"]["x-dashscope-ossresourceresolve"] == "enable"
    assert json.loads(call["body"])["input"]["contents"] == [
        {"image": f"oss://{upload['form']['key']}"},
        {"text": "red"},
    ]


@pytest.mark.parametrize("fault", ["Throttling.RateQuota", "ModelServingError", "reset"])
def test_clients_that_retry_do_so_when_and_as_often_as_captured(fault, emulator):
    rule = {"action": fault, "times": 2, "retry_after": 0.05}
    emulator.faults([rule])
    with dashscope.Client(base_url=f"{emulator.url}/api/v1", api_key="sk-test") as client:
        assert client.embeddings.create(model=V4, input="a").embeddings
    assert emulator.stats()["requests"] == 3
    emulator.reset()
    emulator.faults([rule])
    with openai.OpenAI(base_url=f"{emulator.url}/compatible-mode/v1", api_key="sk-test") as client:
        assert client.embeddings.create(model=V4, input="a").data
    assert [request["headers"]["x-stainless-retry-count"] for request in emulator.requests()] == ["0", "1", "2"]


def test_the_classic_client_does_not_retry_a_refusal(emulator):
    emulator.faults([{"action": "Throttling.RateQuota"}])
    reply = dashscope.TextEmbedding.call(model=V4, input="a", api_key="sk-test", base_address=f"{emulator.url}/api/v1")
    assert (reply.status_code, reply.code) == (429, "Throttling.RateQuota")
    assert reply.message == "Requests rate limit exceeded, please try again later."
    assert emulator.stats()["requests"] == 1
