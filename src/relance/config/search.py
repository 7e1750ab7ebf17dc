"""How an index is searched unless the question says otherwise."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from relance.config.model import MODEL_NAME, ModelSpec
from relance.config.plugin_section import PluginSection
from relance.config.spec_model import SpecModel

__all__ = ["Language", "RerankSection", "RerankSpec", "SearchSpec"]

# Those that both LanceDB and snowballstemmer know the endings of.
Language = Literal[
    "english", "arabic", "danish", "dutch", "finnish", "french", "german", "greek", "hungarian", "italian", "norwegian",
    "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish", "none",
]  # fmt: skip


class RerankSpec(ModelSpec, title="Reranking"):
    """Which model sorts the best hits once more."""

    # The base of every reranker's `Spec`, which adds what only that one has.
    plugin: ClassVar[PluginSection] = PluginSection("rerankers", "model")

    model: str = Field(
        title="Model",
        pattern=MODEL_NAME,
        examples=["dashscope/qwen3-rerank", "dashscope/qwen3-vl-rerank", "lancedb/mrr"],
    )
    """`provider/model`. `lancedb/…` runs in this process without key or network."""
    candidates: int = Field(default=50, title="Candidates", ge=1, le=1000)
    """How many of the best hits are read and sorted; there are no others then."""
    timeout_s: float = Field(default=30.0, title="Timeout", gt=0)
    """Seconds one request may take."""
    max_attempts: int = Field(default=3, title="Attempts", ge=1, le=50)
    """How often one request is tried: somebody is waiting."""
    max_cost_usd: float | None = Field(default=None, title="Budget", ge=0)
    """Dollars that reranking may cost while the reranker is open: one search, one `with Index`, one evaluation."""


RerankSection = Annotated[SerializeAsAny[RerankSpec], RerankSpec.plugin]


class SearchSpec(SpecModel, title="Search"):
    """How the index is searched unless the question says otherwise."""

    language: Language = Field(default="english", title="Language")
    """Whose word endings do not matter to a full-text search: `gauges` finds `gauge`; none: words as they are written.
    Texts in other languages are found all the same. A change is applied by the next run that writes, or by
    `relance maintain`."""
    media_floor: float = Field(default=1.0, title="Floor of media", ge=0, le=10)
    """Standard deviations that an image or video has to stand out of a list of the search, or it is no hit; 0: all are.
    Fewer than thirty pictures are all shown."""
    rerank: RerankSection | None = Field(default=None, title="Reranking")
    """Sort the best hits once more by a model that reads them beside the question."""
