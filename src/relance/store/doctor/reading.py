"""A table read whole, file by file: one that is hurt is named, and the rest is still read.

Which rows are in which file is known without opening one: the upper half of a row's id is the number of its file. Rows
of a file that cannot be read can be counted, and deleted, all the same. A range of places opens the files it is in, and
no others; a condition does not do: of columns that are read early LanceDB opens all files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.store import Store
from relance.store.doctor.cause import cause_of, file_in
from relance.store.faults import is_damage

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["HurtFile", "TableReading", "open_reading"]

_BATCH = 4096  # rows of 1,024 numbers take 16 MB
_END = b"LANC"  # what a whole data file ends with


@dataclass(slots=True, frozen=True)
class HurtFile:
    """A data file that cannot be read: its number, its name if that is known, its rows, and why."""

    number: int
    name: str
    rows: int
    cause: str

    @property
    def condition(self) -> str:
        """What selects its rows without reading it."""
        return f"_rowid >= {self.number << 32} AND _rowid < {(self.number + 1) << 32}"


@dataclass(slots=True)
class TableReading:
    """One version of a table, as far as it can be read.

    Attributes:
        table: read-only, at `version`.
        files: numbers of its data files in the order of their rows, with how many there are of each.
    """

    name: str
    table: Any
    version: int
    folder: Path | None = None
    files: dict[int, int] = field(default_factory=dict)
    hurt: list[HurtFile] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The rows that can be read."""
        return sum(self.files.values()) - sum(each.rows for each in self.hurt)

    def survey(self) -> None:
        """Learn which files there are; raises what LanceDB raises where not even that can be read."""
        counts: dict[int, int] = {}
        for batch in self.table.search().select(["_rowid"]).limit(None).to_batches():
            of = batch["_rowid"].to_numpy() >> np.uint64(32)
            numbers, first, rows = np.unique(of, return_index=True, return_counts=True)
            for at in np.argsort(first).tolist():  # compaction leaves them in any order
                counts[int(numbers[at])] = counts.get(int(numbers[at]), 0) + int(rows[at])
        self.files = counts

    def read(self, look: Callable[[pa.RecordBatch], None] = lambda _: None, *, only: set[int] | None = None) -> None:
        """Read all columns of each file, and show them to `look`; note which files cannot be read.

        Of a file that is damaged in the middle `look` may see the beginning.
        """
        for number, rows in self.files.items():
            if only is not None and number not in only:
                continue
            batches = iter(self._file(number, self.table.schema.names))
            while True:
                try:
                    batch = next(batches, None)
                except Exception as error:  # LanceDB has no classes for it
                    if not is_damage(error):  # the disk or the network: no reason to give rows up
                        raise
                    self.hurt.append(HurtFile(number, file_in(error), rows, cause_of(error)))
                    break
                if batch is None:
                    break
                look(batch)
        self._name_files()

    def stream(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Stream columns of the rows that can be read."""
        hurt = {each.number for each in self.hurt}
        for number in self.files:
            if number not in hurt:
                yield from self._file(number, columns)

    def _file(self, number: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        start = 0
        for other, rows in self.files.items():
            if other == number:
                query = self.table.search().select(columns).offset(start).limit(rows)
                yield from query.to_batches(batch_size=_BATCH)
                return
            start += rows

    def _name_files(self) -> None:
        """Name the one file that is not named in LanceDB's error by how it ends, where that tells."""
        unnamed = [each for each in self.hurt if not each.name]
        if len(unnamed) != 1 or self.folder is None:
            return
        named = {Path(each.name).name for each in self.hurt}
        torn = [
            path for path in sorted((self.folder / "data").glob("*.lance")) if path.name not in named and is_torn(path)
        ]
        if len(torn) == 1:
            at = self.hurt.index(unnamed[0])
            name = f"{self.folder.name}/data/{torn[0].name}"
            self.hurt[at] = HurtFile(unnamed[0].number, name, unnamed[0].rows, unnamed[0].cause)


def is_torn(path: Path) -> bool:
    """Tell whether a data file does not end as a whole one does."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - len(_END)))
            return file.read() != _END
    except OSError:
        return True


def open_reading(store: Store, name: str, version: int | None = None) -> TableReading | None:
    """Open a table for reading, and learn which files it has; None where there is none.

    Raises what LanceDB raises where the version, by default the newest, cannot be opened.
    """
    table = store.open(name)
    if table is None:
        return None
    table.checkout(version or table.version)
    folder = store.local / f"{name}.lance" if store.local is not None else None
    reading = TableReading(name, table, table.version, folder)
    reading.survey()
    return reading
