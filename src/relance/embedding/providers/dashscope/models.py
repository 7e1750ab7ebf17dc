"""What is known about DashScope's embedding models, as data.

Each price has its page (`pages.py`). Where pages disagree the stricter value is taken and the row says so. The vendor
has no `text-embedding-v5` (list of embedding models, read in November 2026).
"""

from __future__ import annotations

from dataclasses import replace

from relance.embedding.providers.dashscope.model import MediaSide, Model, Offer
from relance.embedding.providers.dashscope.pages import BATCH, COMPATIBLE, EMBEDDING, FLASH, MULTIMODAL, SYNC, yuan
from relance.media.rules import MediaRules

__all__ = ["MODELS"]

MIB = 1 << 20


V4 = Model(
    "text-embedding-v4",
    (1024, 2048, 1536, 768, 512, 256, 128, 64),
    max_tokens=8192,
    batch_inputs=10,
    # The page's column says 8,192 tokens per batch, its note per text: both are kept, which costs nothing, because at
    # that size the tokens per minute are reached before the requests are.
    batch_tokens=8192,
    sparse=True,
    instruct=True,
    offers={
        "singapore": Offer(0.07, 1_800, 1_000_000, free_tokens=1_000_000, page=SYNC),
        # 30 requests per second. The Batch file API is Beijing's only.
        "beijing": Offer(yuan(0.5), 1_800, 1_200_000, batch_price=yuan(0.25), free_tokens=1_000_000, page=COMPATIBLE),
        "hongkong": Offer(0.07, 1_800, 1_000_000, page=EMBEDDING),
    },
)
V3 = Model(
    "text-embedding-v3",
    (1024, 768, 512, 256, 128, 64),
    max_tokens=8192,
    batch_inputs=10,
    batch_tokens=8192,  # see v4
    sparse=True,
    offers={
        "singapore": Offer(0.07, 6_000, 24_000_000, free_tokens=500_000, dimensions=(1024, 768, 512), page=EMBEDDING),
        "beijing": Offer(yuan(0.5), 1_800, 1_200_000, batch_price=yuan(0.25), page=COMPATIBLE),
    },
)
V2 = Model(
    "text-embedding-v2",
    (1536,),
    max_tokens=2048,
    batch_inputs=25,
    offers={"beijing": Offer(yuan(0.7), 1_800, 1_200_000, batch_price=yuan(0.35), page=BATCH)},
)
QWEN37 = Model(
    "qwen3.7-text-embedding",
    (1024, 2560, 2048, 1536, 768, 512, 256),
    max_tokens=128_000,
    batch_inputs=20,
    # Not published; a request may then be as large as its largest text, half a megabyte.
    batch_tokens=128_000,
    sparse=True,
    instruct=True,
    offers={  # limits not published: as v4's
        "beijing": Offer(yuan(0.5), 1_800, 1_200_000, batch_price=yuan(0.25), free_tokens=1_000_000, page=COMPATIBLE),
        "singapore": Offer(0.07, 1_800, 1_000_000, free_tokens=1_000_000, page=SYNC),
    },
)

# Media types are those `relance.media.sniff` gives.
COMMON_IMAGES = frozenset({"image/jpeg", "image/png", "image/bmp"})
MANY_IMAGES = COMMON_IMAGES | {"image/webp", "image/tiff", "image/x-icon", "image/x-dib", "image/icns", "image/sgi"}
SOME_VIDEOS = frozenset({"video/mp4", "video/x-msvideo", "video/quicktime"})
MANY_VIDEOS = SOME_VIDEOS | {"video/mpeg", "video/webm", "video/x-flv", "video/x-matroska"}

TONGYI_PLUS = Model(
    "tongyi-embedding-vision-plus",
    # Some pages let it shorten to 1024, 512, 256, 128 and 64; the newest say that `dimension` is not supported.
    (1152,),
    max_tokens=1024,
    # No limit is published for this one: that of its successor.
    batch_inputs=20,
    instruct=True,
    offers={
        # $0.09 in 2025, ¥0.5 in 2026. Singapore's limits are not published: Beijing's.
        "singapore": Offer(0.09, 600, 200_000, free_tokens=1_000_000, page=EMBEDDING),
        "beijing": Offer(yuan(0.5), 600, 200_000, free_tokens=1_000_000, page=MULTIMODAL),
    },
    media=MediaSide(
        # 3 MB; one page has 10 and 5.
        MediaRules(COMMON_IMAGES, MANY_VIDEOS, max_image_bytes=3 * MIB, max_video_bytes=10 * MIB),
        # The older page has eight images a request, and one video; the newer eight images a set.
        per_request={"image": 8, "images": 1, "video": 1},
        images=8,
        sets=True,
    ),
)
TONGYI_FLASH = replace(
    TONGYI_PLUS,
    name="tongyi-embedding-vision-flash",
    dimensions=(768,),
    offers={
        "singapore": Offer(0.09, 600, 200_000, media_price=0.03, free_tokens=1_000_000, page=EMBEDDING),
        "beijing": Offer(yuan(0.15), 600, 200_000, free_tokens=1_000_000, page=MULTIMODAL),
    },
)
TONGYI_PLUS_2026 = Model(
    "tongyi-embedding-vision-plus-2026-03-06",
    (1152, 1024, 512, 256, 128, 64),
    max_tokens=1024,
    batch_inputs=20,
    instruct=True,
    # Limits not published: as its predecessor's.
    offers={"beijing": Offer(yuan(0.5), 600, 200_000, free_tokens=1_000_000, page=MULTIMODAL)},
    media=MediaSide(
        # 5 MB are recommended, 10 the limit; beyond 7 an image cannot be sent as Base64.
        MediaRules(
            MANY_IMAGES,
            MANY_VIDEOS,
            max_image_bytes=5 * MIB,
            max_video_bytes=50 * MIB,
            video_codecs=frozenset({"h264", "hevc"}),
        ),
        per_request={"image": 20, "images": 20, "video": 8},
        images=64,
        fusion="object",
        sets=True,
        image_tokens=402,  # at the default resolution
        video_tokens=8 * 402,
        levels=(127, 402, 578, 1026),
    ),
)
TONGYI_FLASH_2026 = replace(
    TONGYI_PLUS_2026,
    name="tongyi-embedding-vision-flash-2026-03-06",
    dimensions=(768, 512, 256, 128, 64),
    offers={"beijing": Offer(yuan(0.15), 600, 200_000, free_tokens=1_000_000, page=MULTIMODAL)},
)
MULTIMODAL_V1 = Model(
    "multimodal-embedding-v1",
    (1024,),
    max_tokens=512,
    batch_inputs=20,
    instruct=True,
    # A free trial in 2025; priced on the page of 2026.
    offers={"beijing": Offer(yuan(0.7), 120, 200_000, media_price=yuan(0.9), free_tokens=1_000_000, page=MULTIMODAL)},
    media=MediaSide(
        MediaRules(COMMON_IMAGES, MANY_VIDEOS, max_image_bytes=3 * MIB, max_video_bytes=10 * MIB),
        per_request={"image": 1, "video": 1},  # some pages have eight images
        images=1,
    ),
)
QWEN3_VL = Model(
    "qwen3-vl-embedding",
    (2560, 2048, 1536, 1024, 768, 512, 256),
    max_tokens=32_000,
    batch_inputs=20,
    instruct=True,
    # Another page doubles both limits.
    offers={"beijing": Offer(yuan(0.7), 1_200, 600_000, media_price=yuan(1.8), free_tokens=1_000_000, page=MULTIMODAL)},
    media=MediaSide(
        # 5 MB on the older page, 10 on the newer.
        MediaRules(MANY_IMAGES, SOME_VIDEOS, max_image_bytes=5 * MIB, max_video_bytes=50 * MIB),
        per_request={"image": 5, "video": 1},
        images=5,
        fusion="parameter",
        image_tokens=1247,
        video_tokens=8 * 1247,
    ),
)
QWEN25_VL = Model(
    "qwen2.5-vl-embedding",
    (1024, 2048, 768, 512),
    # Not published, nor are video limits and price: those of qwen3-vl-embedding, which shares the page's cells.
    max_tokens=32_000,
    batch_inputs=1,  # whatever a request holds becomes one vector
    instruct=True,
    offers={"beijing": Offer(yuan(0.7), 1_200, 600_000, media_price=yuan(1.8), free_tokens=1_000_000, page=MULTIMODAL)},
    media=MediaSide(
        MediaRules(MANY_IMAGES, SOME_VIDEOS, max_image_bytes=5 * MIB, max_video_bytes=50 * MIB),
        per_request={"image": 1, "video": 1},
        images=1,
        fusion="always",
        image_tokens=1247,
        video_tokens=8 * 1247,
    ),
)

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        *(V4, V3, V2, replace(V2, name="text-embedding-v1")),
        QWEN37,
        replace(
            QWEN37,
            name="qwen3.7-text-embedding-flash",
            dimensions=(1024, 768, 512, 256),
            offers={"beijing": Offer(yuan(0.125), 1_800, 1_200_000, batch_price=yuan(0.063), page=FLASH)},
        ),
        *(TONGYI_PLUS, TONGYI_FLASH, TONGYI_PLUS_2026, TONGYI_FLASH_2026),
        *(MULTIMODAL_V1, QWEN3_VL, QWEN25_VL),
    )
}
