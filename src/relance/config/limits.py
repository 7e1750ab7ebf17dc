"""What a run may do before it has to stop or ask."""

from __future__ import annotations

from pydantic import ByteSize, Field

from relance.config.spec_model import MIB, Size, SpecModel

__all__ = ["LimitsSpec"]


class LimitsSpec(SpecModel, title="Limits"):
    """What a run may do before it has to stop."""

    max_cost_usd: float | None = Field(default=None, title="Budget", ge=0)
    """US dollars a single run may spend; it stops before the first request that would exceed it."""
    approve_above_usd: float | None = Field(default=None, title="Approval above", ge=0)
    """US dollars above which a run asks a person first: in the Prefect UI, or on the terminal."""
    max_removed_fraction: float = Field(default=0.5, title="Approval of removals", ge=0, le=1)
    """Part of the index's documents a run may remove without asking a person (1: all, 0: none).

    Fewer than 10 documents may always go, unless that would leave nothing: an empty mount must not empty an index.
    """
    batch_documents: int = Field(default=1000, title="Documents in a batch", ge=1, le=100_000)
    """Documents that are read, split and embedded together at most; one batch is half a megabyte of text or less."""
    batches_in_flight: int = Field(default=4, title="Batches in flight", ge=1, le=64)
    """Batches of documents between loading and writing at once; bounds memory."""
    parse_s_per_mb: float = Field(default=20.0, title="Parsing time", gt=0)
    """CPU seconds that parsing a document may take for each megabyte of it; a smaller one gets as much as one."""
    parse_memory: Size = Field(default=ByteSize(512 * MIB), title="Parsing memory", ge=MIB)
    """Memory that parsing one document may take, such as `512MiB`."""
    parse_output: Size = Field(default=ByteSize(256 * MIB), title="Parsed text", ge=1024)
    """Text that one document may become, such as `256MiB`."""
