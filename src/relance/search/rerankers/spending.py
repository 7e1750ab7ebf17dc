"""What reranking may cost, and has cost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterable

from relance.errors import BudgetError, ConfigurationError

__all__ = ["Spending"]


class Spending:
    """The budget of one open reranker: of a question, a session (`with Index`), an evaluation. For any thread."""

    def __init__(self, name: str, limit_usd: float | None, price: float | None) -> None:
        """Begin with nothing spent; ConfigurationError for a limit (US dollars) on a model whose price is not known."""
        if limit_usd is not None and price is None:
            msg = (
                f"search.rerank.max_cost_usd is set, but the price of {name} is not known; "
                "set search.rerank.price_per_million_tokens"
            )
            raise ConfigurationError(msg)
        self.limit_usd, self.spent_usd, self._name = limit_usd, 0.0, name
        self._reserved = 0.0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, costs: Iterable[float | None]) -> Generator[None]:
        """Set the estimated cost of requests aside for the block that makes them; BudgetError where it is too much."""
        due = sum(cost or 0.0 for cost in costs)
        with self._lock:
            total = self.spent_usd + self._reserved + due
            if self.limit_usd is not None and total > self.limit_usd:
                msg = (
                    f"reranking by {self._name} would have cost ${total:.4f} with this question, over "
                    f"search.rerank.max_cost_usd (${self.limit_usd:g}); nothing was sent for it"
                )
                raise BudgetError(msg)
            self._reserved += due
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= due

    def add(self, cost: float | None) -> None:
        """Note what was billed, in US dollars."""
        with self._lock:
            self.spent_usd += cost or 0.0
