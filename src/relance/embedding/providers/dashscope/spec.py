"""What an index file says about models of DashScope."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from relance.config.embedding import EmbeddingSpec, MediaEmbeddingSpec, Mode, OutputType
from relance.config.spec_model import ENV

__all__ = ["DashScopeMediaSpec", "DashScopeSpec", "RegionName"]

RegionName = Literal["singapore", "beijing", "hongkong", "us"]


class DashScopeSpec(EmbeddingSpec, title="Embedding by DashScope"):
    """Which model of Alibaba Cloud Model Studio turns text into vectors, and how hard it may be pushed."""

    decisive: ClassVar[tuple[str, ...]] = (*EmbeddingSpec.decisive, "region", "output_type")

    region: RegionName = Field(default="singapore", title="Region")
    """Where DashScope is called; a key works in its own region only, and prices and limits differ."""
    workspace: str = Field(default="", title="Workspace", json_schema_extra=ENV, examples=["ws-1a2b3c"])
    """DashScope workspace that is billed; empty is the key's own (or DASHSCOPE_WORKSPACE_ID)."""
    host: Literal["public", "workspace"] = Field(default="public", title="Host")
    """`workspace` calls the host of `workspace` itself, `{workspace}.{region}.maas.aliyuncs.com`, which the vendor now
    recommends; the public hosts go on working."""
    output_type: OutputType = Field(default="dense", title="Vectors")
    """Which vectors are stored: `dense`, `sparse` (weighted terms), or both (DashScope v3, v4, qwen3.7)."""
    instruct: str = Field(
        default="", title="Instruction", examples=["Given a question, retrieve passages that answer it"]
    )
    """What queries are for, in English, for models that take an instruction; documents are embedded without."""
    mode: Mode = Field(default="online", title="Mode")
    """`batch` sends what has to be embedded as files that are worked off within a day, at half the price."""


class DashScopeMediaSpec(MediaEmbeddingSpec, DashScopeSpec, title="Media embedding by DashScope"):
    """Which multimodal model of Alibaba Cloud Model Studio turns images and videos into vectors."""

    decisive: ClassVar[tuple[str, ...]] = (*DashScopeSpec.decisive, "fuse", "fps", "max_video_frames", "res_level")

    fps: float = Field(default=0.0, title="Frames", ge=0, le=1)
    """Share of a video's frames that is looked at; 0 is the model's default."""
    max_video_frames: int = Field(default=0, title="Most frames", ge=0, le=64)
    """At most so many frames of a video are looked at, each billed as an image; 0 is the model's default, 8. Only the
    models of 2026-03-06."""
    res_level: Literal[0, 1, 2, 3] | None = Field(default=None, title="Resolution")
    """How closely images and frames are looked at: 127, 402, 578 or 1,026 tokens for each; empty is the default, 1.
    Only the models of 2026-03-06."""
    upload: bool = Field(default=False, title="Upload")
    """Lend local videos to the service for 48 hours; Beijing only, and not meant for production, says the vendor."""
