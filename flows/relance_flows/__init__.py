"""What runs, in order. Start reading in `ingest.py`.

For flows of your own: `from relance_flows import ingest_flow`, and a flow for each of the other deployments.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relance_flows.analyze import anomalies as anomalies_flow
    from relance_flows.analyze import classify as classify_flow
    from relance_flows.analyze import cluster as cluster_flow
    from relance_flows.analyze import duplicates as duplicates_flow
    from relance_flows.analyze import recommend as recommend_flow
    from relance_flows.doctor import doctor as doctor_flow
    from relance_flows.evaluate import evaluate as evaluate_flow
    from relance_flows.ingest import ingest as ingest_flow
    from relance_flows.maintain import maintain as maintain_flow
    from relance_flows.reembed import reembed as reembed_flow

__all__ = ["anomalies_flow", "classify_flow", "cluster_flow", "doctor_flow", "duplicates_flow", "evaluate_flow",
           "ingest_flow", "maintain_flow", "recommend_flow", "reembed_flow"]  # fmt: skip

_ANALYSES = ("anomalies", "classify", "cluster", "duplicates", "recommend")


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a flow when it is first used; `_flow`, since `ingest` alone is the module."""
        if name in __all__:
            flow = name.removesuffix("_flow")
            module = "analyze" if flow in _ANALYSES else flow
            return getattr(importlib.import_module(f"relance_flows.{module}"), flow)
        msg = f"module 'relance_flows' has no attribute {name!r}"
        raise AttributeError(msg)
