"""What it takes to have an index: its model, the price of embedding, and bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from relance.config import EmbeddingSpec, IndexSpec
from relance.errors import ConfigurationError
from relance.search import Mode

__all__ = ["GIB", "Footprint", "footprint"]

GIB = 2**30
_SAMPLE = 1000  # rows whose sparse vectors are weighed


@dataclass(slots=True, frozen=True)
class Footprint:
    """What a way of searching costs.

    Attributes:
        model: that made the vectors; empty for a full-text search, which needs none.
        dimension: of the vectors the search reads; 0 for none.
        chunking: how documents are split, in a word; media are not.
        usd_per_million_tokens: of embedding; None where no price is known.
        vector_bytes: of a chunk's vectors, dense and sparse, that the search reads.
        chunks: rows that can be found.
        table_bytes: of the table on disk, its search indexes with it.
    """

    model: str
    dimension: int
    chunking: str
    usd_per_million_tokens: float | None
    vector_bytes: float
    chunks: int
    table_bytes: int

    @property
    def gib_per_million_chunks(self) -> float:
        """GiB of vectors that a million chunks have."""
        return self.vector_bytes * 1e6 / GIB


def footprint(spec: IndexSpec, table: Any, mode: Mode, *, media: bool = False) -> Footprint:
    """Weigh the table of an index, the one of its media or the one of its texts, for one way of searching it."""
    section = spec.media.embedding if media and spec.media else spec.embedding
    made_by = json.loads((table.schema.metadata or {}).get(b"relance.embedding", b"{}"))
    dense, sparse = mode in {"dense", "hybrid"}, mode in {"sparse", "hybrid"}
    dimension = table.schema.field("vector").type.list_size if dense and "vector" in table.schema.names else 0
    terms = _sparse_bytes(table) if sparse and "sparse" in table.schema.names else 0.0
    return Footprint(
        model="" if mode == "full-text" else made_by.get("model", section.model),
        dimension=dimension,
        chunking="media" if media else _chunking(spec),
        usd_per_million_tokens=0.0 if mode == "full-text" else _price(spec, section),
        vector_bytes=4 * dimension + terms,
        chunks=table.count_rows("active"),
        table_bytes=table.stats()["total_bytes"] + sum(index.size_bytes or 0 for index in table.list_indices()),
    )


def _chunking(spec: IndexSpec) -> str:
    chunking = spec.chunking
    overlap = f"+{chunking.overlap_tokens}" if chunking.overlap_tokens else ""
    context = "".join(f", {name}" for name in chunking.context)
    return f"{chunking.strategy} {chunking.max_tokens}{overlap}{context}"


def _price(spec: IndexSpec, section: EmbeddingSpec) -> float | None:
    from relance.embedding.providers import open_provider

    try:
        return open_provider(section, spec.plugins).info.price_per_million_tokens
    except ConfigurationError:  # without a key it cannot be told, which is no reason not to tell the rest
        return None


def _sparse_bytes(table: Any) -> float:
    rows = table.search().where("active").select(["sparse"]).limit(_SAMPLE).to_arrow()
    return rows.nbytes / len(rows) if len(rows) else 0.0
