"""`local/<model>`: models that run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from relance.config import EmbeddingSpec

if TYPE_CHECKING:
    from relance.embedding.providers import Provider

__all__ = ["Local"]


class Local:
    """Models in this process, without key or network."""

    Spec = EmbeddingSpec
    version = ""  # each model names its own revision in its space
    models: ClassVar[tuple[str, ...]] = ("wordllama", "multilingual-e5-small")
    any_model = False

    @staticmethod
    def open(spec: EmbeddingSpec) -> Provider:
        """Open a model; MissingExtraError where its package is not installed."""
        if spec.model == "local/wordllama":
            from relance.embedding.providers.wordllama import WordLlama

            return WordLlama(spec)
        from relance.embedding.providers.e5 import MultilingualE5Small

        return MultilingualE5Small(spec)
