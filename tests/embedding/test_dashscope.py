"""DashScope's own protocol against a service on the loopback address, and against the emulator."""

import asyncio
import base64
import io
import json
import logging
import time

import numpy as np
import pytest
import stamina
from werkzeug import Response

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.config.settings import read_settings
from relance.documents import Media
from relance.embedding.embedder import Embedder
from relance.embedding.providers import BadReplyError, open_provider
from relance.embedding.providers.dashscope.bill import read_bill
from relance.embedding.providers.dashscope.media import DashScopeMedia
from relance.embedding.providers.dashscope.models import MODELS
from relance.embedding.sparse import Sparse
from relance.errors import (
    AccountError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
)
from relance_emulator import EmulatorConfig, running

KEY = "sk-very-secret-0123456789"
TEXT_PATH = "/api/v1/services/embeddings/text-embedding/text-embedding"
MEDIA_PATH = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
PNG = base64.b64decode("iVBORw0KGgo=")
TEXTS = [name for name, model in MODELS.items() if not model.media]
MULTIMODAL = [name for name, model in MODELS.items() if model.media]


def vector_of(value, dimension):
    seed = np.frombuffer(repr(value).encode(), dtype=np.uint8).astype(np.uint64).sum()
    vector = np.random.default_rng(int(seed)).normal(size=dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def refused(status, code, message="no", headers=None, **fields):
    body = {"code": code, "message": message, "request_id": "1773f7b2"} | fields
    return Response(json.dumps(body), status, headers, mimetype="application/json")


class Service:
    """Answers well, after what is in `script`: each entry is a response or a function of the reply."""

    def __init__(self, server):
        self.url = server.url_for("/api/v1")
        self.server = server
        self.script = []
        self.always = None
        self.bodies = []
        self.headers = []
        for path in (TEXT_PATH, MEDIA_PATH):
            server.expect_request(path, method="POST").respond_with_handler(self)

    def __call__(self, request):
        self.bodies.append(body := request.get_json())
        self.headers.append(request.headers)
        change = self.script.pop(0) if self.script else self.always
        if isinstance(change, Response):
            return change
        model = MODELS[body["model"]]
        parameters = body["parameters"]
        dimension = parameters.get("dimension", model.dimensions[0])
        if "texts" in body["input"]:
            items = []
            for index, text in enumerate(body["input"]["texts"]):
                item = {"embedding": vector_of(text, dimension).tolist(), "text_index": index}
                if "sparse" in parameters.get("output_type", "dense"):
                    term = {"index": 100 + len(text), "value": 0.5, "token": "t"}
                    item = {"sparse_embedding": [term, {"index": 7149, "value": 0.829, "token": "风"}], **item}
                items.append(item)
            reply = {"output": {"embeddings": items}, "usage": {"total_tokens": 3 * len(items)}, "request_id": "1"}
        else:
            contents = body["input"]["contents"]
            fused = parameters.get("enable_fusion") or (model.media.fusion == "always")
            groups = [contents] if fused else [[content] for content in contents]
            items = [
                {
                    "index": index,
                    "embedding": vector_of(group, dimension).tolist(),
                    "type": "fusion" if fused else "fused" if len(group[0]) > 1 else next(iter(group[0])),
                }
                for index, group in enumerate(groups)
            ]
            reply = {"output": {"embeddings": items}, "usage": {"input_tokens": 10, "image_tokens": 896}}
        if change:
            reply = change(reply) or reply
        return reply if isinstance(reply, Response) else Response(json.dumps(reply), mimetype="application/json")


@pytest.fixture
def service(httpserver):
    return Service(httpserver)


def spec_for(url, name="text-embedding-v4", **fields):
    """The spec of a model at an address, in a region that has it."""
    kind = MediaEmbeddingSpec if MODELS[name].media else EmbeddingSpec
    plain = {"model": f"dashscope/{name}", "base_url": url, "api_key": KEY, "region": next(iter(MODELS[name].offers))}
    return kind.of(plain | fields)


def ask(spec, inputs, *, input_type="document"):
    """Make one request and close the provider."""

    async def main():
        provider = open_provider(spec)
        try:
            return await provider.embed(inputs, input_type=input_type)
        finally:
            await provider.aclose()

    return asyncio.run(main())


def embed(spec, inputs, *, input_type="document", **options):
    """Embed through the embedder, without pauses between attempts."""

    async def main():
        provider = open_provider(spec)
        try:
            return await Embedder(provider, spec).embed(inputs, input_type=input_type, **options)
        finally:
            await provider.aclose()

    with stamina.set_testing(True, attempts=100, cap=True):
        return asyncio.run(main())


# Text: requests, as the official clients have been seen to send them


@pytest.mark.parametrize(
    ("fields", "texts", "input_type", "body"),
    [
        (
            {},
            ["衣服的质量杠杠的"],
            "document",
            {
                "model": "text-embedding-v4",
                "input": {"texts": ["衣服的质量杠杠的"]},
                "parameters": {"text_type": "document", "dimension": 1024},
            },
        ),
        (
            {"dimension": 256, "output_type": "dense&sparse", "instruct": "Given..."},
            ["a", "b"],
            "query",
            {
                "model": "text-embedding-v4",
                "parameters": {
                    "text_type": "query",
                    "dimension": 256,
                    "output_type": "dense&sparse",
                    "instruct": "Given...",
                },
                "input": {"texts": ["a", "b"]},
            },
        ),
        (
            {"instruct": "Given...", "output_type": "sparse"},
            ["a"],
            "document",
            {
                "model": "text-embedding-v4",
                "input": {"texts": ["a"]},
                "parameters": {"text_type": "document", "output_type": "sparse"},
            },
        ),
        (
            {"model": "dashscope/text-embedding-v2", "region": "beijing"},
            ["a"],
            "query",
            {"model": "text-embedding-v2", "input": {"texts": ["a"]}, "parameters": {"text_type": "query"}},
        ),
    ],
    ids=["least", "all", "instruct is for questions", "older models know no dimension"],
)
def test_a_text_request_is_what_the_protocol_says(service, fields, texts, input_type, body):
    ask(spec_for(service.url, **fields), texts, input_type=input_type)
    assert service.bodies == [body]
    headers = service.headers[0]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("relance/")
    assert not any(name.lower().startswith("x-dashscope") for name, _ in headers.items())


@pytest.mark.parametrize("name", ["workspace", "DASHSCOPE_WORKSPACE_ID"])
def test_the_workspace_is_sent_with_every_request(service, monkeypatch, name):
    if name == "workspace":
        ask(spec_for(service.url, workspace="ws-1"), ["a"])
    else:
        monkeypatch.setenv(name, "ws-1")
        ask(spec_for(service.url), ["a"])
    assert service.headers[0]["X-DashScope-WorkSpace"] == "ws-1"


@pytest.mark.parametrize("name", ["DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL"])
def test_key_and_address_come_from_the_environment_where_the_spec_has_none(service, monkeypatch, name):
    monkeypatch.setenv(name, service.url)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-from-environment")
    ask(EmbeddingSpec(model="dashscope/text-embedding-v4"), ["a"])
    assert service.headers[0]["Authorization"] == "Bearer sk-from-environment"


def test_vectors_come_back_in_the_order_of_the_texts_however_they_are_sent(service):
    service.always = lambda reply: reply["output"]["embeddings"].reverse()
    reply = ask(spec_for(service.url, dimension=64), ["a", "b", "c"])
    np.testing.assert_array_equal(reply.vectors, [vector_of(text, 64) for text in "abc"])
    assert reply.vectors.dtype == np.float32
    assert (reply.tokens, reply.sparse, reply.cost_usd) == (9, None, None)


@pytest.mark.parametrize(("output_type", "width"), [("sparse", 0), ("dense&sparse", 1024)])
def test_sparse_vectors_are_read(service, output_type, width):
    reply = ask(spec_for(service.url, output_type=output_type), ["a", "bb"])
    assert reply.vectors.shape == (2, width)
    expected = [Sparse.of([100 + size, 7149], [0.5, 0.829]) for size in (1, 2)]
    assert reply.sparse == expected


def test_sparse_vectors_alone_may_come_with_or_without_an_empty_dense_one(service):
    for change in (
        lambda reply: [item.pop("embedding") for item in reply["output"]["embeddings"]] and None,
        lambda reply: [item.update(embedding=[]) for item in reply["output"]["embeddings"]] and None,
    ):
        service.script = [change]
        assert len(ask(spec_for(service.url, output_type="sparse"), ["a", "bb"]).sparse) == 2


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": None}, [], {"total_tokens": "3"}])
def test_missing_usage_is_borne(service, usage):
    service.always = lambda reply: reply.update(usage=usage)
    assert ask(spec_for(service.url), ["a"]).tokens is None
    service.always = lambda reply: reply.pop("usage") and None
    assert ask(spec_for(service.url), ["a"]).tokens is None


# Replies that do not fit


def first(reply):
    return reply["output"]["embeddings"][0]


SPOILT = {
    "an index twice": lambda reply: first(reply).update(text_index=1),
    "no index": lambda reply: first(reply).pop("text_index") and None,
    "an index of another kind": lambda reply: first(reply).update(text_index="0"),
    "too few": lambda reply: reply["output"]["embeddings"].pop() and None,
    "too many": lambda reply: reply["output"]["embeddings"].append(first(reply) | {"text_index": 2}),
    "none": lambda reply: reply["output"].update(embeddings=[]),
    "no output": lambda reply: reply.pop("output") and None,
    "output null": lambda reply: reply.update(output=None),
    "no vector": lambda reply: first(reply).pop("embedding") and None,
    "ragged": lambda reply: first(reply)["embedding"].pop() and None,
    "nested": lambda reply: (
        [item.update(embedding=[item["embedding"]]) for item in reply["output"]["embeddings"]] and None
    ),
    "words": lambda reply: first(reply).update(embedding=["a"] * 1024),
    "a list": lambda reply: Response("[1, 2]", mimetype="application/json"),
    "truncated": lambda reply: Response(json.dumps(reply)[:-20], mimetype="application/json"),
    "a web page": lambda reply: Response("<html>login</html>", mimetype="text/html"),
    "nothing": lambda reply: Response(""),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_reply_that_does_not_fit_is_asked_for_again(service, spoil):
    spec = spec_for(service.url)
    service.script = [spoil]
    with pytest.raises(BadReplyError):
        ask(spec, ["a", "b"])
    service.script = [spoil]
    result = embed(spec, ["a", "b"])
    assert (result.failures, result.requests) == ({}, 2)


@pytest.mark.parametrize(
    "terms",
    [
        None,
        "x",
        [{"index": -1, "value": 1}],
        [{"index": 1}],
        [{"index": 1, "value": "a"}],
        [{"index": 1.5, "value": 1}],
    ],
)
def test_a_sparse_vector_that_is_none_is_asked_for_again(service, terms):
    service.script = [lambda reply: first(reply).update(sparse_embedding=terms)]
    with pytest.raises(BadReplyError, match="no sparse vector"):
        ask(spec_for(service.url, output_type="dense&sparse"), ["a", "b"])


# Refusals


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refused(401, "InvalidApiKey", "Invalid API-key provided."), AccountError),
        (refused(400, "Arrearage", "Access denied."), AccountError),
        (refused(200, "Arrearage", "Access denied."), AccountError),
        (refused(429, "Throttling.RateQuota"), RateLimitedError),
        (refused(200, "Throttling.RateQuota"), RateLimitedError),
        (refused(500, "InternalError"), RetryableError),
        (refused(200, "InternalError"), RetryableError),
        (refused(400, "InvalidParameter", "Range of input length should be [1, 8192]"), InputError),
        (refused(400, "InvalidParameter", "Model not exist."), ConfigurationError),
        (Response("<html><body>Bad Gateway</body></html>", 502, mimetype="text/html"), RetryableError),
        (Response("", 504), RetryableError),
        (Response("", 307, {"Location": "https://elsewhere.example/?token=abc"}), ConfigurationError),
        (Response("Not Found", 404), ConfigurationError),
    ],
    ids=lambda value: f"{value.status_code} {value.get_data(as_text=True)[:40]}" if isinstance(value, Response) else "",
)
def test_a_refusal_is_named_for_what_it_is(service, response, kind):
    service.script = [response]
    with pytest.raises(RelanceError) as caught:
        ask(spec_for(service.url), ["a"])
    assert type(caught.value) is kind
    assert service.server.host in str(caught.value)
    assert "token=abc" not in str(caught.value)
    if "1773f7b2" in response.get_data(as_text=True):
        assert "request 1773f7b2" in str(caught.value)


@pytest.mark.parametrize(
    "response",
    [
        refused(401, "InvalidApiKey", f"Incorrect API key provided: {KEY}"),
        refused(400, KEY, f"{'x' * 400} {KEY}"),
        refused(200, "InternalError", KEY, request_id=KEY),
        Response(f"<p>{KEY}</p>", 500, mimetype="text/plain"),
        Response(f"not json {KEY}", 200),
        Response("", 302, {"Location": f"/login?key={KEY}"}),
    ],
    ids=["quoted", "as a code", "as an id", "plain", "not json", "redirect"],
)
def test_the_key_is_in_no_error_and_no_log(service, response, caplog):
    caplog.set_level(logging.DEBUG)
    service.always = response
    with pytest.raises(RelanceError) as caught:
        ask(spec_for(service.url), ["a"])
    assert KEY not in f"{caught.value!r} {caught.value} {caught.getrepr(style='long', showlocals=False)}"
    assert KEY not in caplog.text
    assert len(str(caught.value)) < 900


def test_a_slow_reply_is_given_up(service):
    service.script = [lambda reply: time.sleep(0.5)]
    with pytest.raises(RetryableError, match=r"did not answer within 0\.1 s"):
        ask(spec_for(service.url, timeout_s=0.1), ["a"])


def test_the_guilty_text_is_found_in_a_batch(service):
    def moderate(reply):
        if "bad" in service.bodies[-1]["input"]["texts"]:
            return refused(400, "DataInspectionFailed", "Input data may contain inappropriate content.")
        return None

    service.always = moderate
    result = embed(spec_for(service.url), ["one", "two", "bad", "three", "four"])
    assert result.failures.keys() == {2}
    assert "Content moderation" in result.failures[2]
    assert np.isfinite(result.vectors[[0, 1, 3, 4]]).all()


# Limits, on both sides of each


@pytest.mark.parametrize("name", TEXTS)
def test_a_request_has_as_many_texts_as_the_model_takes_and_no_more(service, name):
    most = MODELS[name].batch_inputs
    texts = [f"text {n}" for n in range(most + 1)]
    for count, sizes in ((most, [most]), (most + 1, [most, 1])):
        service.bodies.clear()
        embed(spec_for(service.url, name, max_concurrency=1), texts[:count])
        assert [len(body["input"]["texts"]) for body in service.bodies] == sizes
    with pytest.raises(InputError, match=f"takes {most} inputs at once, not {most + 1}"):
        ask(spec_for(service.url, name), texts)


def words(count):
    """A text of exactly so many tokens."""
    return "a" + " a" * (count - 1)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_the_last_token_is_sent_and_one_more_is_refused_before(service, name):
    spec = spec_for(service.url, name, tokens_per_minute=10**9)
    most = MODELS[name].max_tokens - 1  # the service counts the end of a text as one more
    assert open_provider(spec).tokenizer.count([words(most)]).tolist() == [most]
    result = embed(spec, [words(most), words(most + 1)])
    assert result.failures.keys() == {1}
    assert f"{most + 1:,} tokens" in result.failures[1]
    assert sum(len(body["input"]["texts"]) for body in service.bodies) == 1


@pytest.mark.parametrize("name", [name for name in TEXTS if MODELS[name].batch_tokens])
def test_the_tokens_of_a_request_stay_within_the_models_limit(service, name):
    model = MODELS[name]
    # As the service counts: each text with its end.
    half = model.batch_tokens // 2 - 1
    for texts, requests in (([words(half), words(half - 1)], 1), ([words(half), words(half + 1)], 2)):
        service.bodies.clear()
        embed(spec_for(service.url, name, tokens_per_minute=10**9), texts)
        assert len(service.bodies) == requests


@pytest.mark.parametrize("name", MULTIMODAL)
@pytest.mark.parametrize("kind", ["image", "video", "images"])
def test_a_request_has_as_many_media_as_the_model_takes_and_no_more(service, name, kind):
    side = MODELS[name].media
    spec = spec_for(service.url, name)
    if kind == "images" and not side.sets:
        with pytest.raises(InputError, match="no sets of images"):
            ask(spec, [Media("images", urls=("https://x.test/1.png", "https://x.test/2.png"))])
        assert not service.bodies
        return
    most = side.per_request[kind]
    media = [
        Media(kind, urls=(f"https://x.test/{n}",) * (1 + (kind == "images")), content_hash=str(n))
        for n in range(most + 1)
    ]
    for count, requests in ((most, 1), (most + 1, 2)):
        service.bodies.clear()
        result = embed(spec, media[:count], tokens=np.ones(count, dtype=np.int64))
        assert (result.failures, len(service.bodies)) == ({}, requests)


@pytest.mark.parametrize("name", [name for name in MULTIMODAL if MODELS[name].media.sets])
def test_a_set_has_as_many_images_as_the_model_takes_and_no_more(service, name):
    most = MODELS[name].media.images
    urls = tuple(f"https://x.test/{n}" for n in range(most + 1))
    ask(spec_for(service.url, name), [Media("images", urls=urls[:most])])
    assert len(service.bodies[0]["input"]["contents"][0]["multi_images"]) == most
    with pytest.raises(InputError, match=f"{most} images at once, not {most + 1}"):
        ask(spec_for(service.url, name), [Media("images", urls=urls)])
    assert len(service.bodies) == 1


def test_images_alone_and_in_sets_count_together(service):
    spec = spec_for(service.url, "tongyi-embedding-vision-plus")
    views = Media("images", urls=("https://x.test/a", "https://x.test/b"), content_hash="views")
    images = [Media("image", urls=(f"https://x.test/{n}",), content_hash=str(n)) for n in range(7)]
    with pytest.raises(InputError, match="8 images at once, not 9"):
        ask(spec, [views, *images])
    ask(spec, [views, *images[:6]])
    # Nobody has to know: the embedder sends them in parts.
    result = embed(spec, [views, *images], tokens=np.ones(8, dtype=np.int64))
    assert result.failures == {}


# What is sent of media


VIEWS = Media("images", urls=("https://x.test/1.png", "https://x.test/2.png"))
IMAGE = Media("image", urls=("https://x.test/1.png",))
VIDEO = Media("video", urls=("https://x.test/1.mp4",))
CAPTIONED = Media("image", urls=("https://x.test/1.png",), caption="a red square")


@pytest.mark.parametrize(
    ("model", "fields", "inputs", "contents", "parameters"),
    [
        (
            "tongyi-embedding-vision-plus",
            {"fps": 0.5},
            ["hi", IMAGE, VIDEO, VIEWS],
            [
                {"text": "hi"},
                {"image": "https://x.test/1.png"},
                {"video": "https://x.test/1.mp4"},
                {"multi_images": ["https://x.test/1.png", "https://x.test/2.png"]},
            ],
            {"fps": 0.5},
        ),
        ("tongyi-embedding-vision-plus", {"fps": 0.5}, [IMAGE], [{"image": "https://x.test/1.png"}], {}),
        (
            "tongyi-embedding-vision-plus",
            {},
            [Media("image", data=(PNG,), media_types=("image/png",))],
            [{"image": "data:image/png;base64,iVBORw0KGgo="}],
            {},
        ),
        (
            "tongyi-embedding-vision-plus",
            {},
            [Media("images", data=(PNG, PNG), media_types=("image/png", "image/x-dib"))],
            [{"multi_images": ["data:image/png;base64,iVBORw0KGgo=", "data:image/bmp;base64,iVBORw0KGgo="]}],
            {},
        ),
        ("tongyi-embedding-vision-plus", {}, [CAPTIONED], [{"image": "https://x.test/1.png"}], {}),
        (
            "tongyi-embedding-vision-plus-2026-03-06",
            {"fuse": True},
            [CAPTIONED, IMAGE, "hi"],
            [
                {"text": "a red square", "image": "https://x.test/1.png"},
                {"image": "https://x.test/1.png"},
                {"text": "hi"},
            ],
            {"dimension": 1152},
        ),
        (
            "qwen3-vl-embedding",
            {"fuse": True, "dimension": 256},
            [CAPTIONED],
            [{"text": "a red square"}, {"image": "https://x.test/1.png"}],
            {"dimension": 256, "enable_fusion": True},
        ),
        (
            "qwen3-vl-embedding",
            {"fuse": True},
            [VIEWS],
            [{"image": "https://x.test/1.png"}, {"image": "https://x.test/2.png"}],
            {"dimension": 2560, "enable_fusion": True},
        ),
        ("qwen3-vl-embedding", {"fuse": True}, ["hi"], [{"text": "hi"}], {"dimension": 2560}),
        (
            "qwen2.5-vl-embedding",
            {"fuse": True},
            [CAPTIONED],
            [{"text": "a red square"}, {"image": "https://x.test/1.png"}],
            {"dimension": 1024},
        ),
    ],
)
def test_a_media_request_is_what_the_protocol_says(service, model, fields, inputs, contents, parameters):
    reply = ask(spec_for(service.url, model, **fields), inputs)
    assert service.bodies == [{"model": model, "input": {"contents": contents}, "parameters": parameters}]
    assert "X-DashScope-OssResourceResolve" not in service.headers[0]
    assert reply.vectors.shape[0] == len(inputs)


def test_the_instruction_goes_with_questions_only(service):
    spec = spec_for(service.url, "multimodal-embedding-v1", instruct="Find the picture.")
    ask(spec, ["red"], input_type="query")
    ask(spec, ["red"])
    assert [body["parameters"] for body in service.bodies] == [{"instruct": "Find the picture."}, {}]


@pytest.mark.parametrize(
    "media",
    [
        Media("image", urls=("oss://dashscope-instant/xx/a.png",)),
        Media("video", urls=("oss://dashscope-instant/xx/a.mp4",)),
        Media("images", urls=("https://x.test/1.png", "oss://dashscope-instant/xx/a.png")),
    ],
)
def test_the_service_is_asked_to_resolve_files_it_was_lent(service, media):
    ask(spec_for(service.url, "tongyi-embedding-vision-plus"), ["hi", media])
    assert service.headers[0]["X-DashScope-OssResourceResolve"] == "enable"


@pytest.mark.parametrize(
    ("media", "message"),
    [
        (Media("image", urls=("file:///etc/passwd",)), "no address"),
        (Media("image", urls=("/etc/passwd",)), "no address"),
        (Media("image"), "one file or address for an image, not 0"),
        (Media("video", urls=("https://x.test/1", "https://x.test/2")), "for a video, not 2"),
        (Media("video", data=(b"x",), media_types=("video/mp4",)), "by its address only"),
        (
            Media("images", urls=("https://x.test/1", "https://x.test/2"), caption="both"),
            "not with a set",
        ),
    ],
)
def test_what_no_service_could_take_is_refused_before_it_is_sent(service, media, message):
    with pytest.raises(InputError, match=message):
        ask(spec_for(service.url, "tongyi-embedding-vision-plus-2026-03-06", fuse=True), [media])
    assert not service.bodies


def test_models_that_fuse_a_whole_request_get_one_input_each(service):
    for model, fields in (("qwen2.5-vl-embedding", {}), ("qwen3-vl-embedding", {"fuse": True})):
        service.bodies.clear()
        spec = spec_for(service.url, model, **fields)
        inputs = [Media("image", urls=(f"https://x.test/{n}",), content_hash=str(n), caption="c") for n in range(3)]
        result = embed(spec, inputs, tokens=np.ones(3, dtype=np.int64))
        assert (result.failures, len(service.bodies)) == ({}, 3)
        with pytest.raises(InputError, match=r"takes 1 (input|image) at once"):
            ask(spec_for(service.url, model, **fields, batch_texts=10), inputs[:2])


@pytest.mark.parametrize(
    ("model", "fields", "inputs", "kind"),
    [
        ("tongyi-embedding-vision-plus", {}, ["hi"], "image"),
        ("tongyi-embedding-vision-plus", {}, [IMAGE], "text"),
        ("tongyi-embedding-vision-plus", {}, [VIEWS], "image"),
        ("tongyi-embedding-vision-plus-2026-03-06", {"fuse": True}, [CAPTIONED], "text"),
        ("qwen3-vl-embedding", {"fuse": True}, [CAPTIONED], "image"),
    ],
)
def test_a_vector_of_something_else_than_was_sent_is_not_believed(service, model, fields, inputs, kind):
    """So a picture that a model has silently dropped is noticed."""
    service.always = lambda reply: first(reply).update(type=kind)
    with pytest.raises(BadReplyError, match=f"a vector of {kind} for "):
        ask(spec_for(service.url, model, **fields), inputs)


@pytest.mark.parametrize("kind", [None, "vl", "fused", "fusion", "something new", 7, []])
def test_other_names_for_a_vectors_type_are_borne(service, kind):
    service.always = lambda reply: first(reply).update(type=kind)
    assert ask(spec_for(service.url, "tongyi-embedding-vision-plus"), [IMAGE]).vectors.shape == (1, 1152)


# Bills


@pytest.mark.parametrize(
    ("usage", "tokens", "media"),
    [
        (
            {
                "input_tokens": 10,
                "input_tokens_details": {"image_tokens": 896, "text_tokens": 7},
                "output_tokens": 3,
                "total_tokens": 906,
            },
            906,
            896,
        ),
        (
            {
                "input_tokens": 10,
                "input_tokens_details": {"image_tokens": 0, "text_tokens": 10},
                "output_tokens": 1,
                "total_tokens": 11,
            },
            11,
            0,
        ),
        ({"input_tokens": 10, "image_tokens": 896}, 906, 896),
        ({"input_tokens": 43, "image_tokens": 1247, "total_tokens": 1290}, 1290, 1247),
        ({"input_tokens": 0, "image_tokens": 512, "image_count": 1, "duration": 0}, 512, 512),
        ({"input_tokens_details": {"image_tokens": 896, "text_tokens": 7}}, 903, 896),
        ({"total_tokens": 5}, 5, 0),
        ({"input_tokens": 5}, 5, 0),
        ({"total_tokens": 5, "image_tokens": 9}, 5, 5),
    ],
)
def test_a_bill_is_read_in_each_models_way(usage, tokens, media):
    bill = read_bill(usage)
    assert (bill.tokens, bill.media_tokens) == (tokens, media)


@pytest.mark.parametrize("usage", [{}, {"input_tokens": None}, {"image_count": 1}, {"total_tokens": "many"}])
def test_a_bill_that_says_nothing_is_none(service, usage):
    assert read_bill(usage) is None
    service.always = lambda reply: reply.update(usage=usage)
    reply = ask(spec_for(service.url, "tongyi-embedding-vision-flash"), ["hi"])
    assert (reply.tokens, reply.cost_usd) == (None, None)


def test_words_and_pictures_are_priced_apart_where_their_prices_differ(service):
    reply = ask(spec_for(service.url, "tongyi-embedding-vision-flash"), ["hi", IMAGE])
    assert reply.tokens == 906
    assert reply.cost_usd == pytest.approx((10 * 0.09 + 896 * 0.03) / 1e6)
    for fields in ({"model": "dashscope/tongyi-embedding-vision-plus"}, {"price_per_million_tokens": 1.0}):
        assert ask(spec_for(service.url, "tongyi-embedding-vision-flash", **fields), ["hi", IMAGE]).cost_usd is None


# Lending files


def lend(url, data=b"x", **fields):
    async def main():
        spec = spec_for(url, "tongyi-embedding-vision-plus", **{"region": "beijing"} | fields)
        provider = DashScopeMedia(spec, read_settings())
        try:
            return await provider.upload(data, "a folder/übung 1.mp4", "video/mp4")
        finally:
            await provider.aclose()

    return asyncio.run(main())


def policy(server, **fields):
    data = {
        "policy": "eyJl",
        "signature": "g5K",
        "upload_dir": "dashscope-instant/xxx/2024-07-18/xxx",
        "upload_host": server.url_for("/oss"),
        "expire_in_seconds": 300,
        "max_file_size_mb": 1024,
        "oss_access_key_id": "LTA",
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    } | fields
    server.expect_request(
        "/api/v1/uploads", query_string="action=getPolicy&model=tongyi-embedding-vision-plus"
    ).respond_with_json({"data": data, "request_id": "1"})


def test_a_file_is_lent_as_the_protocol_says_and_without_the_key(service):
    got = []

    def store(request):
        file = request.files["file"]
        got.append((list(request.form.items()), file.filename, file.mimetype, file.read(), dict(request.headers)))
        return Response("")

    policy(service.server)
    service.server.expect_request("/oss", method="POST").respond_with_handler(store)
    assert lend(service.url) == "oss://dashscope-instant/xxx/2024-07-18/xxx/übung_1.mp4"
    [(form, name, media_type, data, headers)] = got
    assert form == [
        ("OSSAccessKeyId", "LTA"),
        ("Signature", "g5K"),
        ("policy", "eyJl"),
        ("key", "dashscope-instant/xxx/2024-07-18/xxx/übung_1.mp4"),
        ("x-oss-object-acl", "private"),
        ("x-oss-forbid-overwrite", "true"),
        ("success_action_status", "200"),
        ("x-oss-content-type", "video/mp4"),
    ]
    assert (name, media_type, data) == ("übung_1.mp4", "video/mp4", b"x")
    assert KEY not in str(headers)


def test_a_file_is_lent_in_beijing_only(service):
    with pytest.raises(InputError, match="Beijing only"):
        lend(service.url, region="singapore")


def test_a_file_over_the_policys_limit_is_not_sent(service):
    policy(service.server, max_file_size_mb="1")
    with pytest.raises(InputError, match=r"1\.0 MiB; the service can be lent 1"):
        lend(service.url, b"x" * ((1 << 20) + 1))


@pytest.mark.parametrize("host", ["https://evil.example/oss", "http://dashscope-file.oss.aliyuncs.com", "ftp://x", ""])
def test_a_file_is_not_sent_just_anywhere(service, host):
    policy(service.server, upload_host=host)
    with pytest.raises(BadReplyError, match="not Alibaba Cloud"):
        lend(service.url)


def test_an_expired_policy_is_worth_another_try(service):
    policy(service.server)
    xml = "<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message></Error>"
    service.server.expect_request("/oss").respond_with_data(xml, 403, content_type="application/xml")
    with pytest.raises(RetryableError, match="Policy expired"):
        lend(service.url)


def test_a_policy_that_is_none_is_asked_for_again(service):
    service.server.expect_request("/api/v1/uploads").respond_with_json({"data": {"policy": "x"}})
    with pytest.raises(BadReplyError, match="no policy"):
        lend(service.url)


# The emulator, which was written from the same pages by somebody else


def picture(colour="red"):
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return Media("image", data=(out.getvalue(),), media_types=("image/png",), content_hash=colour)


@pytest.mark.parametrize("name", TEXTS)
def test_the_emulator_takes_the_fullest_request_of_every_text_model(emulator, name):
    model = MODELS[name]
    shortest = min(next(iter(model.offers.values())).dimensions or model.dimensions)
    spec = spec_for(emulator.url, name, dimension=shortest)
    reply = ask(spec, [f"text number {n}" for n in range(model.batch_inputs)], input_type="query")
    assert reply.vectors.shape == (model.batch_inputs, shortest)
    np.testing.assert_allclose(np.linalg.norm(reply.vectors, axis=1), 1, rtol=1e-3)
    longest = words(min(model.max_tokens - 1, 20_000))
    assert ask(spec, [longest]).tokens >= min(model.max_tokens - 1, 20_000)


@pytest.mark.parametrize("name", [name for name in TEXTS if MODELS[name].sparse])
def test_the_emulator_makes_each_kind_of_vector(emulator, name):
    texts = ["wind and water", "风"]
    both = ask(spec_for(emulator.url, name, output_type="dense&sparse"), texts)
    sparse = ask(spec_for(emulator.url, name, output_type="sparse"), texts)
    dense = ask(spec_for(emulator.url, name), texts)
    np.testing.assert_array_equal(both.vectors, dense.vectors)
    assert both.sparse == sparse.sparse
    assert sparse.vectors.shape == (2, 0)
    assert dense.sparse is None


@pytest.mark.parametrize("name", MULTIMODAL)
def test_the_emulator_takes_words_and_pictures_of_every_model(emulator, name):
    spec = spec_for(emulator.url, name)
    for inputs in (["a red picture"], [picture()]):
        reply = ask(spec, inputs)
        assert reply.vectors.shape == (1, MODELS[name].dimensions[0])
        assert reply.tokens > 0
        prices = next(iter(MODELS[name].offers.values()))
        assert (reply.cost_usd is None) == (prices.media_price is None)


@pytest.mark.parametrize("name", [name for name in MULTIMODAL if MODELS[name].media.fusion])
def test_the_emulator_fuses_picture_and_caption_into_one_vector(emulator, name):
    spec = spec_for(emulator.url, name, fuse=True)
    plain, captioned = picture(), picture()
    captioned = Media("image", data=captioned.data, media_types=captioned.media_types, caption="a boat at sea")
    one, other = ask(spec, [plain]).vectors, ask(spec, [captioned]).vectors
    assert one.shape == other.shape == (1, MODELS[name].dimensions[0])
    assert not np.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in MULTIMODAL if MODELS[name].media.sets])
def test_the_emulator_makes_one_vector_of_a_set(emulator, name):
    views = Media("images", data=picture().data + picture("blue").data, media_types=("image/png",) * 2)
    assert ask(spec_for(emulator.url, name), [views, "hi"]).vectors.shape == (2, MODELS[name].dimensions[0])


def video():
    """Half a second of blue."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            frame = np.zeros((48, 64, 3), dtype=np.uint8)
            frame[..., 2] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def test_files_lent_to_the_emulator_are_found_again(emulator):
    async def main():
        spec = spec_for(emulator.url, "tongyi-embedding-vision-plus", region="beijing")
        provider = DashScopeMedia(spec, read_settings())
        try:
            address = await provider.upload(picture().data[0], "red.png", "image/png")
            film = await provider.upload(video(), "blue.mp4", "video/mp4")
            lent = [Media("image", urls=(address,)), Media("video", urls=(film,))]
            return (
                await provider.embed(lent, input_type="document"),
                await provider.embed([picture()], input_type="document"),
            )
        finally:
            await provider.aclose()

    lent, sent = asyncio.run(main())
    np.testing.assert_allclose(lent.vectors[:1], sent.vectors, atol=1e-6)  # a batch is rounded otherwise
    assert lent.vectors.shape == (2, 1152)


@pytest.mark.parametrize(
    "action", ["reset", "truncated", "ok_with_code", "html", "missing_item", "Throttling.RateQuota", "RequestTimeOut"]
)
def test_what_passes_is_waited_out_at_the_emulator(emulator, action):
    emulator.faults([{"action": action, "times": 1, "kind": "text"}])
    result = embed(spec_for(emulator.url), [f"{action} {n}" for n in range(10)])
    assert (result.failures, result.requests, result.embedded) == ({}, 2, 10)


@pytest.mark.parametrize("action", ["shuffled", "missing_usage", "gzip"])
def test_what_is_odd_but_right_is_taken_at_the_emulator(emulator, action):
    spec = spec_for(emulator.url)
    expected = embed(spec, ["one", "two", "three"]).vectors
    emulator.faults([{"action": action, "times": 1, "kind": "text"}])
    result = embed(spec, ["one", "two", "three"])
    np.testing.assert_array_equal(result.vectors, expected)
    assert result.requests == 1
    assert result.tokens > 0


@pytest.mark.parametrize("action", ["InvalidApiKey", "Arrearage", "AllocationQuota.FreeTierOnly", "FreeAllocatedQuota"])
def test_an_account_error_of_the_emulator_ends_everything_after_one_request(emulator, action):
    emulator.faults([{"action": action, "kind": "text"}])
    with pytest.raises(AccountError, match=r"127\.0\.0\.1"):
        embed(spec_for(emulator.url, max_concurrency=1), [f"{action} {n}" for n in range(50)])
    assert emulator.stats()["requests"] == 1


def test_a_key_of_another_region_is_refused_with_a_sentence_that_says_so():
    config = EmulatorConfig(vectors="hash", keys={KEY: "beijing"}, region="singapore")
    with running(config) as url, pytest.raises(AccountError, match="a key works only in the region it was made in"):
        ask(spec_for(url), ["a"])
