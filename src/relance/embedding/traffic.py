"""The requests to one model of one service, as metrics and spans."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relance.embedding.providers import BadReplyError
from relance.errors import (
    AccountError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RetryableError,
    SuspectInputError,
)
from relance.telemetry.metrics import add, model_labels, observe, record
from relance.telemetry.spans import span

if TYPE_CHECKING:
    from relance.embedding.providers import ModelInfo
    from relance.embedding.rate_limits import AdaptiveLimit

__all__ = ["Traffic", "outcome_of"]

# What a request ended as, by the first that fits: subclasses come before what they are a kind of.
_OUTCOMES: list[tuple[type[BaseException], str]] = [
    (RateLimitedError, "rate_limited"),
    (SuspectInputError, "suspect_input"),
    (BadReplyError, "bad_reply"),
    (RetryableError, "unavailable"),
    (InputError, "input"),
    (ConfigurationError, "configuration"),
    (AccountError, "account"),
    (asyncio.CancelledError, "cancelled"),
]


def outcome_of(error: BaseException) -> str:
    """Name the kind of error a request ended with."""
    return next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "error")


class Traffic:
    """One sender's requests to a model; senders that share a limit share its queue."""

    def __init__(self, info: ModelInfo, limit: AdaptiveLimit) -> None:
        self.labels = model_labels(info.name, info.region)
        self.limit = limit
        self.active = 0
        with _lock:
            _senders.add(self)
            _known[tuple(self.labels.items())] = None
        observe(
            {"relance.request.active": _active, "relance.request.waiting": _waiting, "relance.request.limit": _limit}
        )

    @contextmanager
    def request(self, texts: int, tokens: int) -> Generator[None]:
        """Measure one request of so many texts (or media) and tokens."""
        outcome, began = "ok", time.perf_counter()
        self.active += 1
        try:
            with span("request", {**self.labels, "texts": texts, "tokens": tokens}, client=True):
                yield
        except BaseException as error:
            outcome = outcome_of(error)
            raise
        finally:
            self.active -= 1
            labels = self.labels | {"outcome": outcome}
            add("relance.requests", 1, labels)
            record("relance.request.duration", time.perf_counter() - began, labels)


Labels = tuple[tuple[str, str], ...]

_lock = threading.Lock()
_senders: weakref.WeakSet[Traffic] = weakref.WeakSet()
# Every model there was a sender for: one that has gone has nothing in flight, which is not the same as no answer.
_known: dict[Labels, None] = {}


def _active() -> list[tuple[float, dict[str, str]]]:
    return _sum(lambda senders: sum(sender.active for sender in senders))


def _waiting() -> list[tuple[float, dict[str, str]]]:
    # A request keeps its place while it waits for a rate per minute, or to be tried again.
    return _sum(
        lambda senders: senders[0].limit.waiting + senders[0].limit.in_flight - sum(sender.active for sender in senders)
    )


def _limit() -> list[tuple[float, dict[str, str]]]:
    return _sum(lambda senders: senders[0].limit.limit)


def _sum(value: Callable[[list[Traffic]], int]) -> list[tuple[float, dict[str, str]]]:
    """Add up a value of those who share a limit, for each model."""
    with _lock:
        sums, sharing = dict.fromkeys(_known, 0), dict[tuple[Labels, int], list[Traffic]]()
        for sender in _senders:
            sharing.setdefault((tuple(sender.labels.items()), id(sender.limit)), []).append(sender)
    for (labels, _), senders in sharing.items():
        sums[labels] += value(senders)
    return [(amount, dict(labels)) for labels, amount in sums.items()]
