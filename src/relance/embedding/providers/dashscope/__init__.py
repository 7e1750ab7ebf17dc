"""`dashscope/<model>`: Alibaba Cloud Model Studio, by its own protocol: text, images and video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.config import EmbeddingSpec
from relance.config.settings import Settings
from relance.embedding.providers.dashscope.errors import error_for
from relance.embedding.providers.dashscope.regions import is_dashscope

if TYPE_CHECKING:
    from relance.embedding.providers import Provider

__all__ = ["error_for", "is_dashscope", "open_dashscope"]


def open_dashscope(spec: EmbeddingSpec, settings: Settings) -> Provider:
    """Open a text or multimodal model, without calling it yet.

    Raises ConfigurationError: no such model, not in this region or not with these settings, or no key.
    """
    from relance.embedding.providers.dashscope.choice import find_model
    from relance.embedding.providers.dashscope.media import DashScopeMedia
    from relance.embedding.providers.dashscope.text import DashScopeText

    return DashScopeMedia(spec, settings) if find_model(spec).media else DashScopeText(spec, settings)
