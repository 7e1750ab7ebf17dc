"""relance keeps a LanceDB index in step with its sources."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relance.control import Control, Progress
    from relance.index import Index
    from relance.plan import Plan
    from relance.report import Report
    from relance.search import Hit
    from relance.spec import IndexSpec
    from relance.spec_file import load_spec

__all__ = ["Control", "Hit", "Index", "IndexSpec", "Plan", "Progress", "Report", "__version__", "load_spec"]

__version__ = "0.1.0"

_HOMES = {
    "Control": "control",
    "Hit": "search",
    "Index": "index",
    "IndexSpec": "spec",
    "Plan": "plan",
    "Progress": "control",
    "Report": "report",
    "load_spec": "spec_file",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `relance --help` must not wait for LanceDB."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"relance.{_HOMES[name]}"), name)
    msg = f"module 'relance' has no attribute {name!r}"
    raise AttributeError(msg)
