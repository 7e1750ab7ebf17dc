"""relance keeps a LanceDB index in sync with its sources."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.config.load import load_spec
    from relance.index import Index
    from relance.pipeline.plan import Plan
    from relance.pipeline.report import Report
    from relance.pipeline.run_handle import Progress, RunHandle
    from relance.search import Hit

__all__ = ["Hit", "Index", "IndexSpec", "Plan", "Progress", "Report", "RunHandle", "__version__", "load_spec"]

__version__ = "0.1.0"

_HOMES = {
    "RunHandle": "pipeline.run_handle",
    "Hit": "search",
    "Index": "index",
    "IndexSpec": "config",
    "Plan": "pipeline.plan",
    "Progress": "pipeline.run_handle",
    "Report": "pipeline.report",
    "load_spec": "config.load",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `relance --help` must not wait for LanceDB."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"relance.{_HOMES[name]}"), name)
    msg = f"module 'relance' has no attribute {name!r}"
    raise AttributeError(msg)
