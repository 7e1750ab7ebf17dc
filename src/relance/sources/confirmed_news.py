"""News that are repeated until they are confirmed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

__all__ = ["ConfirmedNews"]


class ConfirmedNews(ABC, Iterator[frozenset[str] | None]):
    """The stream that `Announcing.news` returns, of a place that sends again what nobody has confirmed."""

    @abstractmethod
    def confirm(self, count: int) -> None:
        """Take note that the first `count` items of this stream were handed on; raises nothing.

        Called from another thread than the one that iterates, also with a count that was confirmed before.
        """
