"""Media by DashScope's own protocol: what is sent, what comes back and what it costs."""

import base64

import numpy as np
import pytest
from dashscope_service import ask, embed, first, spec_for

from relance.documents import Media
from relance.embedding.providers import BadReplyError
from relance.embedding.providers.dashscope.bill import read_bill
from relance.errors import InputError

SERVICE = "dashscope_service"
PNG = base64.b64decode("iVBORw0KGgo=")
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
            "tongyi-embedding-vision-plus-2026-03-06",
            {"max_video_frames": 3, "res_level": 2, "dimension": 64, "region": "beijing"},
            [VIDEO],
            [{"video": "https://x.test/1.mp4"}],
            {"max_video_frames": 3, "res_level": 2, "dimension": 64},
        ),
        (
            "tongyi-embedding-vision-plus-2026-03-06",
            {"max_video_frames": 3, "res_level": 0, "dimension": 64, "region": "beijing"},
            [IMAGE, "hi"],
            [{"image": "https://x.test/1.png"}, {"text": "hi"}],
            {"res_level": 0, "dimension": 64},
        ),
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
