"""The files that documents were read from: only those the index holds, only below the declared folders."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from relance.config import IndexSpec
from relance.sources.walk import inside

__all__ = ["source_file"]


def source_file(spec: IndexSpec, uri: str, *, media: bool = False) -> Path | None:
    """Find the regular file of a uri that stands in the index; None if it is gone, or leads anywhere else.

    The path that is returned has no links in it. Pictures may lie in the folder of the spec as well, where documents
    may show them from (`MediaFiles.read_file`).
    """
    if not uri or "\0" in uri or "://" in uri:
        return None
    folders = [spec.path(source.root) for source in spec.sources] + ([spec.path(".")] if media else [])
    try:
        real = os.path.realpath(os.path.normpath(spec.path(".") / uri), strict=True)
        regular = stat.S_ISREG(os.lstat(real).st_mode)
    except (OSError, ValueError):
        return None
    if not regular or not any(inside(real, os.path.realpath(folder)) for folder in folders):
        return None
    limit = max(source.max_size for source in spec.sources)
    return Path(real) if Path(real).stat().st_size <= limit else None
