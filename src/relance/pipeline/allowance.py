"""Money and rates that workers get by the batch: what they may spend, and how fast."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from relance.embedding.budget import cost_usd

if TYPE_CHECKING:
    from relance.embedding.budget import Budget, CostMeter
    from relance.embedding.providers import ModelInfo

__all__ = ["Allowance"]

# What a batch may cost beyond its estimate, before its worker stops: services count tokens by rules of their own.
_SLACK = 1.25
_LEAST = 1 / 64


class Allowance:
    """The part of a budget and of an account's rates that each of several workers has; safe for several threads.

    Where a service refuses one of them, all slow down to half, and come back by a tenth with each batch that was not
    refused (AIMD, as within a process).
    """

    def __init__(self, info: ModelInfo, meter: CostMeter, budget: Budget, workers: int) -> None:
        self._info, self._meter, self._budget = info, meter, budget
        self._most = self._share = 1.0 if info.local else 1.0 / max(1, workers)
        self._lock = threading.Lock()

    @property
    def share(self) -> float:
        """The part of the rates that a worker may use now."""
        return self._share

    def reserve(self, tokens: int) -> float | None:
        """Set money aside for a batch; returns the dollars it may spend, None without a limit.

        Raises BudgetError where it would not suffice.
        """
        self._meter.reserve(tokens)
        if self._budget.limit_usd is None:
            return None
        return (cost_usd(tokens, self._info.price_per_million_tokens) or 0.0) * _SLACK

    def settle(self, reserved: int, billed: int = 0, cost: float | None = None, *, refusals: float = 0) -> float:
        """Take back what was not spent; returns the dollars that were, less what was free."""
        with self._lock:
            self._share = (
                max(self._most * _LEAST, self._share / 2)
                if refusals
                else min(self._most, self._share + self._most / 10)
            )
        return self._meter.settle(reserved, billed, cost if billed else None)
