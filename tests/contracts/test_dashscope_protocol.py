"""The emulator answers DashScope's official clients as the service does; relance's own client passes the same suite.

Requests and replies are compared with captured ones. A driver makes one client look like the others; a new client is
one more class in DRIVERS.
"""

import asyncio
import base64
import functools
import io
import json
import ssl
from dataclasses import dataclass
from typing import Any, ClassVar

import aiohttp
import dashscope
import httpx
import numpy as np
import openai
import pytest
from dashscope.v2.errors import APIStatusError, DashScopeError
from dashscope.version import __version__ as dashscope_version
from PIL import Image
from pydantic import SecretStr

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.documents import Media
from relance.embedding.providers import open_provider
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import AccountError, ConfigurationError, InputError, RetryableError

TEXT_PATH = "/api/v1/services/embeddings/text-embedding/text-embedding"
MEDIA_PATH = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
COMPATIBLE_PATH = "/compatible-mode/v1/embeddings"
V4 = "text-embedding-v4"
PLUS = "tongyi-embedding-vision-plus"
QUOTES = ["衣服的质量杠杠的", "A cat sat on the mat.", "x"]


def picture(colour, size=(32, 32)):
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


def data_uri(content):
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


@dataclass
class Answer:
    vectors: np.ndarray
    tokens: int | None = None


class RefusedError(Exception):
    """What a client makes of a refusal: `kind` is what to do about it, `says` all it tells."""

    def __init__(self, kind, says):
        super().__init__(says)
        self.kind = kind
        self.says = says


def kind_of(status, code):
    """Sort a refusal as the vendor's table of errors does."""
    if status == 401 or code in {"Arrearage", "AllocationQuota.FreeTierOnly"}:
        return "account"
    if status == 200 or status == 429 or status >= 500:
        return "retry"
    return "configuration" if status in {403, 404} else "input"


class Classic:
    """The functions of the dashscope package."""

    name, media, native = "dashscope-classic", True, True

    def __init__(self, url, key):
        self.arguments: dict[str, Any] = {"api_key": key, "base_address": f"{url}/api/v1"}

    def text(self, texts, **parameters):
        return self.read(dashscope.TextEmbedding.call(model=V4, input=texts, **parameters, **self.arguments))

    def pictures(self, contents):
        return self.read(dashscope.MultiModalEmbedding.call(model=PLUS, input=contents, **self.arguments))

    def read(self, reply):
        if reply.status_code != 200 or reply.code:
            raise RefusedError(kind_of(reply.status_code, reply.code), reply.message)
        if reply.output is None:  # it drops the code of a reply of status 200, and its output
            raise RefusedError("retry", "no output")
        vectors = [item["embedding"] for item in reply.output["embeddings"]]
        return Answer(np.array(vectors), reply.usage["total_tokens"])

    def close(self):
        pass


class ClassicAio(Classic):
    """Its asynchronous class, which there is for multimodal models only."""

    name = "dashscope-classic-aio"

    def pictures(self, contents):
        async def ask():
            async with aiohttp.ClientSession() as session:
                return await dashscope.AioMultiModalEmbedding.call(
                    model=PLUS, input=contents, session=session, **self.arguments
                )

        return self.read(asyncio.run(ask()))


class V2:
    """`dashscope.Client`."""

    name, media, native = "dashscope-v2", True, True

    def __init__(self, url, key):
        self.client = dashscope.Client(base_url=f"{url}/api/v1", api_key=key, max_retries=0)

    def call(self, ask):
        return ask(self.client)

    def text(self, texts, **parameters):
        return self.read(lambda client: client.embeddings.create(model=V4, input=texts, **parameters))

    def pictures(self, contents):
        return self.read(lambda client: client.multimodal.embeddings.create(model=PLUS, input=contents))

    def read(self, ask):
        try:
            reply = self.call(ask)
        except APIStatusError as error:
            raise RefusedError(kind_of(error.status_code or 200, error.code), str(error)) from error
        except DashScopeError as error:
            raise RefusedError("retry", str(error)) from error
        return Answer(np.array([item.embedding for item in reply.embeddings]), reply.usage.total_tokens)

    def close(self):
        self.client.close()


class V2Async(V2):
    """`dashscope.AsyncClient`."""

    name = "dashscope-v2-async"

    def __init__(self, url, key):
        self.address: dict[str, Any] = {"base_url": f"{url}/api/v1", "api_key": key, "max_retries": 0}

    def call(self, ask):
        async def once():
            async with dashscope.AsyncClient(**self.address) as client:
                return await ask(client)

        return asyncio.run(once())

    def close(self):
        pass


class OpenAI:
    """`openai.OpenAI`, which asks for base64 when the caller does not choose."""

    name, media, native = "openai", False, False
    encoding: ClassVar[dict[str, str]] = {}

    def __init__(self, url, key):
        self.address: dict[str, Any] = {"base_url": f"{url}/compatible-mode/v1", "api_key": key, "max_retries": 0}

    def call(self, ask):
        with openai.OpenAI(**self.address) as client:
            return ask(client)

    def text(self, texts, dimension=None):
        dimensions = {"dimensions": dimension} if dimension else {}
        try:
            reply = self.call(
                lambda client: client.embeddings.create(model=V4, input=texts, **dimensions, **self.encoding)
            )
        except openai.APIStatusError as error:
            raise RefusedError(kind_of(error.status_code, error.code), str(error)) from error
        except (openai.APIError, ValueError) as error:  # status 200 without data is a ValueError
            raise RefusedError("retry", str(error)) from error
        return Answer(np.array([item.embedding for item in reply.data]), reply.usage.total_tokens)

    def close(self):
        pass


class OpenAIFloat(OpenAI):
    name = "openai-float"
    encoding: ClassVar[dict[str, str]] = {"encoding_format": "float"}


class OpenAIAsync(OpenAI):
    name = "openai-async"

    def call(self, ask):
        async def once():
            async with openai.AsyncOpenAI(**self.address) as client:
                return await ask(client)

        return asyncio.run(once())


class Relance:
    """relance's own client, native protocol."""

    name, media, native = "relance", True, True

    def __init__(self, url, key):
        self.address: dict[str, Any] = {"base_url": f"{url}{self.route}", "api_key": SecretStr(key)}

    route, text_model = "/api/v1", f"dashscope/{V4}"

    def text(self, texts, text_type="document", **parameters):
        # The protocol's `dimension` and `instruct` are called the same in a spec.
        return self.ask(EmbeddingSpec.of({"model": self.text_model, **self.address, **parameters}), texts, text_type)

    def pictures(self, contents):
        inputs = [
            content["text"]
            if "text" in content
            else Media("image", data=(base64.b64decode(content["image"].split(",")[1]),), media_types=("image/png",))
            for content in contents
        ]
        return self.ask(MediaEmbeddingSpec(model=f"dashscope/{PLUS}", **self.address), inputs, "document")

    def ask(self, spec, inputs, input_type):
        async def once():
            provider = open_provider(spec)
            try:
                return await provider.embed(inputs, input_type=input_type)
            finally:
                await provider.aclose()

        kinds = {
            AccountError: "account",
            InputError: "input",
            ConfigurationError: "configuration",
            RetryableError: "retry",
        }
        try:
            reply = asyncio.run(once())
        except tuple(kinds) as error:
            raise RefusedError(
                next(kind for type_, kind in kinds.items() if isinstance(error, type_)), str(error)
            ) from error
        return Answer(reply.vectors.astype(np.float64), reply.tokens)

    def close(self):
        pass


class RelanceOpenAI(Relance):
    """The same through the OpenAI-compatible route."""

    name, media, native = "relance-openai", False, False
    route, text_model = "/compatible-mode/v1", f"openai/{V4}"

    def text(self, texts, text_type="document", **parameters):
        # The model is unknown to this provider, which has to be told its dimension.
        return super().text(texts, text_type, **{"dimension": 1024, **parameters})


CERTIFICATES = functools.cache(ssl.create_default_context)
DRIVERS = [Classic, ClassicAio, V2, V2Async, OpenAI, OpenAIFloat, OpenAIAsync, Relance, RelanceOpenAI]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch, tmp_path):
    """Neither a proxy nor a configuration file of the developer's has a say."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HOME", str(tmp_path))
    # Every client of these packages reads the system's certificates, a tenth of a second that plain HTTP can do without.
    monkeypatch.setattr(ssl, "create_default_context", CERTIFICATES)


def make(driver, emulator, key="sk-test"):
    return driver(emulator.url, key)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def client(request, emulator):
    client = make(request.param, emulator)
    yield client
    client.close()


@pytest.fixture(params=[driver for driver in DRIVERS if driver.native], ids=lambda driver: driver.name)
def native(request, emulator):
    client = make(request.param, emulator)
    yield client
    client.close()


@pytest.fixture
def reference(emulator):
    """The same call without any client."""

    def ask(path, body, **headers):
        with httpx.Client(trust_env=False) as plain:
            return plain.post(
                f"{emulator.url}{path}", json=body, headers={"authorization": "Bearer sk-test", **headers}
            )

    return ask


# --- what every client gets


def test_every_client_gets_the_same_vectors_in_the_order_of_its_texts(client, reference):
    reply = reference(TEXT_PATH, {"model": V4, "input": {"texts": QUOTES}}).json()
    expected = [item["embedding"] for item in reply["output"]["embeddings"]]
    answer = client.text(QUOTES)
    assert answer.vectors.shape == (3, 1024)
    assert np.array_equal(answer.vectors, expected)


def test_every_client_is_billed_the_qwen_tokens_and_one_per_text(client):
    assert client.text(QUOTES).tokens == open_tokenizer("qwen").count(QUOTES).sum() + len(QUOTES)


@pytest.mark.parametrize("dimension", [64, 768, 2048])
def test_every_client_gets_the_dimension_it_asks_for(client, dimension):
    vectors = client.text(QUOTES, dimension=dimension).vectors
    assert vectors.shape == (3, dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_every_client_takes_as_many_texts_as_are_allowed_and_no_more(client):
    assert len(client.text([f"text {number}" for number in range(10)]).vectors) == 10
    with pytest.raises(RefusedError) as refused:
        client.text([f"text {number}" for number in range(11)])
    assert refused.value.kind == "input"


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_every_client_tells_a_wrong_key_from_a_wrong_text(driver, emulator):
    client = make(driver, emulator, key="wrong")
    with pytest.raises(RefusedError) as refused:
        client.text(QUOTES)
    client.close()
    assert refused.value.kind == "account"
    assert "wrong" not in refused.value.says.replace("wrong region", "")


def test_every_client_reports_an_empty_text(client):
    with pytest.raises(RefusedError, match=r"Range of input length should be \[1, 8192\]") as refused:
        client.text(["fine", ""])
    assert refused.value.kind == "input"


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("Arrearage", "account"),
        ("AllocationQuota.FreeTierOnly", "account"),
        ("DataInspectionFailed", "input"),
        ("Throttling.RateQuota", "retry"),
        ("Throttling.AllocationQuota", "retry"),
        ("Throttling.BurstRate", "retry"),
        ("InternalError", "retry"),
        ("ModelServingError", "retry"),
        ("html", "retry"),
    ],
)
def test_every_client_tells_what_a_refusal_calls_for(client, emulator, action, kind):
    emulator.faults([{"action": action}])
    with pytest.raises(RefusedError) as refused:
        client.text(QUOTES)
    assert refused.value.kind == kind


# The openai package looks for `data` only, and hands out nothing.
@pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS if not issubclass(driver, OpenAI)], ids=lambda driver: driver.name
)
def test_an_error_in_a_reply_of_status_200_is_an_error(driver, emulator):
    emulator.faults([{"action": "ok_with_code", "code": "InternalError"}])
    client = make(driver, emulator)
    with pytest.raises(RefusedError) as refused:
        client.text(QUOTES)
    client.close()
    assert refused.value.kind == "retry"


def test_every_client_reads_a_compressed_reply(client, emulator):
    plain = client.text(QUOTES).vectors
    emulator.faults([{"action": "gzip"}])
    assert np.array_equal(client.text(QUOTES).vectors, plain)


def test_questions_and_passages_are_embedded_differently(native):
    passage = native.text(["What is lift?"]).vectors
    question = native.text(["What is lift?"], text_type="query").vectors
    assert 0.9 < (passage @ question.T)[0, 0] < 0.9999


def test_an_instruction_changes_questions_and_only_those(native):
    task = "Given a question, find passages that answer it"
    plain, told = (
        native.text(["What is lift?"], text_type="query", **more).vectors for more in ({}, {"instruct": task})
    )
    assert not np.array_equal(plain, told)
    plain, told = (native.text(["What is lift?"], **more).vectors for more in ({}, {"instruct": task}))
    assert np.array_equal(plain, told)


def test_texts_and_pictures_of_one_call_get_a_vector_each(native):
    red, blue = (data_uri(picture(colour)) for colour in ("red", "blue"))
    answer = native.pictures([{"text": "a red picture"}, {"image": red}, {"image": blue}])
    assert answer.vectors.shape == (3, 1152)
    words, red_vector, blue_vector = answer.vectors
    assert words @ red_vector > words @ blue_vector + 0.2


# --- what they send, as captured from dashscope 2.0.2 and openai 3.54.0


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


# --- what they get, as recorded


def test_a_native_reply_is_laid_out_as_recorded(reference):
    response = reference(TEXT_PATH, {"model": "text-embedding-v2", "input": {"texts": ["代码改变世界"]}})
    reply = response.json()
    assert list(reply) == ["output", "usage", "request_id"]
    (item,) = reply["output"]["embeddings"]
    assert list(item) == ["embedding", "text_index"]
    assert (len(item["embedding"]), item["text_index"], reply["usage"]) == (1536, 0, {"total_tokens": 3})
    assert response.headers["x-request-id"] == reply["request_id"]
    assert response.headers["content-type"] == "application/json"
    assert "retry-after" not in response.headers


@pytest.mark.parametrize(("text", "tokens"), [("衣服的质量杠杠的", 6), ("我想知道迪士尼的退票政策", 8)])
def test_a_compatible_reply_is_laid_out_and_billed_as_recorded(reference, text, tokens):
    reply = reference(COMPATIBLE_PATH, {"model": V4, "input": text}).json()
    assert list(reply) == ["data", "model", "object", "usage", "id"]
    assert list(reply["data"][0]) == ["embedding", "index", "object"]
    assert reply["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (reply["model"], reply["object"], reply["data"][0]["object"]) == (V4, "list", "embedding")


def test_a_multimodal_reply_is_laid_out_as_documented(reference):
    contents = [{"text": "red"}, {"image": data_uri(picture("red"))}]
    reply = reference(MEDIA_PATH, {"model": "multimodal-embedding-v1", "input": {"contents": contents}}).json()
    assert list(reply) == ["output", "usage", "request_id"]
    assert [list(item) for item in reply["output"]["embeddings"]] == [["index", "embedding", "type"]] * 2
    assert [(item["index"], item["type"]) for item in reply["output"]["embeddings"]] == [(0, "text"), (1, "image")]
    assert reply["usage"] == {"input_tokens": 1, "image_tokens": 896, "image_count": 1, "duration": 0}


def test_numbers_are_exactly_float32_and_base64_holds_the_same(reference):
    body = {"model": V4, "input": QUOTES}
    numbers = [item["embedding"] for item in reference(COMPATIBLE_PATH, body).json()["data"]]
    coded = [
        item["embedding"] for item in reference(COMPATIBLE_PATH, {**body, "encoding_format": "base64"}).json()["data"]
    ]
    assert np.array_equal(np.array(numbers), np.array(numbers, np.float32))
    assert np.array_equal(np.array(numbers), [np.frombuffer(base64.b64decode(text), "<f4") for text in coded])


def test_a_refused_key_reads_as_recorded(reference):
    native = reference(TEXT_PATH, {"model": V4}, authorization="Bearer nonsense")
    assert native.status_code == 401
    body = native.json()
    assert list(body) == ["code", "message", "request_id"]
    assert (body["code"], body["message"]) == ("InvalidApiKey", "Invalid API-key provided.")
    compatible = reference(COMPATIBLE_PATH, {"model": V4}, authorization="Bearer nonsense").json()
    help_page = "https://help.aliyun.com/zh/model-studio/error-code#apikey-error"
    assert compatible["error"] == {
        "message": f"Incorrect API key provided. For details, see: {help_page}",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    assert list(compatible) == ["error", "request_id"]


def test_too_many_texts_read_as_reported_by_users(reference):
    message = (
        "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than "
        "10.: input.contents"
    )
    native = reference(TEXT_PATH, {"model": V4, "input": {"texts": ["a"] * 11}})
    assert (native.status_code, native.json()["code"], native.json()["message"]) == (400, "InvalidParameter", message)
    compatible = reference(COMPATIBLE_PATH, {"model": V4, "input": ["a"] * 11}).json()
    assert compatible["error"] == {
        "message": message,
        "type": "InvalidParameter",
        "param": None,
        "code": "InvalidParameter",
    }
    assert compatible["id"] == compatible["request_id"]


def test_a_wrong_address_reads_as_reported_by_users(reference):
    response = reference("/compatible-api/v1/embeddings", {"model": V4, "input": "a"})
    assert response.status_code == 404
    assert response.json()["error"] == {
        "code": "",
        "param": None,
        "message": "Invalid URL (POST /compatible-api/v1/embeddings)",
        "type": "invalid_request_error",
    }
