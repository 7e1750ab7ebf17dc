"""Content is called what it is, whatever its name says."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from relance.media.inspect import inspect
from relance.media.sniff import sniff

IMAGES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "DIB": "image/x-dib",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "ICO": "image/x-icon",
    "ICNS": "image/icns",
    "AVIF": "image/avif",
    "SGI": "image/sgi",
}
VIDEOS = [
    ("mp4", "libx264", "video/mp4"),
    ("3gp", "mpeg4", "video/3gpp"),
    ("mov", "libx264", "video/quicktime"),
    ("avi", "mpeg4", "video/x-msvideo"),
    ("matroska", "libx264", "video/x-matroska"),
    ("webm", "libvpx", "video/webm"),
    ("flv", "flv", "video/x-flv"),
    ("mpeg", "mpeg2video", "video/mpeg"),
    ("mpeg2video", "mpeg2video", "video/mpeg"),
    ("mpegts", "mpeg2video", "video/mp2t"),
    ("asf", "wmv2", "video/x-ms-wmv"),
]


def video(container, codec):
    stream = BytesIO()
    with av.open(stream, "w", format=container) as output:
        track = output.add_stream(codec, rate=25)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for level in range(0, 250, 10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            output.mux(track.encode(picture))
        output.mux(track.encode())
    return stream.getvalue()


@pytest.mark.parametrize(("name", "media_type"), IMAGES.items(), ids=IMAGES)
def test_an_image_is_told_by_its_content_and_can_be_inspected(name, media_type):
    stream = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(stream, name)
    assert sniff(stream.getvalue()) == media_type
    facts = inspect(stream.getvalue(), "x")
    assert (facts.kind, facts.media_type, facts.frames, facts.duration_s) == ("image", media_type, 1, 0)
    assert facts.width == facts.height
    assert facts.size == len(stream.getvalue())


@pytest.mark.parametrize(("container", "codec", "media_type"), VIDEOS, ids=[name for name, _, _ in VIDEOS])
def test_a_video_is_told_by_its_content_and_can_be_inspected(container, codec, media_type):
    data = video(container, codec)
    assert sniff(data) == media_type
    facts = inspect(data, "x")
    assert (facts.kind, facts.media_type, facts.width, facts.height) == ("video", media_type, 64, 48)
    assert facts.frames in {0, 25}  # not every container counts them
    assert facts.duration_s == 0 or 0.7 < facts.duration_s <= 1.1
    assert facts.codec


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0isomM4A ", "audio/mp4"),
        (b"\0\0\0\x08wide\0\0\x10\0mdat", "video/quicktime"),
        (b"MM\0+\0\x08\0\0", "image/tiff"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<!DOCTYPE html><p>", "text/html"),
        (b"\xef\xbb\xbf\r\n<!-- hi --><HTML lang=en>", "text/html"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x" "y"><html>', "text/html"),
        (b"<div>502 Bad Gateway</div>", "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<!DOCTYPE svg [<!ENTITY a "b">]><svg:svg>', "image/svg+xml"),
        (b'<?xml version="1.0"?><feed>', "application/xml"),
        (b' {"code": "NotFound"}', "application/json"),
        (b"[1, 2]", "application/json"),
        (b"[]", "application/json"),
    ],
)
def test_what_pillow_and_ffmpeg_do_not_write_here_is_told_as_well(data, media_type):
    assert sniff(data) == media_type


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BMW builds cars in Munich, and has since 1916.",
        b"The free skip wide",
        b"Use free software",
        b"a < b and c > d",
        b"{ not json }",
        b"[note] to self",
        b"G" + b"x" * 600,
        b"RIFF\0\0\0\0WAVEfmt ",
        b"\0\0\x01\0\0\0",
        b"\xff\xd8",
    ],
)
def test_texts_and_fragments_are_not_taken_for_media(data):
    assert sniff(data) == ""


@given(st.binary(max_size=600))
def test_any_bytes_get_an_answer(data):
    assert isinstance(sniff(data), str)


@given(
    st.sampled_from(
        [b"<", b"<?xml", b"<!--", b"{", b"[", b"RIFF", b"\0\0\0\x18ftyp", b"BM", b"\x1a\x45\xdf\xa3", b"GIF89a"]
    ),
    st.binary(max_size=300),
)
def test_any_bytes_after_a_known_beginning_get_an_answer(beginning, data):
    assert isinstance(sniff(beginning + data), str)


def test_only_the_beginning_is_read():
    data = b"<!-- " + b"-" * 5_000 + b" --><svg>"
    assert sniff(data) == ""
    assert sniff(b"<svg>" + bytes(50_000_000)) == "image/svg+xml"
