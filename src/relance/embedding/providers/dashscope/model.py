"""What a row of the table of models says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from relance.embedding.providers.dashscope.pages import Page
from relance.media.rules import MediaRules

__all__ = ["Fusion", "MediaSide", "Model", "Offer"]


@dataclass(slots=True, frozen=True)
class Offer:
    """What one region offers of a model; 0 is: no limit published.

    Attributes:
        price: US dollars per million tokens of text; None where it is not published.
        requests_per_minute: limit of an account, all its keys together.
        tokens_per_minute: the same.
        media_price: US dollars per million tokens of images and video, where that is another.
        batch_price: US dollars per million tokens by the Batch file API, where that is published.
        free_tokens: given once to a new account, for 90 days.
        dimensions: where fewer can be had than elsewhere.
        page: of the vendor, that the price is from; the limits, where another page has them, are from `pages.LIMITS`.
    """

    price: float | None
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    media_price: float | None = None
    batch_price: float | None = None
    free_tokens: int = 0
    dimensions: tuple[int, ...] = ()
    page: Page | None = None


# How an image and its caption become one vector: not at all; in one object of `contents`; by `enable_fusion`, which
# makes one vector of the whole request; or whether one wants it or not.
Fusion = Literal["", "object", "parameter", "always"]


@dataclass(slots=True, frozen=True)
class MediaSide:
    """What a multimodal model takes besides text.

    Attributes:
        rules: what images and videos have to be like.
        per_request: at most so many of a kind in one request.
        images: pictures of one request, those in sets (`multi_images`) included.
        fusion: how picture and caption become one vector.
        sets: whether it takes `multi_images`.
        image_tokens: an image is billed as, roughly: the vendor's sample replies.
        levels: what an image is billed as at each `res_level`, 1 the default; empty where there are none. With them
            goes `max_video_frames`.
        video_tokens: the same of a video; no page says, so it is taken as the eight frames that are the default of
            the models that have one.
    """

    rules: MediaRules
    per_request: Mapping[str, int]
    images: int
    fusion: Fusion = ""
    sets: bool = False
    image_tokens: int = 896
    video_tokens: int = 8 * 896
    levels: tuple[int, ...] = ()


@dataclass(slots=True, frozen=True)
class Model:
    """A row of the table.

    Attributes:
        name: as the service knows it.
        dimensions: lengths a vector may have, the default first; a single one means that the request may not say it.
        max_tokens: of one text, as the service counts them.
        batch_inputs: texts (or contents) of one request.
        batch_tokens: of one request; 0 is no limit published.
        sparse: whether it makes sparse vectors.
        instruct: whether it heeds an instruction.
        offers: region → what it offers.
        media: what it takes besides text; None for a text model.
    """

    name: str
    dimensions: tuple[int, ...]
    max_tokens: int
    batch_inputs: int
    batch_tokens: int = 0
    sparse: bool = False
    instruct: bool = False
    offers: Mapping[str, Offer] = field(default_factory=dict)
    media: MediaSide | None = None
