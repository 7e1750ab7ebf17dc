"""Images and videos, and how they are fetched."""

from __future__ import annotations

from typing import Literal

from pydantic import ByteSize, Field

from relance.config.embedding import MediaEmbeddingSection, MediaEmbeddingSpec
from relance.config.spec_model import MIB, Size, SpecModel

__all__ = ["FetchSpec", "MediaSpec"]


class FetchSpec(SpecModel, title="Fetching"):
    """How files behind addresses are fetched."""

    allow: list[str] = Field(default=[], title="Allowed hosts", examples=[["media.intranet.example", "*.corp.example"]])
    """Hosts that may be fetched from although their addresses are private; `*.` stands for any subdomain."""
    max_size: Size = Field(default=ByteSize(64 * MIB), title="Size limit", examples=["20MB"])
    """A larger file becomes a failure instead of being fetched."""
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one file may take."""
    connections: int = Field(default=16, title="Connections", ge=1, le=256)
    """Files fetched at once."""


class MediaSpec(SpecModel, title="Media"):
    """Images and videos: files, addresses in tables, and what Markdown and HTML documents show."""

    embedding: MediaEmbeddingSection = Field(
        default=MediaEmbeddingSpec(),
        title="Embedding",
        validate_default=True,  # its provider's own fields
    )
    """Which model turns images and videos, and the questions about them, into vectors."""
    references: bool = Field(default=True, title="References")
    """Whether the pictures that Markdown and HTML documents show are indexed, with alt text and heading."""
    oversize: Literal["refuse", "scale"] = Field(default="refuse", title="Oversize")
    """What becomes of images over the model's limits: a failure that says so, or a smaller copy that is sent."""
    send: Literal["auto", "url", "data"] = Field(default="auto", title="Send")
    """Whether the service gets an image's address or the image itself; `auto` sends public addresses as they are."""
    fetch: FetchSpec = Field(default=FetchSpec(), title="Fetching")
    """How files behind addresses are fetched."""
