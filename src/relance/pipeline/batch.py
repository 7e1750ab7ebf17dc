"""A batch: documents that travel through the stages together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from relance.pipeline.counts import Counts

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.pipeline.staging import Staging
    from relance.pipeline.store_staging import StoreStaging

__all__ = ["Batch"]


class Batch:
    """A value: Arrow tables by name (`items`, `documents`, `chunks`), and what the last stage counted.

    Between threads it holds its tables; pickled, as for another process, it writes them to the staging area and is
    their address. A plain class on purpose: Prefect walks through lists, dataclasses and models that it passes between
    tasks, and a batch is megabytes.

    Attributes:
        number: the how-manieth of the run, from 1.
        total: of how many; 0 while the sources are still listed.
        counts: of the stage that made it.
    """

    __slots__ = ("_address", "_staging", "_tables", "counts", "number", "total")

    def __init__(self, number: int, total: int, tables: Mapping[str, pa.Table], staging: Staging | StoreStaging, *,
                 counts: Counts | None = None) -> None:  # fmt: skip
        self.number = number
        self.total = total
        self.counts = counts or Counts()
        self._tables: Mapping[str, pa.Table] | None = tables
        self._staging = staging
        self._address = ""

    @property
    def name(self) -> str:
        """How far along this batch is, for people."""
        return f"{self.number}/{self.total}" if self.total else str(self.number)

    def __getitem__(self, name: str) -> pa.Table:
        """Return a table; one that no stage has made yet is a KeyError."""
        return self.tables[name]

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """All its tables; those in the staging area are read once, until they are spooled or released."""
        if self._tables is None:
            self._tables = self._staging.read(self._address)
        return self._tables

    def becomes(self, tables: Mapping[str, pa.Table], counts: Counts) -> Batch:
        """Make the batch that a stage returns."""
        return Batch(self.number, self.total, tables, self._staging, counts=counts)

    def spool(self) -> None:
        """Move the tables from memory to the staging area; they are read again when somebody looks."""
        if self._tables is not None:
            self._address = self._address or self._staging.write(self._tables)
            self._tables = None

    def release(self) -> None:
        """Let go of the tables: whoever carries batches about, such as Prefect, keeps them until the run ends."""
        if self._address:
            self._staging.drop(self._address)
        self._tables, self._address = {}, ""

    def __reduce__(self) -> tuple[object, ...]:
        self._address = self._address or self._staging.write(self._tables or {})
        return _staged, (self.number, self.total, self._staging, self._address, self.counts)

    def __repr__(self) -> str:
        rows = {name: table.num_rows for name, table in (self._tables or {}).items()}
        return f"<batch {self.name}: {rows or 'staged'}>"


def _staged(number: int, total: int, staging: Staging | StoreStaging, address: str, counts: Counts) -> Batch:
    batch = Batch(number, total, {}, staging, counts=counts)
    batch._tables, batch._address = None, address  # noqa: SLF001  # its own class
    return batch
