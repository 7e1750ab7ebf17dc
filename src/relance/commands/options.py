"""What commands share: exit codes, and the arguments several of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["DONE", "FAILED", "USAGE", "WITH_FAILURES", "AsJson", "Host", "Level", "Port", "SearchMode", "Spec", "Specs"]

DONE, FAILED, USAGE, WITH_FAILURES = 0, 1, 2, 3

Spec = Annotated[Path, Parameter(help="The index file, or the folder with an index.yaml.")]
Specs = Annotated[list[Path], Parameter(help="Index files, or folders with an index.yaml.", negative="")]
Level = Literal["documents", "chunks", "media"]
SearchMode = Literal["hybrid", "vector", "text", "sparse"]
Host = Annotated[str, Parameter(help="Address to listen on.")]
Port = Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
