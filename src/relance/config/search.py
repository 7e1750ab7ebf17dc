"""How an index is searched unless the question says otherwise."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from relance.config.spec_model import ENV, SpecModel

__all__ = ["Language", "RerankSpec", "SearchSpec"]

# Those that both LanceDB and snowballstemmer know the endings of.
Language = Literal[
    "english", "arabic", "danish", "dutch", "finnish", "french", "german", "greek", "hungarian", "italian", "norwegian",
    "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish", "none",
]  # fmt: skip


class RerankSpec(SpecModel, title="Reranking"):
    """Which model sorts the best hits once more; what is left empty is as in `embedding`, for the same provider."""

    model: str = Field(
        title="Model",
        pattern=r"^[a-z0-9_-]+/.+$",
        examples=["dashscope/qwen3-rerank", "dashscope/gte-rerank-v2", "lancedb/mrr"],
    )
    """`provider/model`. `lancedb/…` runs in this process without key or network."""
    candidates: int = Field(default=50, title="Candidates", ge=1, le=1000)
    """How many of the best hits are read and sorted; there are no others then."""
    instruct: str = Field(default="", title="Instruction")
    """What questions are for, in English, for models that take an instruction."""
    region: Literal["", "singapore", "beijing", "hongkong", "us"] = Field(default="", title="Region")
    """Where DashScope is called."""
    base_url: str = Field(default="", title="Service address", json_schema_extra=ENV)
    """Where the service listens; empty is the provider's own (of `region`). The key is DASHSCOPE_API_KEY there."""
    timeout_s: float = Field(default=30.0, title="Timeout", gt=0)
    """Seconds one request may take."""
    max_attempts: int = Field(default=3, title="Attempts", ge=1, le=50)
    """How often one request is tried: somebody is waiting."""
    price_per_million_tokens: float | None = Field(default=None, title="Price", ge=0)
    """US dollars per million tokens; without it the built-in price table."""

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


class SearchSpec(SpecModel, title="Search"):
    """How the index is searched unless the question says otherwise."""

    language: Language = Field(default="english", title="Language")
    """Whose word endings do not matter to a full-text search: `gauges` finds `gauge`; none: words as they are written.
    Texts in other languages are found all the same. A change is applied by the next run that writes, or by
    `relance maintain`."""
    rerank: RerankSpec | None = Field(default=None, title="Reranking")
    """Sort the best hits once more by a model that reads them beside the question."""
