"""Commits that somebody else's came before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from relance.errors import RetryableError

__all__ = ["written"]

T = TypeVar("T")
_TRIES = 7


def written(write: Callable[[], T]) -> T:
    """Call `write`, and again while it raises RetryableError (nothing was written then), seven times at most."""
    for attempt in range(1, _TRIES):
        try:
            return write()
        except RetryableError:
            # By chance, so that those who lost the same race do not meet again.
            time.sleep(0.05 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
    return write()
