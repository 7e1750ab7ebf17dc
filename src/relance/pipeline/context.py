"""What every stage gets with its batch: small, frozen, the same in every process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relance.config.reference import SpecReference

if TYPE_CHECKING:
    from relance.pipeline.staging import Staging
    from relance.pipeline.store_staging import StoreStaging

__all__ = ["Context"]


@dataclass(slots=True, frozen=True)
class Context:
    """A run over one part of an index.

    Attributes:
        spec: the declaration, with its secrets as references.
        part: text | media.
        run_id: of the run; both parts have the same.
        full: whether documents are read and written again that have not changed.
        guess: whether the run only plans: what is behind an address is not fetched.
        staging: where batches lie that leave a process.
        made: the section of the model where the tables are by another one than the spec names, JSON; else empty.
        spared: fingerprints of documents that are left as they are.
        trace: the span of the run, as OpenTelemetry propagates it.
    """

    spec: SpecReference
    part: str
    run_id: str
    full: bool
    guess: bool
    staging: Staging | StoreStaging
    made: str = ""
    spared: frozenset[str] = frozenset()
    trace: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the run is over, for people: `handbook`, or `handbook media`."""
        return f"{self.spec.name} media" if self.part == "media" else self.spec.name
