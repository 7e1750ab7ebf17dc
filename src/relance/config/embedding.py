"""Which models turn text and media into vectors, and how hard their services may be pushed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from relance.config.spec_model import ENV, SpecModel

__all__ = ["EmbeddingSpec", "MediaEmbeddingSpec"]


class EmbeddingSpec(SpecModel, title="Embedding"):
    """Which model turns text into vectors, and how hard its service may be pushed."""

    model: str = Field(
        default="local/wordllama",
        title="Model",
        pattern=r"^[a-z0-9_-]+/.+$",
        examples=["local/wordllama", "dashscope/text-embedding-v4", "openai/text-embedding-3-small"],
    )
    """`provider/model`. `local/…` runs in this process without key or network."""
    region: Literal["singapore", "beijing", "hongkong", "us"] = Field(default="singapore", title="Region")
    """Where DashScope is called; a key works in its own region only, and prices and limits differ."""
    workspace: str = Field(default="", title="Workspace", json_schema_extra=ENV, examples=["ws-1a2b3c"])
    """DashScope workspace that is billed; empty is the key's own (or DASHSCOPE_WORKSPACE_ID)."""
    output_type: Literal["dense", "sparse", "dense&sparse"] = Field(default="dense", title="Vectors")
    """Which vectors are stored: `dense`, `sparse` (weighted words), or both (DashScope v3, v4, qwen3.7)."""
    instruct: str = Field(
        default="", title="Instruction", examples=["Given a question, retrieve passages that answer it"]
    )
    """What queries are for, in English, for models that take an instruction; documents are embedded without."""
    mode: Literal["online", "batch"] = Field(default="online", title="Mode")
    """`batch` sends what has to be embedded as files that are worked off within a day, at half the price."""
    free_tokens: int = Field(default=0, title="Free tokens", ge=0, examples=[1_000_000])
    """Tokens the account has left for nothing; what this store has used since counts against them."""
    dimension: int = Field(default=0, title="Dimension", ge=0, le=8192)
    """Length of the vectors; 0 is the model's default."""
    base_url: str = Field(
        default="", title="Service address", json_schema_extra=ENV, examples=["http://127.0.0.1:11434/v1"]
    )
    """Where the service listens, up to and including `/v1`; empty is the provider's own (of `region`)."""
    api_key: SecretStr = Field(default=SecretStr(""), title="Key", json_schema_extra=ENV, examples=["${MY_KEY}"])
    """Better not here but in the environment (OPENAI_API_KEY, DASHSCOPE_API_KEY), or as `${NAME}`."""
    credentials: str = Field(default="", title="Credentials", examples=["main"])
    """Name of a Prefect block with the key (`DashScopeCredentials` or `OpenAICredentials`), instead of `api_key`."""
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
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one request may take."""
    max_attempts: int = Field(default=6, title="Attempts", ge=1, le=50)
    """How often one request is tried before its texts are left for the next run."""
    price_per_million_tokens: float | None = Field(default=None, title="Price", ge=0)
    """US dollars per million input tokens; without it the built-in price table."""

    @field_validator("base_url")
    @classmethod
    def _base_url_is_web(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = "must begin with http:// or https://"
            raise ValueError(msg)
        return value

    @property
    def provider(self) -> str:
        """The part of `model` before the slash."""
        return self.model.partition("/")[0]


class MediaEmbeddingSpec(EmbeddingSpec, title="Media embedding"):
    """Which model turns images and videos, and the questions about them, into vectors."""

    model: str = Field(
        default="dashscope/tongyi-embedding-vision-plus",
        title="Model",
        pattern=r"^[a-z0-9_-]+/.+$",
        examples=["dashscope/tongyi-embedding-vision-plus", "dashscope/multimodal-embedding-v1"],
    )
    """`provider/model` of a multimodal model."""
    fuse: bool = Field(default=False, title="Fuse")
    """Embed picture and caption into one vector, with models that can."""
    fps: float = Field(default=0.0, title="Frames", ge=0, le=1)
    """Share of a video's frames that is looked at; 0 is the model's default."""
    upload: bool = Field(default=False, title="Upload")
    """Lend local videos to the service for 48 hours; Beijing only, and not meant for production, says the vendor."""
