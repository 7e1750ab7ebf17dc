"""The `contents` of a multimodal request: what a text, image or video is sent as."""

from __future__ import annotations

import base64
from typing import Any

from relance.documents import Media
from relance.embedding.providers import Input
from relance.embedding.providers.dashscope.model import MediaSide
from relance.errors import InputError

__all__ = ["Content", "check_contents", "contents_of", "fits", "has_uploads"]

# One element of `contents`: {"text": …}, {"image": …}, {"video": …}, {"multi_images": […]}, or several keys in one
# object, which are made one vector.
Content = dict[str, Any]

# What the type of a vector in the reply then is, unless it is `vl`, `fused` or `fusion`.
PLAIN_TYPES = frozenset({"text", "image", "video", "multi_images"})
UPLOADED = "oss://"
ADDRESSES = ("http://", "https://", UPLOADED)
# What a data URI has to call a bitmap without file header.
DATA_TYPES = {"image/x-dib": "image/bmp"}


def contents_of(value: Input, side: MediaSide, *, fuse: bool) -> list[Content]:
    """Return what one input is sent as: one element, or several where the whole request becomes one vector.

    Args:
        value: what is embedded.
        side: what the model takes.
        fuse: whether a caption becomes part of the vector; without it captions are left out.

    Raises InputError for what the model does not take.
    """
    if isinstance(value, str):
        return [{"text": value}]
    sources = [*(_address(url) for url in value.urls), *_data(value)]
    if not sources or (value.kind != "images" and len(sources) > 1):
        raise InputError(f"A request needs one file or address for {_named(value)}, not {len(sources)}.")
    whole = fuse and side.fusion in {"parameter", "always"}
    media: list[Content]
    if value.kind == "images" and side.sets:
        media = [{"multi_images": sources}]
    elif value.kind == "images" and not (whole and side.fusion == "parameter"):
        raise InputError("The model takes no sets of images; give them one by one.")
    else:
        key = "video" if value.kind == "video" else "image"
        media = [{key: source} for source in sources]
    if not (fuse and value.caption):
        return media
    if whole:
        return [{"text": value.caption}, *media]
    if value.kind == "images":  # no page says that a set can stand beside a text in one object
        raise InputError(
            "The model fuses a caption with one image or video, not with a set; give the images one by one."
        )
    return [{"text": value.caption, **media[0]}]


def check_contents(contents: list[Content], side: MediaSide) -> None:
    """Raise InputError where a request has more pictures or videos than the model takes, before it is spent."""
    pictures = sum(("image" in each) + len(each.get("multi_images", ())) for each in contents)
    if pictures > side.images:
        raise InputError(f"The model takes {side.images} image{'s' * (side.images > 1)} at once, not {pictures}.")
    videos, most = sum("video" in each for each in contents), side.per_request["video"]
    if videos > most:
        raise InputError(f"The model takes {most} video{'s' * (most > 1)} at once, not {videos}.")


def has_uploads(contents: list[Content]) -> bool:
    """Tell whether any address is of a file lent to the service, which then has to be asked to resolve it."""
    sources = [source for each in contents for source in each.values()]
    return any(
        str(part).startswith(UPLOADED)
        for source in sources
        for part in (source if isinstance(source, list) else [source])
    )


def fits(contents: list[Content], kind: Any) -> bool:
    """Tell whether the `type` of a vector can be that of what was sent; several models have names of their own.

    A plain type for what should have been fused means that a part of it was dropped.
    """
    if not (isinstance(kind, str) and kind in PLAIN_TYPES):
        return True
    return len(contents) == 1 and list(contents[0]) == [kind]


def _address(url: str) -> str:
    if not url.startswith(ADDRESSES):
        raise InputError(
            f"{url[:80]!r} is no address a service can fetch from; it has to begin with http:// or https://."
        )
    return url


def _data(value: Media) -> list[str]:
    if (value.data or value.files) and value.kind == "video":
        raise InputError("A video is sent by its address only; give a public one.")
    return [
        f"data:{DATA_TYPES.get(media_type, media_type)};base64,{base64.b64encode(data).decode()}"
        for data, media_type in zip(value.contents(), value.media_types, strict=True)
    ]


def _named(value: Media) -> str:
    return "a set of images" if value.kind == "images" else f"{'an' if value.kind == 'image' else 'a'} {value.kind}"
