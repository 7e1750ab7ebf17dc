"""What is examined: an index, the models it names, and what only its pipeline knows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relance.config import IndexSpec
from relance.embedding.providers import ModelInfo
from relance.store import Store
from relance.store.doctor.leftovers import Leftovers

if TYPE_CHECKING:
    from relance.store.doctor.cache import Keys
    from relance.store.doctor.rules import Rules

__all__ = ["Patient"]


@dataclass(slots=True, frozen=True)
class Patient:
    """An index in its store.

    Attributes:
        models: what is known of the model of each part (text, media); one that cannot be opened here is left out.
        keys: for each part whose vectors can be named, what names those of chunks, given by which rules documents were
            split.
        staging: the staging areas of runs that were killed.
        tables: the tables that are past the retention.
    """

    spec: IndexSpec
    store: Store
    models: dict[str, ModelInfo] = field(default_factory=dict)
    keys: dict[str, Callable[[Rules], Keys]] = field(default_factory=dict)
    staging: Leftovers = (list, lambda: None)
    tables: Leftovers = (list, lambda: None)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that the spec declares."""
        return ("text", "media") if self.spec.media is not None else ("text",)
