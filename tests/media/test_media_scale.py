"""An image that is too large, too heavy or of the wrong format is made to fit, and no more than that."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from relance.errors import InputError
from relance.media import Facts
from relance.media.inspect import inspect
from relance.media.rules import MediaRules, check
from relance.media.scale import decoded_pixels, scale

MIB = 1 << 20
RULES = MediaRules(
    image_formats=frozenset({"image/jpeg", "image/png", "image/bmp"}),
    video_formats=frozenset({"video/mp4"}),
    max_image_bytes=3 * MIB,
    max_video_bytes=10 * MIB,
)


def saved(image, name, **options):
    stream = BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def noise(width, height, channels=3):
    values = np.random.default_rng(7).integers(0, 255, (height, width, channels), np.uint8)
    return Image.fromarray(values[:, :, 0] if channels == 1 else values)


def scene(mode="RGB", size=(320, 200)):
    """A smooth picture: dark red on the left, light blue on the right, a yellow disc in the top left quarter."""
    across = np.linspace(0, 1, size[0])[None, :, None]
    colours = np.array([150, 20, 20]) * (1 - across) + np.array([120, 180, 250]) * across
    image = Image.fromarray(np.repeat(colours.astype(np.uint8), size[1], axis=0))
    ImageDraw.Draw(image).ellipse((20, 20, size[0] // 4, size[0] // 4), fill=(250, 220, 30))
    return image if mode == "RGB" else image.convert(mode)


def scaled(data, rules=RULES):
    """Scale, and check what every result promises."""
    before = inspect(data, "a")
    result, facts = scale(data, before, rules)
    assert inspect(result, "b") == facts
    check(facts, rules, inline=True)
    assert facts.width <= before.width
    assert facts.height <= before.height
    assert scale(data, before, rules) == (result, facts), "the same again"
    assert scale(result, facts, rules) == (result, facts), "what fits stays"
    return Image.open(BytesIO(result)), facts


def distance(image, other):
    pictures = [np.asarray(picture.convert("RGB").resize((32, 32)), np.float64) for picture in (image, other)]
    return float(np.abs(pictures[0] - pictures[1]).mean())


def test_what_fits_is_left_alone():
    data = saved(scene(), "JPEG")
    assert scale(data, inspect(data, "a"), RULES)[0] is data


@pytest.mark.parametrize("name", ["WEBP", "TIFF", "AVIF", "SGI", "GIF"])
def test_another_format_is_written_at_full_size(name):
    image, facts = scaled(saved(scene(), name))
    assert (facts.width, facts.height) == (320, 200)
    assert facts.media_type == "image/png", "nothing is lost where that fits"
    assert distance(image, scene()) < 4
    if name != "GIF":
        _, facts = scaled(saved(scene(), name), replace(RULES, max_image_bytes=20_000))
        assert (facts.media_type, facts.width) == ("image/jpeg", 320)


def test_a_drawing_with_a_palette_is_kept_without_loss():
    drawing = scene().quantize(16, dither=Image.Dither.NONE)
    image, facts = scaled(saved(drawing, "GIF"))
    assert facts.media_type == "image/png"
    assert distance(image, drawing) == 0


def test_quality_goes_before_size():
    picture = noise(300, 300)
    sizes = {quality: len(saved(picture, "JPEG", quality=quality, optimize=True)) for quality in (92, 85, 75)}
    lossless = saved(picture, "PNG")
    for quality, size in sizes.items():
        _, facts = scaled(lossless, replace(RULES, max_image_bytes=size))
        assert (facts.width, facts.size) == (300, sizes[quality])
    _, facts = scaled(lossless, replace(RULES, max_image_bytes=sizes[75] - 1))
    assert 260 < facts.width < 300


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.02])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bytes_are_met_without_wasting_much(share, channels):
    data = saved(noise(400, 300, channels) if channels != 2 else noise(400, 300, 4).convert("LA"), "PNG")
    limit = int(len(data) * share)
    _, facts = scaled(data, replace(RULES, max_image_bytes=limit))
    assert facts.size <= limit
    assert facts.width == 400 or limit * 0.4 < facts.size  # noise becomes smoother when scaled


def test_a_heavy_photograph_keeps_the_pixels_that_models_look_at_and_no_more_are_decoded():
    data = saved(scene(size=(4_000, 3_000)), "JPEG", quality=95)
    image, facts = scaled(data, replace(RULES, max_image_bytes=len(data) - 1))
    assert (facts.width, facts.height) == (2_000, 1_500)
    assert distance(image, scene(size=(4_000, 3_000))) < 4
    lighter = saved(scene(size=(2_000, 1_500)), "JPEG", quality=95)
    _, facts = scaled(lighter, replace(RULES, max_image_bytes=len(lighter) - 1))
    assert facts.width == 2_000


def test_base64_counts_too():
    data = saved(noise(300, 300), "PNG")
    _, facts = scaled(data, replace(RULES, max_data_uri=60_000))
    assert 30_000 < facts.size <= (60_000 - len("data:image/jpeg;base64,")) // 4 * 3


@pytest.mark.parametrize("limit", [320 * 200 - 1, 10_000, 1_000])
def test_pixels_are_met_and_the_shape_kept(limit):
    image, facts = scaled(saved(scene(), "PNG"), replace(RULES, max_pixels=limit))
    assert limit * 0.9 < facts.width * facts.height <= limit
    assert facts.width / facts.height == pytest.approx(1.6, rel=0.05)
    assert distance(image, scene()) < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_turned_the_way_it_is_shown(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(scene(), "JPEG", exif=exif, quality=95)
    image, facts = scaled(data, replace(RULES, max_pixels=20_000))
    assert (facts.height > facts.width) == (orientation >= 5)
    assert image.getexif().get(0x0112, 1) == 1
    from PIL import ImageOps

    assert distance(image, ImageOps.exif_transpose(Image.open(BytesIO(data)))) < 6


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (scene("CMYK"), "JPEG"),
        (scene("CMYK"), "TIFF"),
        (scene("P"), "PNG"),
        (scene("L"), "TIFF"),
        (scene("YCbCr"), "TIFF"),
        (scene("LAB"), "TIFF"),
        (scene("1"), "PNG"),
    ],
    ids=["cmyk-jpeg", "cmyk-tiff", "palette", "grey", "ycbcr", "lab", "bits"],
)
def test_every_colour_mode_keeps_its_look(image, name):
    result, _ = scaled(saved(image, name), replace(RULES, max_pixels=30_000, image_formats=frozenset({"image/jpeg"})))
    assert result.mode in {"L", "RGB"}
    assert distance(result, image) < 12


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight_without_clipping(name):
    ramp = np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (40, 1))
    image, _ = scaled(saved(Image.fromarray(ramp), name), replace(RULES, max_pixels=10_000))
    row = np.asarray(image)[20].astype(int)
    assert row[0] < 4
    assert row[-1] > 251
    assert np.abs(np.diff(row)).max() < 8


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (-3.0, 1e6), (5.0, 5.0)])
def test_fractions_are_stretched_to_black_and_white(low_high):
    low, high = low_high
    values = np.tile(np.linspace(low, high, 256).astype(np.float32), (40, 1))
    values[0, 0] = np.nan if low < 0 else low
    image, _ = scaled(saved(Image.fromarray(values), "TIFF"))
    row = np.asarray(image)[20].astype(int)
    assert (row[0] < 4, row[-1] > 251) == ((True, True) if low < high else (True, False))


def disc():
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 20, 180, 180), fill=(200, 30, 30, 255))
    return image


def test_what_is_cut_out_stands_on_white_without_loss():
    image, facts = scaled(saved(disc(), "WEBP", lossless=True))
    assert (facts.media_type, image.mode) == ("image/png", "RGB")
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert image.getpixel((100, 100)) == (200, 30, 30)


def test_where_a_model_takes_no_png_the_ground_is_white():
    image, facts = scaled(saved(disc(), "PNG"), replace(RULES, image_formats=frozenset({"image/jpeg"})))
    assert facts.media_type == "image/jpeg"
    assert min(image.getpixel((0, 0))) > 250


def test_where_a_model_takes_no_jpeg_png_is_written():
    _, facts = scaled(
        saved(noise(200, 200), "JPEG"), replace(RULES, image_formats=frozenset({"image/png"}), max_image_bytes=40_000)
    )
    assert facts.media_type == "image/png"


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_of_what_moves_the_first_frame_is_taken(name):
    data = saved(scene(), name, save_all=True, append_images=[Image.new("RGB", (320, 200), "green")], duration=50)
    image, facts = scaled(data, replace(RULES, image_formats=frozenset({"image/jpeg"})))
    assert facts.frames == 1
    assert distance(image, scene()) < 6


@pytest.mark.parametrize(
    ("image", "changes", "words"),
    [
        (Image.new("RGB", (9, 400)), {}, "at least 10"),
        (Image.new("RGB", (1, 1)), {}, "at least 10"),
        (Image.new("RGB", (1, 5_000)), {}, "at least 10"),
        (Image.new("RGB", (20, 4_001)), {}, "200 times"),
        (noise(400, 12), {"max_image_bytes": 900}, "below 10 pixels"),
        (noise(400, 12), {"max_pixels": 400}, "below 10 pixels"),
        (noise(50, 50), {"max_image_bytes": 10}, "below 10 pixels"),
        (noise(50, 50), {"max_data_uri": 5}, "below 10 pixels"),
        (noise(50, 50), {"image_formats": frozenset({"image/webp"})}, "only JPEG and PNG are written"),
        (noise(50, 50), {"image_formats": frozenset()}, "only JPEG and PNG are written"),
    ],
)
def test_what_cannot_be_mended_stays_an_error(image, changes, words):
    data = saved(image, "TIFF")
    with pytest.raises(InputError, match=words):
        scale(data, inspect(data, "a"), replace(RULES, **changes))


def test_a_video_and_a_damaged_image_are_refused():
    with pytest.raises(InputError, match="video"):
        scale(b"", Facts("video", "video/mp4", 64, 48, 1.0, 25, 100, "h264"), RULES)
    data = saved(noise(100, 100), "WEBP")
    with pytest.raises(InputError, match="cannot be decoded"):
        scale(data[:-500], inspect(data, "a"), RULES)
    with pytest.raises(InputError, match="another size"):
        scale(data, replace(inspect(data, "a"), width=5_000), RULES)
    with pytest.raises(InputError, match="too many"):
        scale(data, replace(inspect(data, "a"), width=100_000, height=100_000), RULES)


def test_the_work_is_bounded(monkeypatch):
    encodings = []
    module = sys.modules[scale.__module__]
    encode = module.encode
    monkeypatch.setattr(module, "encode", lambda *a: encodings.append(a) or encode(*a) + bytes(50_000))
    data = saved(noise(400, 400), "PNG")
    with pytest.raises(InputError, match=r"still .* use a simpler picture|below 10"):
        scale(data, inspect(data, "a"), replace(RULES, max_image_bytes=40_000))
    assert 4 <= len(encodings) <= 12


@settings(max_examples=60, deadline=5_000)
@given(
    width=st.integers(10, 400),
    height=st.integers(10, 400),
    max_bytes=st.integers(600, 60_000),
    max_pixels=st.integers(0, 50_000),
    source=st.sampled_from(["PNG", "GIF", "BMP", "WEBP"]),
    channels=st.sampled_from([1, 3, 4]),
)
def test_the_result_fits_or_a_reason_is_given(width, height, max_bytes, max_pixels, source, channels):
    rules = replace(RULES, max_image_bytes=max_bytes, max_pixels=max_pixels)
    with suppress(InputError):
        scaled(saved(noise(width, height, channels), source), rules)


def test_a_heavy_photograph_counts_as_the_pixels_that_are_decoded_of_it() -> None:
    """So that two cores decode photographs of 24 megapixels side by side; a progressive one is held whole."""
    facts = Facts("image", "image/jpeg", 6000, 4000, 0.0, 1, size=12 << 20)
    assert decoded_pixels(b"\xff\xd8\xff\xc0", facts, RULES, shrink=True) == 6000 * 4000 // 4
    assert decoded_pixels(b"\xff\xd8\xff\xc2", facts, RULES, shrink=True) == 6000 * 4000
    assert decoded_pixels(b"\xff\xd8\xff\xc0", facts, RULES, shrink=False) == 6000 * 4000
    assert decoded_pixels(b"\xff\xd8\xff\xc0", replace(facts, size=1000), RULES, shrink=True) == 6000 * 4000
