"""Which pages of the vendor the tables were read from, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

__all__ = ["BASE_URL", "BATCH", "COMPATIBLE", "EMBEDDING", "FLASH", "LIMITS", "MULTIMODAL", "QWEN3_RERANK",
           "QWEN37_RERANK", "READ", "RERANK", "SYNC", "VL_RERANK", "Page", "yuan"]  # fmt: skip

# When prices, quotas and limits were last compared with the pages.
READ = date(2026, 11, 28)

# What is published in yuan only is converted at the rate of the pair that the vendor publishes: ¥0.5 = $0.069.
_DOLLARS_A_YUAN = 0.138


def yuan(price: float) -> float:
    """Convert a price to US dollars."""
    return round(price * _DOLLARS_A_YUAN, 6)


@dataclass(slots=True, frozen=True)
class Page:
    """A page of the vendor's.

    Attributes:
        url: where it is.
        updated: what it says of its own age; empty where it does not.
    """

    url: str
    updated: str = ""


_INTERNATIONAL = "https://www.alibabacloud.com/help/"
_CHINA = "https://help.aliyun.com/"

EMBEDDING = Page(f"{_INTERNATIONAL}zh/model-studio/embedding", "27 November 2025")
SYNC = Page(f"{_INTERNATIONAL}es/model-studio/text-embedding-synchronous-api", "12 October 2026")
COMPATIBLE = Page(f"{_CHINA}en/model-studio/embedding-interfaces-compatible-with-openai")
BATCH = Page(f"{_INTERNATIONAL}doc-detail/2842025", "December 2025")
FLASH = Page(f"{_CHINA}en/model-studio/qwen3-7-text-embedding-flash")
MULTIMODAL = Page(f"{_CHINA}zh/model-studio/multimodal-embedding-api-reference", "2026")
LIMITS = Page(f"{_CHINA}zh/model-studio/rate-limit", "2026")
RERANK = Page(f"{_CHINA}en/model-studio/text-rerank-api", "2026")
QWEN3_RERANK = Page(f"{_INTERNATIONAL}en/model-studio/qwen3-rerank")
QWEN37_RERANK = Page(f"{_CHINA}en/model-studio/qwen3-7-text-rerank")
VL_RERANK = Page(f"{_CHINA}zh/model-studio/qwen3-vl-rerank")
BASE_URL = Page(f"{_INTERNATIONAL}es/model-studio/embedding-interfaces-compatible-with-openai", "24 October 2026")
