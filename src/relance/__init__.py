"""relance keeps a LanceDB index in sync with its sources."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.config.load import load_spec
    from relance.errors import (
        AccountError,
        ApprovalNeededError,
        BudgetError,
        ConfigurationError,
        IndexBusyError,
        InputError,
        MissingExtraError,
        RelanceError,
        RetryableError,
        SpecError,
        StoppedError,
        StoreError,
    )
    from relance.index import Index
    from relance.pipeline.plan import Plan, Preview
    from relance.pipeline.report import Report
    from relance.pipeline.run_handle import Progress, RunHandle
    from relance.search import Explanation, FilterError, Hit, Hits, Mode
    from relance.search.media import MediaHit
    from relance.store.cache_spaces import CacheSpace
    from relance.store.failures import FailureRow
    from relance.store.maintain import Maintained
    from relance.store.principals import OWNER
    from relance.store.rollback import Rollback
    from relance.store.run_summary import RunSummary
    from relance.store.status import Status

__all__ = ["AccountError", "ApprovalNeededError", "BudgetError", "CacheSpace", "ConfigurationError",  # noqa: RUF022
           "Explanation", "FailureRow", "FilterError", "Hit", "Hits", "Index", "IndexBusyError", "IndexSpec",
           "InputError", "Maintained", "MediaHit", "MissingExtraError", "Mode", "OWNER", "Plan", "Preview", "Progress",
           "RelanceError", "Report", "RetryableError", "Rollback", "RunHandle", "RunSummary", "SpecError", "Status",
           "StoppedError", "StoreError", "__version__", "load_spec"]  # fmt: skip

__version__ = "0.1.0"

_HOMES = {
    "CacheSpace": "store.cache_spaces",
    "Explanation": "search",
    "FailureRow": "store.failures",
    "FilterError": "search",
    "Hit": "search",
    "Hits": "search",
    "Index": "index",
    "IndexSpec": "config",
    "Maintained": "store.maintain",
    "MediaHit": "search.media",
    "Mode": "search",
    "OWNER": "store.principals",
    "Plan": "pipeline.plan",
    "Preview": "pipeline.approval",
    "Progress": "pipeline.run_handle",
    "Report": "pipeline.report",
    "Rollback": "store.rollback",
    "RunHandle": "pipeline.run_handle",
    "RunSummary": "store.run_summary",
    "Status": "store.status",
    "load_spec": "config.load",
}


if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used: `relance --help` must not wait for LanceDB."""
        if name in __all__:
            return getattr(importlib.import_module(f"relance.{_HOMES.get(name, 'errors')}"), name)
        msg = f"module 'relance' has no attribute {name!r}"
        raise AttributeError(msg)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
