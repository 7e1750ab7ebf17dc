"""Size, length and frames are read without trusting the file."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from relance.errors import DocumentError, InputError
from relance.media.inspect import MAX_PIXELS, inspect


def saved(image, name, **options):
    stream = BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def noise(width, height, mode="RGB"):
    values = np.random.default_rng(7).integers(0, 255, (height, width, len(mode)), np.uint8)
    return Image.fromarray(values, mode) if mode != "L" else Image.fromarray(values[:, :, 0])


def png_header(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def mp4():
    stream = BytesIO()
    with av.open(stream, "w", format="mp4") as output:
        track = output.add_stream("libx264", rate=10)
        track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
        for level in range(20):
            picture = np.full((64, 96, 3), level * 12, np.uint8)
            output.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(track.encode())
    return stream.getvalue()


def reason(data, uri="a"):
    with pytest.raises(DocumentError) as caught:
        inspect(data, uri)
    assert caught.value.uri == uri
    assert isinstance(caught.value, InputError)
    assert "\n" not in caught.value.reason
    assert len(caught.value.reason) < 300
    return caught.value.reason


def test_a_video_has_size_length_frames_and_codec(mp4):
    facts = inspect(mp4, "a.mp4")
    assert (facts.width, facts.height, facts.duration_s, facts.frames, facts.codec) == (96, 64, 2.0, 20, "h264")


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP"])
def test_frames_of_what_moves_are_counted(name):
    first, *rest = [noise(20, 20) for _ in range(3)]
    rest = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green")]
    assert inspect(saved(first, name, save_all=True, append_images=rest, duration=100), "a").frames == 3


def test_the_pages_of_a_tiff_are_no_frames():
    assert inspect(saved(noise(20, 20), "TIFF", save_all=True, append_images=[noise(20, 20)]), "a").frames == 1


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (60, 40)), (3, (60, 40)), (6, (40, 60)), (8, (40, 60))])
def test_the_size_is_that_of_the_picture_as_shown(name, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    facts = inspect(saved(noise(60, 40), name, exif=exif), "a")
    assert (facts.width, facts.height) == size


def test_a_png_that_claims_60000_by_60000_is_refused_at_once_and_with_its_figures():
    began = time.perf_counter()
    assert "60,000 × 60,000" in reason(png_header(60_000, 60_000))
    assert time.perf_counter() - began < 3  # decoding it takes a minute


def test_the_pixel_limit_is_a_limit_on_both_sides():
    assert inspect(png_header(MAX_PIXELS // 1_000, 1_000), "a").height == 1_000
    assert f"{MAX_PIXELS:,}" in reason(png_header(MAX_PIXELS // 1_000 + 1, 1_000))


def test_a_gif_that_lies_about_its_size_is_refused():
    data = bytearray(saved(noise(30, 30), "GIF"))
    data[6:10] = struct.pack("<HH", 65_535, 65_535)  # the screen
    assert "65,535 × 65,535" in reason(bytes(data))
    data = bytearray(saved(Image.new("L", (30, 30)), "GIF"))
    at = data.index(b"\x2c")
    data[at + 5 : at + 9] = struct.pack("<HH", 1_500, 1_500)  # the frame, larger than what is there
    assert "cut off or damaged" in reason(bytes(data))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "SGI"])
@pytest.mark.parametrize("share", [0.95, 0.5, 0.1])
def test_a_truncated_image_is_refused(name, share):
    data = saved(noise(200, 150), name)
    assert "cut off or damaged" in reason(data[: int(len(data) * share)])


def test_a_png_with_a_flipped_byte_is_refused():
    data = bytearray(saved(noise(200, 150), "PNG"))
    data[len(data) // 2] ^= 0xFF
    assert "cut off or damaged" in reason(bytes(data))


@pytest.mark.parametrize("size", [(1, 1), (1, 5_000), (5_000, 1)])
def test_what_is_too_small_for_a_model_is_still_an_image(size):
    facts = inspect(saved(Image.new("RGB", size), "PNG"), "a")
    assert (facts.width, facts.height) == size


def test_a_page_named_png_is_called_a_page():
    assert reason(b"<!doctype html><title>Not found</title>", "https://a.test/x.png?v=2") == (
        "named like image/png, but its content is text/html, no image or video"
    )


def test_a_picture_counts_as_what_it_is_under_another_name():
    assert inspect(saved(noise(20, 20), "JPEG"), "a.png").media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>", "convert it to PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "cut off or damaged"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0isomM4A ", "audio/mp4"),
        (b'{"error": "gone"}', "application/json"),
        (b"hello", "no image or video of a known format"),
        (b"GIF89a<script>alert(1)</script>", "cut off or damaged"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + random.Random(1).randbytes(5_000), "cut off or damaged"),
        (b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm" + random.Random(2).randbytes(5_000), "cut off or damaged"),
        (b"\0\0\x01\xba" + random.Random(3).randbytes(50_000), "cut off or damaged"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(data, words):
    assert words in reason(data)


def test_sound_in_an_mp4_is_no_video():
    stream = BytesIO()
    with av.open(stream, "w", format="mp4") as output:
        track = output.add_stream("aac", rate=8_000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8_000
        output.mux(track.encode(silence))
        output.mux(track.encode())
    assert "sound only" in reason(stream.getvalue())


def test_a_playlist_that_names_other_files_is_never_opened(tmp_path, mp4):
    (tmp_path / "secret.mp4").write_bytes(mp4)
    for playlist in (
        f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.mp4\n",
        f"ffconcat version 1.0\nfile {tmp_path}/secret.mp4\n",
    ):
        assert "known format" in reason(playlist.encode(), "a.mp4")


def test_a_png_bomb_in_an_icon_is_refused():
    bomb = png_header(20_000, 20_000)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(bomb), 22) + bomb
    assert "20,000 × 20,000" in reason(icon)


def test_the_scans_of_a_jpeg_are_limited_by_the_pixels_they_pass_over():
    data = saved(Image.new("L", (1_000, 1_000), 90), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    scans = data.count(b"\xff\xda")

    def with_scans(count):
        return data[:-2] + data[start:-2] * (count - scans) + data[-2:]

    assert inspect(with_scans(100), "a").width == 1_000
    assert "2,001 scans" in reason(with_scans(2_001))


def test_very_many_scans_of_a_small_jpeg_are_refused_as_well():
    data = saved(noise(16, 16), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    assert "scans" in reason(data[:-2] + data[start:-2] * 200_000 + data[-2:])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow's, on every open
def test_damaged_metadata_is_no_reason_to_refuse_a_picture():
    data = saved(noise(40, 30), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert inspect(data, "a").width == 40


def test_a_gif_of_very_many_frames_is_not_counted_to_the_end():
    frame = b"\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0"
    data = b"GIF89a\x0a\0\x0a\0\x80\0\0" + b"\0" * 6 + frame * 3_000_000 + b";"
    began = time.perf_counter()
    assert inspect(data, "a").frames == 0
    assert time.perf_counter() - began < 3


@settings(max_examples=60, deadline=5_000)
@given(st.data())
def test_a_damaged_file_gives_facts_or_a_reason_and_nothing_else(mp4, data):
    sources = [saved(noise(40, 30), name) for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "ICO")]
    content = bytearray(data.draw(st.sampled_from([*sources, mp4])))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    try:
        facts = inspect(bytes(content), "a")
    except DocumentError:
        return
    assert facts.width * facts.height > 0
    assert 0 <= facts.duration_s < 1e7


def test_threads_get_the_same_facts_as_one_after_another(mp4):
    files = [saved(noise(200, 100), name) for name in ("JPEG", "PNG", "GIF", "WEBP", "TIFF")] + [mp4]
    alone = [inspect(data, "a") for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: inspect(data, "a"), files * 10))
    assert together == alone * 10


def test_nothing_heavy_is_imported_before_a_file_is_inspected_and_nothing_is_printed():
    code = """
import sys
from relance.media import inspect, rules, scale, sniff
from relance.parsers import references
assert not {"PIL", "av", "markdown_it", "lxml", "httpx"} & set(sys.modules), sorted(sys.modules)
from relance.errors import InputError
for data in (b"\\x1a\\x45\\xdf\\xa3\\x93\\x42\\x82\\x84webm" + bytes(range(256)) * 50, b"FLV\\x01\\x05" + b"x" * 999):
    try:
        inspect.inspect(data, "a")
    except InputError:
        pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_extra_is_named(monkeypatch, mp4):
    from relance.errors import MissingExtraError

    picture = saved(noise(20, 20), "PNG")
    monkeypatch.setitem(sys.modules, "PIL.PngImagePlugin", None)
    monkeypatch.setitem(sys.modules, "av", None)
    for data in (picture, mp4):
        with pytest.raises(MissingExtraError, match=r"relance\[media\]"):
            inspect(data, "a")
