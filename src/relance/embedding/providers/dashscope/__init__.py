"""`dashscope/<model>`: Alibaba Cloud Model Studio, by its own protocol: text, images and video."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from relance.config.embedding import EmbeddingSpec
from relance.embedding.providers.dashscope.errors import error_for
from relance.embedding.providers.dashscope.models import MODELS
from relance.embedding.providers.dashscope.regions import is_dashscope
from relance.embedding.providers.dashscope.spec import DashScopeMediaSpec, DashScopeSpec
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from relance.embedding.providers import Provider

__all__ = ["DashScope", "DashScopeMediaSpec", "DashScopeSpec", "error_for", "is_dashscope"]


class DashScope:
    """Alibaba Cloud Model Studio."""

    Spec = DashScopeSpec
    MediaSpec = DashScopeMediaSpec
    version = ""  # a model's name says which weights it has
    models: ClassVar[tuple[str, ...]] = tuple(MODELS)

    @staticmethod
    def open(spec: EmbeddingSpec) -> Provider:
        """Open a text or multimodal model, without calling it yet.

        Raises ConfigurationError: no such model, not in this region or not with these settings, or no key.
        """
        from relance.config.settings import read_settings
        from relance.embedding.providers.dashscope.choice import find_model
        from relance.embedding.providers.dashscope.media import DashScopeMedia
        from relance.embedding.providers.dashscope.text import DashScopeText

        assert isinstance(spec, DashScopeSpec)  # noqa: S101  # open_provider reads it as the `Spec` above
        if isinstance(spec, DashScopeMediaSpec) and spec.batched:
            msg = "media.embedding.mode: images and videos cannot be ordered in batches; leave `mode` out"
            raise ConfigurationError(msg)
        multimodal = find_model(spec).media
        return DashScopeMedia(spec, read_settings()) if multimodal else DashScopeText(spec, read_settings())
