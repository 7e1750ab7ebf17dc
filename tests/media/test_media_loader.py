"""Looking at images and videos: what is asked, what is checked, and in which form it will be sent."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from relance.documents import digest
from relance.embedding.providers.dashscope.models import MODELS
from relance.errors import DocumentError, RetryableError
from relance.fetch import FetchPolicy
from relance.media.loader import MediaLoader
from relance.media.request import MediaInfo, MediaRequest, Validators, is_address
from relance.media.sending import Sending

PLUS = MODELS["tongyi-embedding-vision-plus"].media
assert PLUS is not None
RULES = PLUS.rules
POLICY = FetchPolicy(allow=("127.0.0.1",), max_bytes=20 << 20, timeout_s=5, attempts=1)

Open = Callable[..., MediaLoader]


@pytest.fixture
def lookup() -> Generator[Open]:
    """Open lookups that are closed at the end."""
    from contextlib import ExitStack

    with ExitStack() as exits:
        yield lambda policy=POLICY, **options: exits.enter_context(MediaLoader(policy, RULES, Sending(**options)))


def look(*places: str, files: dict[str, bytes] | None = None, public: str = "", known: dict[str, Validators] | None = None,
         same: bool = False) -> MediaRequest:  # fmt: skip
    def read(path: str) -> bytes:
        if path not in (files or {}):
            raise DocumentError(path, "there is no such file")
        return (files or {})[path]

    return MediaRequest("row", places, read, lambda path: public and f"{public}/{path}", known or {}, same)


def found(lookup: MediaLoader, *looks: MediaRequest) -> MediaInfo:
    (result,) = lookup.load(list(looks))
    assert isinstance(result, MediaInfo), result
    return result


def refused(lookup: MediaLoader, wanted: MediaRequest) -> str:
    (result,) = lookup.load([wanted])
    assert isinstance(result, DocumentError), result
    assert result.uri == "row"
    return result.reason


# -- what is asked -----------------------------------------------------------------------------------------------


def test_the_same_content_has_the_same_hash_wherever_it_is(gallery: Any, web: Any, lookup: Open) -> None:
    import base64

    data = gallery.png()
    inline = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    places = ["a.png", web.put("/a.png", data), inline, web.put("/b", data, media_type="text/plain")]
    hashes = {found(lookup(), look(place, files={"a.png": data})).content_hash for place in places}
    assert hashes == {digest("file", data)}


@pytest.mark.parametrize("validator", ["etag", "date", "none"])
def test_what_is_behind_an_address_is_new_or_none(gallery: Any, web: Any, lookup: Open, validator: str) -> None:
    url = web.put("/a.png", gallery.png("red"), validator=validator)
    first = found(lookup(), look(url))
    web.take()
    assert lookup().load([look(url, known=first.known, same=True)]) == [None]
    assert web.take() == [("/a.png", 200 if validator == "none" else 304)]
    web.put("/a.png", gallery.png("blue"), validator=validator)
    second = found(lookup(), look(url, known=first.known, same=True))
    assert second.content_hash != first.content_hash
    assert second.known[url] != first.known[url]


def test_a_thing_that_changed_otherwise_is_fetched_even_if_its_address_has_not(
    gallery: Any, web: Any, lookup: Open
) -> None:
    url = web.put("/a.png", gallery.png())
    first = found(lookup(), look(url))
    again = found(lookup(), look(url, known=first.known, same=False))
    assert (again.content_hash, again.data) == (first.content_hash, first.data)


def test_of_several_addresses_one_new_one_fetches_all(gallery: Any, web: Any, lookup: Open) -> None:
    urls = [web.put(f"/{name}.png", gallery.png(name)) for name in ("red", "green", "blue")]
    first = found(lookup(), look(*urls))
    assert (first.kind, len(first.data), set(first.known)) == ("images", 3, set(urls))
    web.take()
    assert lookup().load([look(*urls, known=first.known, same=True)]) == [None]
    assert [status for _, status in web.take()] == [304] * 3
    web.put("/green.png", gallery.png("white"))
    second = found(lookup(), look(*urls, known=first.known, same=True))
    assert len(second.data) == 3
    assert second.data[::2] == first.data[::2]
    assert second.content_hash != first.content_hash


def test_the_order_of_views_and_their_number_decide_the_hash(gallery: Any, lookup: Open) -> None:
    files = {"a": gallery.png("red"), "b": gallery.png("blue")}
    hashes = [found(lookup(), look(*places, files=files)).content_hash for places in ("a", "ab", "ba", "aa", "aab")]
    assert len(set(hashes)) == len(hashes)


def test_many_are_looked_at_at_once_and_answered_in_order(gallery: Any, web: Any, lookup: Open) -> None:
    colours = ["red", "green", "blue", "white", "black"] * 4
    urls = [web.put(f"/{number}.png", gallery.png(colour)) for number, colour in enumerate(colours)]
    urls.insert(7, web.url + "/gone.png")
    results = lookup().load([look(url) for url in urls])
    assert isinstance(results.pop(7), DocumentError)
    assert [each.content_hash for each in results if isinstance(each, MediaInfo)] == [
        digest("file", gallery.png(colour)) for colour in colours]  # fmt: skip


def test_a_server_in_trouble_is_no_fault_of_the_picture(web: Any, lookup: Open) -> None:
    (result,) = lookup().load([look(web.put("/a.png", b"", status=503))])
    assert isinstance(result, RetryableError)


# -- what is sent ------------------------------------------------------------------------------------------------

Sent = tuple[str, str, str, str]


@pytest.mark.parametrize(
    ("send", "allow", "public", "expected"),
    [  # of a file here, a file with a public address, an address only we reach, one that everybody reaches
        ("auto", True, "", ("data", "data", "data", "")),
        ("auto", False, "", ("data", "data", "", "url")),
        ("data", True, "", ("data", "data", "data", "")),
        ("url", True, "", ("data", "url", "url", "")),
    ],
)
def test_an_image_is_sent_as_it_is_or_by_its_address(
    gallery: Any, web: Any, lookup: Open, monkeypatch: pytest.MonkeyPatch, send: str, allow: bool, public: str,
    expected: Sent,
) -> None:  # fmt: skip
    """`auto` sends public addresses; a host that is named under `allow` is not public."""
    data = gallery.png()
    here, published, private, open_to_all = expected
    url = web.put("/a.png", data)
    opened = lookup(send=send)
    cases = [(here, look("a.png", files={"a.png": data})),
             (published, look("a.png", files={"a.png": data}, public="https://cdn.example.com"))]  # fmt: skip
    if private:
        cases.append((private, look(url)))
    if open_to_all:
        monkeypatch.setattr(FetchPolicy, "allows_url", lambda *_: False)  # nothing here has an address for everybody
        cases.append((open_to_all, look(url)))
    for form, wanted in cases:
        result = found(opened, wanted)
        assert (bool(result.data), bool(result.urls)) == (form == "data", form == "url")
        assert result.media_types == (("image/png",) if form == "data" else ())
        if form == "url":
            assert result.urls == (url if wanted.places == (url,) else "https://cdn.example.com/a.png",)


@pytest.mark.parametrize(
    ("entry", "private"),
    [("media.example", True), ("MEDIA.example:8000", True), ("*.example", True), ("media.example:9", False)],
)
def test_a_host_is_private_if_allow_names_it_however_the_address_is_written(entry: str, private: bool) -> None:
    policy = replace(POLICY, allow=(entry,))
    for host in ("media.example", "Media.EXAMPLE", "media.example."):
        assert policy.allows_url(f"http://{host}:8000/a.png") is private


def test_a_video_needs_an_address_and_is_never_sent_itself(gallery: Any, web: Any, lookup: Open) -> None:
    film = gallery.mp4(seconds=2)
    files = {"a.mp4": film}
    assert "public_url" in refused(lookup(), look("a.mp4", files=files))
    there = found(lookup(), look("a.mp4", files=files, public="https://cdn.example.com"))
    assert (there.kind, there.urls, there.data, there.duration_s) == (
        "video", ("https://cdn.example.com/a.mp4",), (), 2.0)  # fmt: skip
    url = web.put("/a.mp4", film, media_type="application/octet-stream")
    for send in ("auto", "data", "url"):
        assert found(lookup(send=send), look(url)).urls == (url,)


def test_several_views_are_images_all_sent_the_same_way(gallery: Any, web: Any, lookup: Open) -> None:
    url = web.put("/a.png", gallery.png())
    files = {"a.png": gallery.png("blue"), "a.mp4": gallery.mp4()}
    mixed = look("a.png", url, files=files)
    assert found(lookup(), mixed).kind == "images"
    assert "media.send" in refused(lookup(send="url"), mixed)
    film = look("a.png", "a.mp4", files=files, public="https://cdn.example.com")
    assert "own row" in refused(lookup(), film)


def test_an_image_that_is_scaled_is_described_as_it_was(gallery: Any, lookup: Open) -> None:
    data = gallery.png("red", size=(40, 40), form="WEBP")
    wanted = look("a.webp", files={"a.webp": data})
    there = look("a.webp", files={"a.webp": data}, public="https://cdn.example.com")
    assert "the model takes BMP, JPEG or PNG; convert it, or let media.send be auto" in refused(
        lookup(send="url"), there
    )
    result = found(lookup(), wanted)
    assert (result.media_type, result.size, result.content_hash) == ("image/webp", len(data), digest("file", data))
    assert result.media_types[0] in {"image/jpeg", "image/png"}
    assert result.data[0] != data


# -- what is said ------------------------------------------------------------------------------------------------


def test_a_reason_names_the_file_at_fault(gallery: Any, web: Any, lookup: Open) -> None:
    lie = web.put("/lie.png", b"<html></html>")
    reason = refused(lookup(), look("a.png", lie, files={"a.png": gallery.png()}))
    assert reason.startswith(f"{lie}: named like image/png, but ")
    assert refused(lookup(), look("gone.png")) == "gone.png: there is no such file"
    small = look("row", files={"row": gallery.png(size=(9, 9))})
    assert refused(lookup(), small).startswith("9 × 9 pixels"), "its own name stands before the reason already"
    assert len(refused(lookup(), look("data:image/png;base64," + "A" * 4000))) < 300


@pytest.mark.parametrize(
    ("place", "asked"),
    [("http://a/b", True), ("HTTPS://a/b", True), ("a://b", False), ("pics/http://x", False), ("ftp://a/b", False),
     ("data:image/svg+xml,<svg xmlns='http://x'/>", False), ("a.png", False)],
)  # fmt: skip
def test_only_web_addresses_are_asked(place: str, asked: bool) -> None:
    assert is_address(place) is asked


# -- guessing ----------------------------------------------------------------------------------------------------


def hashes(results: Sequence[Any]) -> list[str]:
    return [each.content_hash for each in results]


def test_a_guess_is_what_would_be_found_wherever_that_is_known(gallery: Any, web: Any, lookup: Open) -> None:
    files = {"a.png": gallery.png("red")}
    urls = [web.put("/1.png", gallery.png("blue")), web.put("/2.png", gallery.png("white"))]
    looks = [look("a.png", files=files), look(urls[0]), look(urls[0], "a.png", files=files), look(*urls)]
    opened = lookup()
    seen = opened.load(looks)
    known = [replace(each, known=result.known) for each, result in zip(looks, seen, strict=True)]
    web.take()
    assert hashes([opened.guess(each) for each in known]) == hashes(seen), "the caption may have changed"
    same = [opened.guess(replace(each, same=True)) for each in known]
    assert [each is None for each in same] == [False, True, True, True]
    assert web.take() == []


def test_a_guess_never_takes_two_addresses_for_one(web: Any, lookup: Open) -> None:
    results = [lookup().guess(look(f"{web.url}/{name}.png")) for name in "abc"]
    assert len(set(hashes(results))) == 3


def test_a_guess_tells_videos_by_their_names(lookup: Open) -> None:
    guess = lookup().guess
    kinds = {}
    for place in ("https://example.com/a.mp4?x=1", "https://example.com/a.png", "https://example.com/a"):
        result = guess(look(place))
        assert isinstance(result, MediaInfo)
        kinds[place.rpartition("/")[2]] = result.kind
    assert kinds == {"a.mp4?x=1": "video", "a.png": "image", "a": "image"}
    assert isinstance(guess(look("gone.png")), DocumentError)
    assert isinstance(guess(look("data:image/png;base64,!")), DocumentError)


def test_a_guess_finds_what_would_be_refused_without_spending_anything(gallery: Any, lookup: Open) -> None:
    tiny = look("tiny.png", files={"tiny.png": gallery.png("red", (4, 4))})
    assert isinstance(lookup().guess(tiny), DocumentError)
    assert isinstance(lookup(scale=True).guess(look("a.png", files={"a.png": gallery.png("red")})), MediaInfo)
