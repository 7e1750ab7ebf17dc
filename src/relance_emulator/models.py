"""The models and their limits.

Written down independently of the client's table in `relance.embedding.providers`, on purpose: a slip in one shows
against the other. Sources: the vendor's embedding, multimodal, batch and rate limit pages, error texts that users
reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from relance_emulator.config import Rate

__all__ = ["MODELS", "RERANKERS", "AsyncModel", "Model", "MultimodalModel", "RerankModel", "TextModel"]

MB = 1 << 20
EVERYWHERE = frozenset({"beijing", "singapore", "hongkong", "us"})
BEIJING = frozenset({"beijing"})
TWO = frozenset({"beijing", "singapore"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What all models have.

    Attributes:
        dimensions: those `dimension` accepts; empty where the parameter is ignored.
        dimension: the default.
        rates: published limits by region.
    """

    name: str
    dimension: int
    dimensions: tuple[int, ...] = ()
    regions: frozenset[str] = BEIJING
    rates: dict[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel(Model):
    """A text model.

    Attributes:
        called: what the message about a wrong dimension calls it and allows, which is not what it is and does.
        texts: per call.
        tokens: per text.
        end_tokens: billed per text on top of its own.
        newer: whether it knows `output_type`.
    """

    texts: int
    tokens: int
    end_tokens: int = 1
    newer: bool = True
    called: tuple[str, tuple[int, ...]] = ("", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncModel(Model):
    """A model that takes files of texts, one a line."""

    lines: int = 100_000
    tokens: int = 2048
    file_bytes: int = 200 * MB


STILLS = frozenset({"JPEG", "PNG", "BMP"})
MORE_STILLS = STILLS | {"WEBP", "TIFF", "ICO", "DIB", "ICNS", "SGI"}
CLIPS = frozenset({"mp4", "mpeg", "avi", "mov", "webm", "flv", "matroska"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MultimodalModel(Model):
    """A model for texts, pictures and videos; counts are per call, and 0 is: none.

    Attributes:
        text_tokens: per text.
        image_tokens: billed per image (by `res_level` where there are several); empty bills by the image's size.
        fusion: `no`; `object`: parts in one object become one vector; `option`: `enable_fusion` makes one vector of
            all; `always`: there is only one vector; `single`: likewise, and it is not in a list.
        usage: which fields the bill has.
        kind: what `type` says of a vector that is not fused; empty says what it is of.
    """

    text_tokens: int
    image_bytes: int
    stills: frozenset[str] = STILLS
    video_bytes: int = 10 * MB
    clips: frozenset[str] = CLIPS
    contents: int = 20
    images: int
    videos: int
    views: int = 0
    frames: int = 8
    image_tokens: tuple[int, ...] = (896,)
    fusion: Literal["no", "object", "option", "always", "single"] = "no"
    usage: Literal["tongyi", "v1", "qwen3", "qwen2.5"] = "tongyi"
    kind: str = ""
    output_only_dense: bool = True


_V4 = (2048, 1536, 1024, 768, 512, 256, 128, 64)
_ALL = dict.fromkeys(("beijing",), Rate(1800, 1_200_000))

_TEXT = [
    TextModel(
        name="text-embedding-v4",
        dimension=1024,
        dimensions=_V4,
        called=("v3", (64, 128, 256, 512, 768, 1024, 1536, 2048, 3072)),
        texts=10,
        tokens=8192,
        regions=EVERYWHERE,
        rates={**_ALL, "singapore": Rate(1800, 1_000_000), "hongkong": Rate(1800, 1_000_000)},
    ),
    TextModel(
        name="text-embedding-v3",
        dimension=1024,
        dimensions=(1024, 768, 512, 256, 128, 64),
        called=("v3", (64, 128, 256, 512, 768, 1024)),
        texts=10,
        tokens=8192,
        regions=TWO,
        rates={**_ALL, "singapore": Rate(6000, 24_000_000)},
    ),
    *(
        TextModel(name=name, dimension=1536, texts=25, tokens=2048, end_tokens=0, newer=False, rates=_ALL)
        for name in ("text-embedding-v2", "text-embedding-v1")
    ),
    TextModel(
        name="qwen3.7-text-embedding",
        dimension=1024,
        dimensions=(2560, 2048, 1536, 1024, 768, 512, 256),
        texts=20,
        tokens=128_000,
        regions=TWO,
    ),
    TextModel(
        name="qwen3.7-text-embedding-flash",
        dimension=1024,
        dimensions=(1024, 768, 512, 256),
        texts=20,
        tokens=128_000,
    ),
]
_ASYNC = [AsyncModel(name=f"text-embedding-async-{version}", dimension=1536) for version in ("v1", "v2")]

_TONGYI = {"beijing": Rate(600, 200_000)}
_VL = {"beijing": Rate(1200, 600_000)}
_LEVELS = (127, 402, 578, 1026)
_MULTIMODAL = [
    # The vendor's pages disagree on `dimension` for the two undated models; this accepts what the widest one lists.
    MultimodalModel(
        name="tongyi-embedding-vision-plus",
        dimension=1152,
        dimensions=(1152, 1024, 512, 256, 128, 64),
        regions=TWO,
        rates=_TONGYI,
        text_tokens=1024,
        image_bytes=3 * MB,
        images=8,
        videos=8,
        views=8,
    ),
    MultimodalModel(
        name="tongyi-embedding-vision-flash",
        dimension=768,
        dimensions=(768, 512, 256, 128, 64),
        regions=TWO,
        rates=_TONGYI,
        text_tokens=1024,
        image_bytes=3 * MB,
        images=8,
        videos=8,
        views=8,
    ),
    *(
        MultimodalModel(
            name=f"tongyi-embedding-vision-{size}-2026-03-06",
            dimension=dimensions[0],
            dimensions=dimensions,
            text_tokens=1024,
            image_bytes=10 * MB,
            stills=MORE_STILLS,  # the page names no formats for these two
            video_bytes=50 * MB,
            images=64,
            videos=8,
            views=64,
            image_tokens=_LEVELS,
            fusion="object",
        )
        for size, dimensions in (("plus", (1152, 1024, 512, 256, 128, 64)), ("flash", (768, 512, 256, 128, 64)))
    ),
    MultimodalModel(
        name="multimodal-embedding-v1",
        dimension=1024,
        rates={"beijing": Rate(120, 200_000)},
        text_tokens=512,
        image_bytes=3 * MB,
        images=1,
        videos=1,
        usage="v1",
    ),
    MultimodalModel(
        name="qwen3-vl-embedding",
        dimension=2560,
        dimensions=(2560, 2048, 1536, 1024, 768, 512, 256),
        rates=_VL,
        text_tokens=32_768,
        image_bytes=10 * MB,
        stills=MORE_STILLS,
        video_bytes=50 * MB,
        clips=frozenset({"mp4", "avi", "mov"}),
        images=5,
        videos=1,
        image_tokens=(),
        fusion="option",
        usage="qwen3",
        kind="vl",
    ),
    MultimodalModel(
        name="qwen2.5-vl-embedding",
        dimension=1024,
        dimensions=(2048, 1024, 768, 512),
        rates=_VL,
        text_tokens=32_768,
        image_bytes=5 * MB,
        stills=MORE_STILLS,
        video_bytes=50 * MB,
        images=1,
        videos=1,
        image_tokens=(),
        fusion="always",
        usage="qwen2.5",
    ),
    MultimodalModel(
        name="multimodal-embedding-one-peace-v1",
        dimension=1536,
        text_tokens=512,
        image_bytes=5 * MB,
        images=1,
        videos=0,
        fusion="single",
        usage="v1",
    ),
]

MODELS: dict[str, TextModel | AsyncModel | MultimodalModel] = {
    model.name: model for model in [*_TEXT, *_ASYNC, *_MULTIMODAL]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankModel:
    """A model that scores texts beside a question.

    Attributes:
        documents: per call.
        characters: of one text; a longer one is refused.
        text_tokens: of a text or the question; what is longer is cut off.
        request_tokens: the question's once for each text, and those of all texts.
        images: per call; 0: it takes texts only. So are `videos`.
        rates: published limits by region.
    """

    name: str
    documents: int = 500
    images: int = 0
    videos: int = 0
    characters: int = 300_000
    text_tokens: int = 4000
    request_tokens: int = 120_000
    regions: frozenset[str] = TWO
    rates: dict[str, Rate] = field(default_factory=dict)


RERANKERS: dict[str, RerankModel] = {
    model.name: model
    for model in (
        RerankModel(name="qwen3-rerank", request_tokens=30_000, rates={"beijing": Rate(5400, 5_000_000_000)}),
        RerankModel(name="qwen3.7-text-rerank", request_tokens=32_768, rates={"beijing": Rate(3000, 0)}),
        RerankModel(
            name="qwen3-vl-rerank",
            documents=100,
            images=40,
            videos=4,
            text_tokens=8000,
            regions=BEIJING,
            rates={"beijing": Rate(600, 9_000_000)},
        ),
        RerankModel(name="gte-rerank-v2", request_tokens=30_000, regions=BEIJING, rates={"beijing": Rate(5040, 0)}),
    )
}
