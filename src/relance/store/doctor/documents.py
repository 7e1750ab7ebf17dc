"""Whether the chunks of an index are those its manifest says: every document whole, none twice, none without a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.counted import counted
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.reading import TableReading
from relance.store.index_tables import IndexTables
from relance.store.repair import TORN, find_torn
from relance.store.vector_table import dense_matrix

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ChunkRows", "check_documents"]

_SHOWN = 100_000  # bad vectors whose documents are remembered by name


@dataclass(slots=True)
class ChunkRows:
    """What is noted of the rows of a chunks table while it is read: which are foreign or old, whose vectors are bad."""

    bad: dict[str, str] = field(default_factory=dict)
    bad_rows: int = 0
    foreign: int = 0
    tombstones: int = 0

    def look(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        ours = ours_only(batch, "id", "doc_id")
        self.foreign += batch.num_rows - int(ours.sum())
        if not ours.all():
            batch = batch.filter(pa_array(ours))
        active = batch["active"].to_numpy(zero_copy_only=False).astype(bool)
        self.tombstones += batch.num_rows - int(active.sum())
        bad = active & bad_vectors(batch)
        if bad.any():
            places = np.flatnonzero(bad)
            self.bad_rows += len(places)
            for at in places.tolist() if len(self.bad) < _SHOWN else ():
                self.bad[batch["doc_id"][at].as_py()] = batch["uri"][at].as_py()


def ours_only(batch: pa.RecordBatch, *columns: str) -> NDArray[np.bool_]:
    """Tell which rows have ids as relance makes them in these columns; shape (rows,)."""
    import pyarrow.compute as pc

    found = np.ones(batch.num_rows, bool)
    for name in columns:
        found &= pc.fill_null(pc.match_substring_regex(batch[name], "^[0-9a-f]{32}$"), False).to_numpy(False)
    return found


def bad_vectors(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Tell which rows have a dense vector that is missing, zero or not a number; shape (rows,)."""
    if "vector" not in batch.schema.names:
        return np.zeros(batch.num_rows, bool)
    column = batch["vector"]
    matrix = dense_matrix(column)
    missing = np.zeros(batch.num_rows, bool) if not column.null_count else ~column.is_valid().to_numpy(False)
    return missing | ~np.isfinite(matrix).all(axis=1) | ~matrix.any(axis=1)


def check_documents(exam: Examination, tables: IndexTables, chunks: TableReading | None, manifest: TableReading | None,
                    rows: ChunkRows, *, part: str, mark: Callable[[pa.Table], str]) -> None:  # fmt: skip
    """Compare the chunks that can be read with the manifest that can be read.

    `mark` lets documents (columns `doc_id` and `uri`) look changed, so that the next run writes them anew.
    """
    import pyarrow as pa

    if rows.foreign:
        exam.find(Finding(
            code="row-foreign", where=tables.name, part=part,
            what=f"{rows.foreign:,} rows have ids that relance does not make; runs cannot compare the table with them",
            remedy="removes these rows",
            fix=lambda: _drop_foreign(tables),
        ))  # fmt: skip
        return
    if rows.tombstones:
        exam.find(Finding(
            code="tombstones-left", where=tables.name, part=part, level="note",
            what=f"{rows.tombstones:,} rows were replaced and are not deleted yet; readers that do not filter by "
            "`active` see them",
            remedy="deletes them",
            fix=lambda: _sweep(tables),
        ))  # fmt: skip
    waiting = _check_manifest(exam, manifest, tables, part=part) if manifest is not None else set()
    view: Any = _View(tables, chunks, manifest)
    torn = find_torn(view)
    if torn.num_rows:
        reasons = torn.group_by("reason").aggregate([("doc_id", "count")]).to_pylist()
        listed = ", ".join(f"{each['doc_id_count']:,} {each['reason']}" for each in reasons)
        exam.find(Finding(
            code="documents-torn", where=tables.name, part=part, marks=True,
            what=f"not whole: {counted(torn.num_rows, 'document')} ({listed})",
            remedy="marks them; the next run writes them again, and removes what no source has",
            documents=torn["uri"].to_pylist(),
            fix=lambda: mark(torn),
        ))  # fmt: skip
    bad = {doc_id: uri for doc_id, uri in rows.bad.items() if doc_id not in waiting}
    if bad:
        named = pa.table({"doc_id": pa.array(bad, pa.string()), "uri": pa.array(bad.values(), pa.string())})
        exam.find(Finding(
            code="vector-bad", where=tables.name, part=part, marks=True,
            what=f"{counted(rows.bad_rows, 'chunk')} of {counted(len(bad), 'document')} without a vector that can be "
            "used (missing, zero, not a number): dense search does not find them",
            remedy="marks the documents; the next run writes them again",
            documents=list(bad.values()),
            fix=lambda: mark(named),
        ))  # fmt: skip


def _check_manifest(exam: Examination, manifest: TableReading, tables: IndexTables, *, part: str) -> set[str]:
    """Look for documents that wait to be written; returns their ids."""
    waiting: dict[str, str] = {}
    for batch in manifest.stream(["doc_id", "uri", "chunks"]):
        marked = batch["chunks"].fill_null(0).to_numpy(zero_copy_only=False) == TORN
        if marked.any():
            named = batch.filter(pa_array(marked))
            waiting |= dict(zip(named["doc_id"].to_pylist(), named["uri"].to_pylist(), strict=True))
    exam.waiting += len(waiting)
    if waiting:
        exam.find(Finding(
            code="documents-waiting", where=tables.name, part=part, waits=True,
            what=f"marked to be written again: {counted(len(waiting), 'document')}",
            remedy="nothing: the next `relance ingest` writes them",
            documents=list(waiting.values()),
        ))  # fmt: skip
    return set(waiting)


def pa_array(mask: NDArray[np.bool_]) -> pa.Array:
    """Turn a mask into Arrow's."""
    import pyarrow as pa

    return pa.array(mask)


def _drop_foreign(tables: IndexTables) -> str:
    """Remove the rows whose ids are none of ours."""
    condition = " OR ".join(
        f"{name} IS NULL OR NOT regexp_like({name}, '^[0-9a-f]{{32}}$')" for name in ("id", "doc_id")
    )
    removed = tables.chunks.table.delete(condition).num_deleted_rows if tables.chunks.table is not None else 0
    return f"removed {counted(removed, 'row')} from {tables.name}"


def _sweep(tables: IndexTables) -> str:
    tables.chunks.sweep()
    return f"deleted the rows of {tables.name} that were replaced"


class _View:
    """The tables of an index as far as they can be read, as `find_torn` reads them."""

    def __init__(self, tables: IndexTables, chunks: TableReading | None, manifest: TableReading | None) -> None:
        self.name = tables.name
        self.chunks = _Stream(chunks)
        self.manifest = _Stream(manifest)


class _Stream:
    def __init__(self, reading: TableReading | None) -> None:
        self._reading = reading

    def stream(self, columns: list[str], where: str | None = None) -> Iterable[pa.RecordBatch]:
        """Stream columns; the one condition there is, `active`, is looked at here: LanceDB would open hurt files."""
        if self._reading is None:
            return
        for batch in self._reading.stream([*columns, "active"] if where else columns):
            yield batch.filter(batch["active"]).select(columns) if where else batch
