"""What the form of a run says about money, in place of what the spec says."""

from __future__ import annotations

from relance.config import IndexSpec

__all__ = ["BUDGET", "with_budget"]

BUDGET = "The run ends before it spends more; 0: as the index says."


def with_budget(spec: IndexSpec, max_cost_usd: float) -> IndexSpec:
    """Take the budget of this run instead of the spec's; 0 leaves the spec's."""
    if not max_cost_usd:
        return spec
    return spec.model_copy(update={"limits": spec.limits.model_copy(update={"max_cost_usd": max_cost_usd})})
