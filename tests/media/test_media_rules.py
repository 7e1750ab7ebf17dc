"""Every limit holds on both sides, and a refusal names the figure, the limit and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import InputError
from relance.media import Facts
from relance.media.rules import MediaRules, check, data_uri_length, format_names, megabytes

MIB = 1 << 20
RULES = MediaRules(
    image_formats=frozenset({"image/jpeg", "image/png", "image/bmp"}),
    video_formats=frozenset({"video/mp4", "video/quicktime"}),
    max_image_bytes=3 * MIB,
    max_video_bytes=10 * MIB,
    max_pixels=4_000_000,
    video_codecs=frozenset({"h264", "hevc"}),
)
IMAGE = Facts("image", "image/jpeg", 640, 480, 0.0, 1, 40_000)
VIDEO = Facts("video", "video/mp4", 640, 480, 3.0, 75, 40_000, "h264")


@pytest.mark.parametrize(
    ("inside", "outside", "words"),
    [
        ({"size": 3 * MIB}, {"size": 3 * MIB + 1}, ["3 MiB (3,145,729 bytes)", "takes 3 MiB", "scale it down"]),
        ({"width": 10}, {"width": 9}, ["9 × 480", "at least 10", "larger picture"]),
        ({"height": 10}, {"height": 9}, ["640 × 9", "at least 10"]),
        ({"width": 4_000, "height": 20}, {"width": 4_001, "height": 20}, ["4,001 × 20", "200 times", "crop"]),
        ({"width": 20, "height": 4_000}, {"width": 20, "height": 4_001}, ["20 × 4,001", "200 times"]),
        ({"width": 2_000, "height": 2_000}, {"width": 2_000, "height": 2_001}, ["4,002,000", "4,000,000", "scale"]),
        ({"media_type": "image/bmp"}, {"media_type": "image/webp"}, ["WebP", "BMP, JPEG or PNG", "convert"]),
    ],
)
def test_a_limit_of_images_is_met_exactly(inside, outside, words):
    check(replace(IMAGE, **inside), RULES)
    with pytest.raises(InputError) as caught:
        check(replace(IMAGE, **outside), RULES)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("inside", "outside", "words"),
    [
        ({"size": 10 * MIB}, {"size": 10 * MIB + 1}, ["10 MiB (10,485,761 bytes)", "takes 10 MiB", "compress"]),
        ({"media_type": "video/quicktime"}, {"media_type": "video/x-flv"}, ["FLV", "MOV or MP4", "convert"]),
        ({"codec": "hevc"}, {"codec": "vp9"}, ["vp9", "h264 or hevc", "convert"]),
        ({"width": 4_001, "height": 9}, {"codec": ""}, ["unknown"]),  # sides are limited for images only
    ],
)
def test_a_limit_of_videos_is_met_exactly(inside, outside, words):
    check(replace(VIDEO, **inside), RULES)
    with pytest.raises(InputError) as caught:
        check(replace(VIDEO, **outside), RULES)
    for word in words:
        assert word in str(caught.value)


def test_base64_is_limited_by_its_characters_and_only_where_it_is_sent():
    rules = replace(RULES, max_image_bytes=20 * MIB)
    largest = rules.max_inline_bytes("image/jpeg")
    check(replace(IMAGE, size=largest), rules, inline=True)
    with pytest.raises(
        InputError, match=r"10,485,76\d characters as Base64, a request takes 10,485,760; scale it down"
    ):
        check(replace(IMAGE, size=largest + 1), rules, inline=True)
    check(replace(IMAGE, size=largest + 1), rules)


def test_a_video_is_sent_by_address_only():
    with pytest.raises(InputError, match="public address only"):
        check(VIDEO, RULES, inline=True)


def test_a_model_without_videos_says_so():
    with pytest.raises(InputError, match="takes no videos"):
        check(VIDEO, replace(RULES, video_formats=frozenset()))


def test_without_a_limit_of_pixels_or_codecs_all_pass():
    rules = replace(RULES, max_pixels=0, video_codecs=frozenset())
    check(replace(IMAGE, width=50_000, height=50_000), rules)
    check(replace(VIDEO, codec="vp9"), rules)


@given(st.integers(0, 5_000))
def test_the_length_of_a_data_uri_is_that_of_the_real_one(size):
    import base64

    real = "data:image/png;base64," + base64.b64encode(bytes(size)).decode()
    assert data_uri_length("image/png", size) == len(real)


@given(st.integers(200, 20_000), st.sampled_from(["image/png", "image/jpeg"]))
def test_the_largest_that_can_be_sent_inline_is_exact(limit, media_type):
    rules = replace(RULES, max_data_uri=limit)
    largest = rules.max_inline_bytes(media_type)
    assert data_uri_length(media_type, largest) <= limit < data_uri_length(media_type, largest + 1)


def test_names_are_those_people_use():
    assert format_names(["video/mp4"]) == "MP4"
    assert format_names([]) == "none"
    assert megabytes(3 * MIB) == "3 MiB"
    assert megabytes(2_621_440) == "2.5 MiB"
    assert megabytes(0) == "0 MiB (0 bytes)"
