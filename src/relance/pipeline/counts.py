"""What a stage counted: it travels home with the stage's result, and the coordinator sums it up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from relance.store.failures import Failure

__all__ = ["Counts", "Ledger"]


@dataclass(slots=True, frozen=True)
class Counts:
    """Amounts to be added to a run's report, and the documents that failed.

    Attributes:
        amounts: by the report's names, such as `tokens` or `seconds.load`.
        refused: key of a vector → why the service did not make it: nobody has to ask again in this run.
        gone: ids of documents that a rule of the spec removes, though the sources list them.
        guessed: pictures that nobody has looked at yet: what they will cost is not known.
    """

    amounts: Mapping[str, float] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    guessed: int = 0


class Ledger:
    """What one process has bought and not yet reported; safe to use from several threads.

    A try that fails has no result its bill could travel with: its error carries it home from another process, and
    in the run's own the next result takes it along.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._amounts: Counter[str] = Counter()

    def add(self, **amounts: float) -> None:
        """Note amounts by the report's names."""
        with self._lock:
            self._amounts.update(amounts)

    def take(self) -> dict[str, float]:
        """Return everything that was noted since the last time."""
        with self._lock:
            amounts, self._amounts = self._amounts, Counter()
        return {name: amount for name, amount in amounts.items() if amount}
