"""What is left of a free quota: the service does not say, so what this store was billed for is counted."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import uuid4

from relance.embedding.providers import ModelInfo
from relance.errors import RetryableError
from relance.store.catalog import Catalog

__all__ = ["FreeQuota"]

_TRIES = 5


class FreeQuota:
    """The free tokens of one model in one region.

    Counting starts when the spec names a quota, and again when it names another one: the number in the spec is what
    the account had left on that day.
    """

    def __init__(self, catalog: Catalog, info: ModelInfo, free_tokens: int) -> None:
        self._catalog = catalog
        self._key = f"usage/{info.name}@{info.region}"
        self._free = free_tokens

    def left(self) -> int:
        """Tokens that cost nothing yet."""
        return max(0, self._free - self._used(self._catalog.get(self._key))) if self._free else 0

    def use(self, tokens: int) -> None:
        """Count billed tokens; if others keep writing at the same moment they stay uncounted: no run fails for that."""
        if not (tokens and self._free):
            return
        for _ in range(_TRIES):
            with contextlib.suppress(RetryableError):
                current = self._catalog.get(self._key)
                # Signed, or two runs that count as many tokens at once would each take the other's entry for its own.
                value = {"free": self._free, "tokens": self._used(current) + tokens, "by": uuid4().hex}
                self._catalog.put(self._key, value, expected=current)
                return

    def _used(self, value: dict[str, Any] | None) -> int:
        return value["tokens"] if value and value["free"] == self._free else 0
