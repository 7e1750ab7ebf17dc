"""What a run may spend, and what it has spent: a budget in dollars, and the part of it that is free."""

from __future__ import annotations

import threading
from datetime import date

from relance.embedding.providers import ModelInfo
from relance.errors import BudgetError, ConfigurationError

__all__ = ["Budget", "CostMeter", "cost_usd", "stale_price"]

_OLD_DAYS = 180


def cost_usd(tokens: int, price_per_million: float | None, *, free: int = 0) -> float | None:
    """Price tokens of which the first `free` cost nothing; None where the price is not known."""
    if price_per_million is None:
        return None
    return max(0, tokens - free) * price_per_million / 1e6


def stale_price(info: ModelInfo, today: date) -> list[str]:
    """Warn, in one sentence or none, of a price that was read half a year ago: vendors change them."""
    if info.priced_on is None or (today - info.priced_on).days <= _OLD_DAYS:
        return []
    note = (
        f"the price of {info.name} was read on {info.priced_on:%d %B %Y}, more than {_OLD_DAYS} days ago: compare it "
        "with the vendor's page, and set price_per_million_tokens if it has changed"
    )
    return [note]


class Budget:
    """Dollars all models of a run may spend together; None is no limit. Safe to use from several threads."""

    def __init__(self, limit_usd: float | None = None) -> None:
        self.limit_usd = limit_usd
        self.reserved_usd = 0.0
        self.lock = threading.Lock()


class CostMeter:
    """Pays one model's requests out of a budget: reserves before a request is sent, settles when the bill is known."""

    def __init__(self, info: ModelInfo, budget: Budget, *, free_tokens: int = 0) -> None:
        self._info = info
        self._budget = budget
        self._free = free_tokens
        self._reserved = 0
        self._billed = 0

    def reserve(self, tokens: int) -> None:
        """Set money aside; raises BudgetError where it would not suffice, ConfigurationError without a price."""
        limit, price = self._budget.limit_usd, self._info.price_per_million_tokens
        if limit is not None and price is None:
            msg = (
                f"limits.max_cost_usd is set, but the price of {self._info.name} is not known; "
                "set embedding.price_per_million_tokens"
            )
            raise ConfigurationError(msg)
        with self._budget.lock:
            total = self._budget.reserved_usd + self._due(self._reserved, tokens)
            if limit is not None and total > limit:
                msg = (
                    f"the next request would bring this run to ${total:.4f}, over limits.max_cost_usd (${limit:g}); "
                    "stopped"
                )
                raise BudgetError(msg)
            self._reserve(tokens)

    def settle(self, reserved: int, billed: int, cost: float | None = None) -> float:
        """Replace a reservation by the bill (0: the request failed); returns dollars, after what was free.

        Args:
            reserved: tokens, as they were reserved.
            billed: tokens, as the service counted them.
            cost: dollars, where the service has several prices; what is free of it is taken off in proportion.
        """
        with self._budget.lock:
            self._reserve(billed - reserved)
            # What is free goes to what was billed before, not to what others have only reserved: they may fail.
            due = self._due(self._billed, billed)
            if cost is not None:
                paid = cost * self._charged(self._billed, billed) / billed if billed else 0.0
                self._budget.reserved_usd += paid - due
                due = paid
            self._billed += billed
        return due

    def _charged(self, before: int, tokens: int) -> int:
        """Count those of the next tokens after so many that are not free; fewer than none takes the last ones back."""
        return max(0, before + tokens - self._free) - max(0, before - self._free)

    def _due(self, before: int, tokens: int) -> float:
        return self._charged(before, tokens) * (self._info.price_per_million_tokens or 0.0) / 1e6

    def _reserve(self, tokens: int) -> None:
        self._budget.reserved_usd += self._due(self._reserved, tokens)
        self._reserved += tokens
