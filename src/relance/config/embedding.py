"""Which models turn text and media into vectors, and how hard their services may be pushed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr, SerializeAsAny

from relance.config.model import MODEL_NAME, ModelSpec
from relance.config.plugin_section import PluginSection
from relance.config.plugins import Plugins
from relance.config.spec_model import ENV

__all__ = ["EmbeddingSection", "EmbeddingSpec", "MediaEmbeddingSection", "MediaEmbeddingSpec", "Mode", "OutputType"]

OutputType = Literal["dense", "sparse", "dense&sparse"]
Mode = Literal["online", "batch"]


class EmbeddingSpec(ModelSpec, title="Embedding"):
    """Which model turns text into vectors, and how hard its service may be pushed."""

    # The base of every provider's `Spec`, which adds what only that provider has.
    plugin: ClassVar[PluginSection] = PluginSection("providers", "model")
    section: ClassVar[str] = "embedding"  # of the index file, for messages
    # Fields that decide which vectors come back. They are kept with a table, so that it can be searched while the
    # table of another model is built beside it.
    decisive: ClassVar[tuple[str, ...]] = ("model", "base_url")

    model: str = Field(
        default="local/wordllama",
        title="Model",
        pattern=MODEL_NAME,
        examples=["local/wordllama", "dashscope/text-embedding-v4", "openai/text-embedding-3-small"],
    )
    """`provider/model`. `local/…` runs in this process without key or network."""
    dimension: int = Field(default=0, title="Dimension", ge=0, le=8192)
    """Length of the vectors; 0 is the model's default."""
    api_key: SecretStr = Field(default=SecretStr(""), title="Key", json_schema_extra=ENV, examples=["${MY_KEY}"])
    """Better not here but in the environment (OPENAI_API_KEY, DASHSCOPE_API_KEY), or as `${NAME}`."""
    credentials: str = Field(default="", title="Credentials", examples=["main"])
    """Name of a Prefect block with the key (`DashScopeCredentials` or `OpenAICredentials`), instead of `api_key`."""
    free_tokens: int = Field(default=0, title="Free tokens", ge=0, examples=[1_000_000])
    """Tokens the account has left for nothing; what this store has used since counts against them."""
    tokenizer: str = Field(default="", title="Tokenizer", examples=["qwen"])
    """Which tokenizer counts for a model relance does not know; empty is the model's own."""
    max_input_tokens: int = Field(default=0, title="Longest text", ge=0)
    """Tokens a single text may have; 0 is the model's limit."""
    batch_texts: int = Field(default=0, title="Texts per request", ge=0, le=10_000)
    """At most so many texts in one request; 0 is the model's limit."""
    batch_tokens: int = Field(default=0, title="Tokens per request", ge=0)
    """At most so many tokens in one request; 0 is the model's limit."""
    max_concurrency: int = Field(default=8, title="Requests in flight", ge=1, le=512)
    """At most so many at once; fewer while the service refuses some."""
    requests_per_minute: int = Field(default=0, title="Requests per minute", ge=0)
    """At most so many requests are begun in a minute; 0 is the model's published limit, or none."""
    tokens_per_minute: int = Field(default=0, title="Tokens per minute", ge=0)
    """At most so many tokens are sent in a minute; 0 is the model's published limit, or none."""

    def changed(self, values: Mapping[str, Any], plugins: Plugins) -> EmbeddingSpec:
        """Return the section with other values, as the provider they name reads it; what that has not is left out."""
        base = MediaEmbeddingSpec if isinstance(self, MediaEmbeddingSpec) else EmbeddingSpec
        values = {name: getattr(self, name) for name in type(self).model_fields} | dict(values)
        known = self.plugin.model(base, values, plugins).model_fields
        return base.of({name: value for name, value in values.items() if name in known}, plugins)

    @property
    def batched(self) -> bool:
        """Whether texts are ordered as files; only providers with the field `mode` have that."""
        return getattr(self, "mode", "online") == "batch"


class MediaEmbeddingSpec(EmbeddingSpec, title="Media embedding"):
    """Which model turns images and videos, and the questions about them, into vectors."""

    # The base of every multimodal provider's `MediaSpec`.
    plugin: ClassVar[PluginSection] = PluginSection("providers", "model", "MediaSpec")
    section: ClassVar[str] = "media.embedding"
    decisive: ClassVar[tuple[str, ...]] = ("model", "base_url", "fuse")

    model: str = Field(
        default="dashscope/tongyi-embedding-vision-plus",
        title="Model",
        pattern=MODEL_NAME,
        examples=["dashscope/tongyi-embedding-vision-plus", "dashscope/multimodal-embedding-v1"],
    )
    """`provider/model` of a multimodal model."""
    fuse: bool = Field(default=False, title="Fuse")
    """Embed picture and caption into one vector, with models that can."""

    @property
    def lends(self) -> bool:
        """Whether the service is lent local videos; only providers with the field `upload` have that."""
        return getattr(self, "upload", False)


EmbeddingSection = Annotated[SerializeAsAny[EmbeddingSpec], EmbeddingSpec.plugin]
MediaEmbeddingSection = Annotated[SerializeAsAny[MediaEmbeddingSpec], MediaEmbeddingSpec.plugin]
