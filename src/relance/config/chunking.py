"""How documents are split into chunks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator

from relance.config.plugin_section import PluginSection, PluginSpec

__all__ = ["ChunkingSection", "ChunkingSpec"]


class ChunkingSpec(PluginSpec, title="Chunking"):
    """How documents are split."""

    # The base of every chunker's `Spec`, which adds what only that one has.
    plugin: ClassVar[PluginSection] = PluginSection("chunkers", "strategy")

    strategy: str = Field(default="auto", title="Strategy", examples=["markdown"])
    """The chunker. `markdown` and `text` split at the best boundary under the limit, `code` by syntax, `whole` not at
    all; `auto` takes the one that fits each document."""
    max_tokens: int = Field(default=256, title="Tokens per chunk", ge=16, le=100_000)
    """No chunk has more, counted by the embedding model's own tokenizer."""
    overlap_tokens: int = Field(default=0, title="Overlap", ge=0)
    """At most this many tokens of a chunk are repeated at the start of the next."""
    split_at: int = Field(default=0, title="Split at headings", ge=0, le=6)
    """Headings of this depth or less always begin a chunk, however short the section before; 0: where it fits best."""
    context: list[Literal["title", "headings"]] = Field(default=[], title="Context")
    """What is put before a chunk's text when it is embedded; the stored text stays the exact span."""

    @field_validator("overlap_tokens")
    @classmethod
    def _overlap_is_smaller(cls, overlap: int, info: ValidationInfo) -> int:
        longest = info.data.get("max_tokens")
        if longest is not None and overlap > longest // 2:
            msg = f"must be at most half of max_tokens ({longest}), got {overlap}"
            raise ValueError(msg)
        return overlap


ChunkingSection = Annotated[SerializeAsAny[ChunkingSpec], ChunkingSpec.plugin]
