"""What a multimodal request is billed as; models report it in four different ways, and every field may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Bill", "read_bill"]


@dataclass(slots=True, frozen=True)
class Bill:
    """Tokens, as the service counts them.

    Attributes:
        tokens: all.
        media_tokens: of images and videos.
    """

    tokens: int
    media_tokens: int

    def cost_usd(self, price: float, media_price: float) -> float:
        """Price them, in US dollars per million tokens of either kind."""
        return ((self.tokens - self.media_tokens) * price + self.media_tokens * media_price) / 1e6


def read_bill(usage: dict[str, Any]) -> Bill | None:
    """Read the `usage` of a reply; None where it says nothing.

    The newer tongyi models say `input_tokens_details` and a total, qwen3-vl `image_tokens` and a total, the others
    `image_tokens` beside `input_tokens`, which then are those of the text.
    """
    details = usage.get("input_tokens_details")
    details = details if isinstance(details, dict) else {}
    total, text, media = _count(usage, "total_tokens"), _count(usage, "input_tokens"), _count(usage, "image_tokens")
    if media is None:
        media = _count(details, "image_tokens") or 0
    if total is None and details:
        total = media + (_count(details, "text_tokens") or 0)
    if total is None and text is None and not media:
        return None
    if total is None:
        total = (text or 0) + media
    return Bill(total, min(media, total))


def _count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) and value >= 0 else None
