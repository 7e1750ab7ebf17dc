"""What one batch may buy, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Grant"]


@dataclass(slots=True, frozen=True)
class Grant:
    """A part of the run's claims, money and rates; enforced where the requests are made.

    Attributes:
        keys: of the vectors this batch is to buy; those it needs beside them are in the cache, or are bought by others.
        refused: why a service did not embed what stands behind a key, where another batch has asked.
        tokens: reserved for it from the run's budget, in a process that does not share the run's meter.
        usd: dollars it may spend there; None is no limit.
        share: part of the account's rates and connections it may use there.
    """

    keys: frozenset[str]
    refused: Mapping[str, str] = field(default_factory=dict)
    tokens: int = 0
    usd: float | None = None
    share: float = 1.0
