"""Pictures of any format, turned, cut out, in other colours, moving, and films: what the model sees of each is right."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from media_rows import media_rows, reasons
from PIL import Image, ImageCms, ImageDraw

from relance.errors import InputError
from relance.media.films import key_frames
from relance.media.inspect import inspect
from relance.media.plain import is_plain
from relance.media.prepare import evenly, film_copies, picture_copies
from relance.media.rules import MediaRules

ORIENTATION = 0x0112
RULES = MediaRules(
    image_formats=frozenset({"image/jpeg", "image/png", "image/bmp"}),
    video_formats=frozenset({"video/mp4"}),
    max_image_bytes=3 << 20,
    max_video_bytes=10 << 20,
    views=8,
)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def scene() -> Image.Image:
    """A wide picture with another colour in each corner, so that no turn of it looks the same."""
    image = Image.new("RGB", (64, 40), (200, 30, 30))
    draw = ImageDraw.Draw(image)
    draw.rectangle((32, 0, 63, 19), fill=(30, 160, 60))
    draw.rectangle((0, 20, 31, 39), fill=(40, 60, 200))
    draw.rectangle((32, 20, 63, 39), fill=(250, 220, 40))
    return image


def turned(orientation: int) -> tuple[Image.Image, Image.Exif]:
    """Store a scene as a camera does that was held otherwise, with the tag that says how to turn it back."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return scene().transpose(undo[orientation]) if orientation > 1 else scene(), exif


def cut_out(mode: str = "RGBA") -> tuple[Image.Image, Image.Image]:
    """Make a disc on nothing (on black, for those who do not look at alpha), and the same on white."""
    disc = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    white = Image.new("RGB", (40, 40), "white")
    for image in (disc, white):
        ImageDraw.Draw(image).rectangle((10, 10, 29, 29), fill=(200, 30, 30))
    return disc.convert(mode), white


def other_profile() -> bytes:
    """Make a profile whose red and blue are exchanged: who ignores it sees a red picture in blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[48:80] = bytes(32)
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


def sent(data: bytes, rules: MediaRules = RULES, **options: Any) -> list[Image.Image]:
    """Return the pictures that a model gets of a file."""
    copies = picture_copies(data, inspect(data, "a"), rules, **options)
    files = copies.data if copies is not None and copies.data else (data,)
    return [Image.open(BytesIO(each)) for each in files]


def same(image: Image.Image, other: Image.Image, *, within: int = 0) -> bool:
    one, two = (np.asarray(each.convert("RGB"), int) for each in (image, other))
    return one.shape == two.shape and int(np.abs(one - two).max()) <= within


def near(image: Image.Image, other: Image.Image) -> bool:
    one, two = (np.asarray(each.convert("RGB"), int) for each in (image, other))
    return one.shape == two.shape and float(np.abs(one - two).mean()) < 5


# -- exactly the same picture ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        saved(scene(), "WEBP", lossless=True),
        saved(scene(), "TIFF"),
        saved(scene(), "TIFF", compression="tiff_lzw"),
        saved(scene(), "GIF"),
        saved(scene(), "SGI"),
        saved(scene(), "PNG"),
        *(saved(turned(n)[0], "WEBP", lossless=True, exif=turned(n)[1]) for n in range(1, 9)),
        *(saved(turned(n)[0], "PNG", exif=turned(n)[1]) for n in (3, 6)),
        saved(turned(8)[0], "TIFF", exif=turned(8)[1]),
        saved(scene().convert("RGBA"), "PNG"),
        saved(scene().quantize(8), "PNG"),
    ],
    ids=lambda _: "picture",  # bytes are no names, and a profile has the time in it
)
def test_the_same_picture_in_any_format_and_turn_is_sent_as_the_same_pixels(data: bytes) -> None:
    (image,) = sent(data)
    assert same(image, scene())
    assert image.getexif().get(ORIENTATION, 1) == 1


def test_avif_is_converted() -> None:
    (image,) = sent(saved(scene(), "AVIF", quality=100))
    assert image.format == "PNG"
    assert near(image, scene())


def test_heic_is_converted() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heic")
    stream = BytesIO()
    try:
        heif.from_pillow(scene()).save(stream, quality=100)
    except RuntimeError:
        pytest.skip("this libheif has no encoder")
    (image,) = sent(stream.getvalue())
    assert image.format == "PNG"
    assert near(image, scene())


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photograph_of_a_turned_camera_is_sent_upright(orientation: int) -> None:
    image, exif = turned(orientation)
    (upright,) = sent(saved(image, "JPEG", exif=exif, quality=95, subsampling=0))
    (plain,) = sent(saved(scene(), "JPEG", quality=95, subsampling=0))
    assert upright.format == "PNG", "nothing more is lost"
    assert same(upright, plain, within=30)


@pytest.mark.parametrize(("name", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("PNG", "LA"), ("TIFF", "RGBA")])
def test_what_is_cut_out_is_sent_on_white(name: str, mode: str) -> None:
    disc, white = cut_out(mode)
    (image,) = sent(saved(disc, name, **({"lossless": True} if name == "WEBP" else {})))
    assert same(image, white.convert("L") if mode == "LA" else white)


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([0, 0, 0, 200, 30, 30])
    picture.paste(1, (5, 5, 15, 15))
    (image,) = sent(saved(picture, "PNG", transparency=0))
    assert (image.getpixel((0, 0)), image.getpixel((10, 10))) == ((255, 255, 255), (200, 30, 30))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_colours_of_another_profile_are_brought_to_srgb(name: str) -> None:
    options = {"lossless": True} if name == "WEBP" else {"quality": 95} if name == "JPEG" else {}
    (image,) = sent(saved(Image.new("RGB", (32, 32), (220, 20, 20)), name, icc_profile=other_profile(), **options))
    pixel: Any = image.convert("RGB").getpixel((16, 16))
    red, _, blue = pixel
    assert blue > 150 > red
    assert "icc_profile" not in image.info


def test_a_damaged_profile_and_one_of_other_channels_are_ignored() -> None:
    grey = saved(scene().convert("L"), "TIFF", icc_profile=other_profile())
    assert same(sent(grey)[0], scene().convert("L"))
    assert same(sent(saved(scene(), "TIFF", icc_profile=b"no profile"))[0], scene())
    cmyk = saved(scene().convert("CMYK"), "TIFF", icc_profile=other_profile())
    assert same(sent(cmyk)[0], scene(), within=3)


# -- as it is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        saved(scene(), "JPEG"),
        saved(scene(), "PNG"),
        saved(scene(), "BMP"),
        saved(scene().convert("RGBA"), "PNG"),  # nothing shows through
        saved(scene(), "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        saved(scene(), "PNG", icc_profile=b"no profile"),
        saved(turned(1)[0], "JPEG", exif=turned(1)[1]),
    ],
    ids=lambda _: "picture",  # bytes are no names, and a profile has the time in it
)
def test_what_the_model_takes_and_sees_right_is_sent_as_it_is(data: bytes) -> None:
    assert picture_copies(data, inspect(data, "a"), RULES) is None
    assert is_plain(data, inspect(data, "a"))


def test_a_model_that_takes_a_format_gets_it() -> None:
    data = saved(scene(), "WEBP")
    rules = replace(RULES, image_formats=RULES.image_formats | {"image/webp"})
    assert picture_copies(data, inspect(data, "a"), rules) is None


def test_without_leave_to_scale_a_copy_keeps_its_pixels_or_is_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(7).integers(0, 255, (200, 200, 3), np.uint8))
    data = saved(noise, "TIFF")
    (image,) = sent(data, replace(RULES, max_image_bytes=40_000))
    assert (image.format, image.size) == ("JPEG", (200, 200))
    with pytest.raises(InputError, match=r"still .* 200 × 200 pixels.*media\.oversize: scale"):
        sent(data, replace(RULES, max_image_bytes=5_000))
    (image,) = sent(data, replace(RULES, max_image_bytes=5_000), scale=True)
    assert image.width < 200


def test_a_damaged_picture_and_a_model_without_pictures() -> None:
    data = saved(scene(), "WEBP")
    with pytest.raises(InputError, match="cannot be decoded"):
        picture_copies(data[:-80], inspect(data, "a"), RULES)
    data = saved(cut_out()[0], "PNG")
    with pytest.raises(InputError, match="cannot be decoded"):
        picture_copies(data[: len(data) // 2], inspect(data, "a"), RULES)
    assert picture_copies(data, inspect(data, "a"), replace(RULES, image_formats=frozenset())) is None


# -- what moves --------------------------------------------------------------------------------------------------


def moving(name: str, frames: int, **options: Any) -> bytes:
    images = [Image.new("RGB", (32, 32), (10 * n, 0, 200 - 10 * n)) for n in range(frames)]
    return saved(images[0], name, save_all=True, append_images=images[1:], duration=50, **options)


@pytest.mark.parametrize("name", ["GIF", "WEBP"])
def test_of_what_moves_the_first_frame_or_several_are_sent_and_that_is_said(name: str) -> None:
    options = {"lossless": True} if name == "WEBP" else {}
    data = moving(name, 12, **options)
    copies = picture_copies(data, inspect(data, "a"), RULES)
    assert copies is not None
    assert (len(copies.data), copies.mark, copies.warning) == (1, "", "it moves: the first of 12 frames is embedded")
    images = sent(data, animated="frames")
    assert [image.convert("RGB").getpixel((5, 5))[0] for image in images] == [10 * n for n in evenly(12, 8)]
    copies = picture_copies(data, inspect(data, "a"), RULES, animated="frames")
    assert copies is not None
    assert (copies.mark, copies.warning) == ("frames:8", "it moves: 8 of 12 frames are embedded")
    few = picture_copies(moving(name, 3, **options), inspect(moving(name, 3, **options), "a"), RULES, animated="frames")
    assert few is not None
    assert (len(few.data), few.warning) == (3, "")
    assert len(sent(data, replace(RULES, views=1), animated="frames")) == 1


def test_what_moves_and_is_taken_as_it_is_says_so_too() -> None:
    data = moving("PNG", 3)
    copies = picture_copies(data, inspect(data, "a"), RULES)
    assert copies is not None
    assert (copies.data, copies.warning) == ((), "it moves: the first of 3 frames is embedded")


def test_places_are_spread_from_the_first_on() -> None:
    assert (evenly(3, 8), evenly(16, 4), evenly(1, 1)) == ([0, 1, 2], [0, 4, 8, 12], [0])


# -- films -------------------------------------------------------------------------------------------------------


def film(seconds: int = 3, rate: int = 10) -> bytes:
    """Film colours that change every second, a key frame each."""
    import av

    stream = BytesIO()
    with av.open(stream, "w", format="mp4") as output:
        track = output.add_stream("libx264", rate=rate, options={"g": str(rate), "sc_threshold": "0"})
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for second in range(seconds):
            colour = np.full((48, 64, 3), (80 * second, 120, 40), np.uint8)
            for _ in range(rate):
                output.mux(track.encode(av.VideoFrame.from_ndarray(colour, format="rgb24")))
        output.mux(track.encode())
    return stream.getvalue()


def test_key_frames_are_spread_over_a_film() -> None:
    data = film()
    frames = [Image.open(BytesIO(each.data)) for each in key_frames(data, inspect(data, "a"), 3)]
    assert [round(image.getpixel((30, 20))[0] / 80) for image in frames] == [0, 1, 2]
    assert {image.size for image in frames} == {(64, 48)}
    assert [each.moment_s for each in key_frames(data, inspect(data, "a"), 3)] == [0.0, 1.0, 2.0]
    assert len(key_frames(data, inspect(data, "a"), 30)) == 3, "each once"
    assert len(key_frames(data, replace(inspect(data, "a"), duration_s=0.0), 8)) == 1


def test_key_frames_stand_for_a_film_where_the_model_takes_sets() -> None:
    data = film()
    copies = film_copies(data, inspect(data, "a"), RULES)
    assert (len(copies.data), copies.mark) == (3, "key-frames:3")
    assert copies.warning == "a film of 3 s: 3 of its key frames are embedded"
    assert set(copies.media_types) <= RULES.image_formats
    with pytest.raises(InputError, match="no sets of pictures"):
        film_copies(data, inspect(data, "a"), replace(RULES, views=1))
    with pytest.raises(InputError, match=r"cannot be decoded|no key frame"):
        film_copies(data[:400] + bytes(len(data) - 400), inspect(data, "a"), RULES)


# -- in an index, with the vectors of the emulator ---------------------------------------------------------------


def test_pictures_that_look_the_same_have_the_same_vectors_in_an_index(gallery: Any) -> None:
    disc, white = cut_out()
    gallery.write("pics/upright.webp", saved(scene(), "WEBP", lossless=True))
    gallery.write("pics/turned.webp", saved(turned(6)[0], "WEBP", lossless=True, exif=turned(6)[1]))
    gallery.write("pics/turned.tiff", saved(turned(8)[0], "TIFF", exif=turned(8)[1]))
    gallery.write("pics/turned.png", saved(turned(3)[0], "PNG", exif=turned(3)[1]))
    gallery.write("pics/disc.png", saved(disc, "PNG"))
    gallery.write("pics/white.tiff", saved(white, "TIFF"))
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.failed) == (6, 0)
    vectors = {uri.rpartition("/")[2]: row["vector"] for uri, row in media_rows(index).items()}
    assert vectors["upright.webp"] == vectors["turned.webp"] == vectors["turned.tiff"] == vectors["turned.png"]
    assert vectors["disc.png"] == vectors["white.tiff"] != vectors["upright.webp"]


def test_a_picture_by_address_that_a_camera_turned_is_seen_upright(gallery: Any, web: Any) -> None:
    turned_data = saved(turned(6)[0], "JPEG", exif=turned(6)[1], quality=95)
    pages = web.put("/1.jpg", turned_data), web.put("/2.jpg", saved(scene(), "JPEG"))
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},\n" for n, url in enumerate(pages, 1)))
    index = gallery.index()
    report = index.ingest()
    assert (report.media.added, [each.reason for each in report.media.failures]) == (2, [])
    rows = media_rows(index)
    assert (rows["m.csv#1"]["width"], rows["m.csv#1"]["height"]) == (64, 40)
    one, two = (rows[f"m.csv#{n}"]["vector"].values for n in (1, 2))
    assert float(one @ two) > 0.99


def test_films_and_what_moves_become_sets_where_the_spec_allows_it(gallery: Any) -> None:
    gallery.write("pics/a.mp4", film())
    gallery.write("pics/b.gif", moving("GIF", 4))
    index = gallery.index(media=gallery.media(oversize="scale", animated="frames"))
    report = index.ingest()
    assert (report.media.added, report.media.failed) == (2, 0)
    rows = media_rows(index)
    assert {uri: row["kind"] for uri, row in rows.items()} == {"pics/a.mp4": "video", "pics/b.gif": "images"}
    assert rows["pics/a.mp4"]["duration_s"] == pytest.approx(3.0)
    assert any("3 of its key frames are embedded" in each.reason for each in report.media.warnings)
    refused = gallery.index("db2", media=gallery.media())
    assert refused.ingest().media.failed == 1
    assert "by its address only" in reasons(refused)["pics/a.mp4"]
