"""Tables that are built beside the serving ones, in the catalog: how far they are, and why they do not serve yet."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Self

from relance.store.catalog import Catalog

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.store.connection import Store

__all__ = ["Beside"]

State = Literal["building", "held", "switched"]


@dataclass(slots=True, frozen=True)
class Beside:
    """The tables beside those of one part of an index (its name as in the catalog).

    Attributes:
        table: name of the chunks table.
        state: building; held: whole, but a person has to decide; switched: readers use it.
        reason: why they are held back, as a sentence.
        rules: names model, splitting and parsers that they were built by.
        previous: table that serves until they are switched to, and can again.
    """

    table: str
    state: State
    reason: str = ""
    rules: str = ""
    previous: str = ""
    since: str = ""

    @classmethod
    def of(cls, store: Store, index: str) -> Self | None:
        """Read the note of a part; None where nothing was ever built beside."""
        value = Catalog(store).get(f"beside/{index}")
        return None if value is None else cls(**value)

    @property
    def waits(self) -> bool:
        """Whether the serving tables are to be kept in sync meanwhile."""
        return self.state != "switched"

    def put(self, store: Store, index: str) -> None:
        """Write the note in place of the one there was."""
        catalog, key = Catalog(store), f"beside/{index}"
        value = asdict(replace(self, since=datetime.now(UTC).isoformat(timespec="seconds")))
        catalog.put(key, value, expected=catalog.get(key))

    def told(self, spec: IndexSpec) -> str:
        """Say what a run that keeps the serving tables in sync leaves to others."""
        what = f"readers stay with the tables in use, which this run keeps in sync: {self.table} "
        if self.state == "held":
            return f"{what}is held back ({self.reason}); `relance reembed SPEC --switch` uses it all the same"
        return f"{what}is being built beside; `relance reembed SPEC` goes on with {spec.embedding.model}"
