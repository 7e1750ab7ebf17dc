"""Documents that could not be indexed, or not whole, with the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from relance.documents import document_id
from relance.store import schemas
from relance.store.connection import Store
from relance.store.faults import store_errors
from relance.store.lazy_table import LazyTable

__all__ = ["Failure", "FailureRow", "Failures"]


@dataclass(slots=True, frozen=True)
class Failure:
    """One document and why it is not in the index, or only in an older version.

    Attributes:
        stage: list, load, chunk, embed, check.
        retryable: whether it may pass without anybody doing anything.
        indexed: whether it is in the index: then this is a warning, of what of it is not there or is a guess.
        memory: what the next run wants to know of it, as JSON.
    """

    uri: str
    reason: str
    stage: str
    retryable: bool = False
    indexed: bool = False
    memory: str = ""


@dataclass(slots=True, frozen=True)
class FailureRow:
    """A row of the failures table.

    Attributes:
        stage, retryable, indexed: as in `Failure`.
        run_id: of the run that met it first with this reason, and when (`failed_at`).
    """

    doc_id: str
    uri: str
    stage: str
    reason: str
    retryable: bool
    run_id: str
    failed_at: datetime
    indexed: bool = False
    memory: str = field(default="", repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for people."""
        return {name: value for name, value in asdict(self).items() if name != "memory"} | {
            "failed_at": str(self.failed_at)
        }


class Failures(LazyTable):
    """The failures table beside a chunks table."""

    def __init__(self, store: Store, table: str) -> None:
        super().__init__(store, f"{table}__failures")

    def count(self) -> int:
        """Count the failures."""
        return self._count("indexed IS NOT TRUE") if self._has_warnings else self._count(None)

    def count_warnings(self) -> int:
        """Count the documents that are in the index with a warning."""
        return self._count("indexed") if self._has_warnings else 0

    def all(self) -> list[FailureRow]:
        """Return all failures and warnings, by uri."""
        if self.table is None:
            return []
        names = [name for name in schemas.FAILURES.names if name in self.table.schema.names]
        rows = [row for batch in self.stream(names) for row in batch.to_pylist()]
        for row in rows:
            row["indexed"] = bool(row.get("indexed"))
            row["memory"] = row.get("memory") or ""
        return sorted((FailureRow(**row) for row in rows), key=lambda row: row.uri)

    def remembered(self) -> dict[str, str]:
        """Return the memories of the failures that have one, by the id of the document."""
        if self.table is None or "memory" not in self.table.schema.names:
            return {}
        batches = self.stream(["doc_id", "memory"], "memory IS NOT NULL")
        return {row["doc_id"]: row["memory"] for batch in batches for row in batch.to_pylist()}

    def warned(self) -> set[str]:
        """Return the ids of documents that are in the index with a warning."""
        return {row.doc_id for row in self.all() if row.indexed} if self.count_warnings() else set()

    def replace(
        self, failures: list[Failure], *, run_id: str, now: datetime, only: frozenset[str] = frozenset(),
        kept: Collection[str] = (),
    ) -> None:  # fmt: skip
        """Make the table hold exactly `failures`; a failure that was there with the same reason keeps its date.

        `only` limits the replacement to those uris and the rows of those files; rows of documents in `kept` (ids) stay.
        Commits nothing where nothing changes.
        """
        import pyarrow as pa

        old = {row.uri: row for row in self.all()}
        new = {failure.uri: failure for failure in failures}
        changed = [
            {
                "doc_id": document_id(uri),
                "uri": uri,
                "stage": failure.stage,
                "reason": failure.reason,
                "retryable": failure.retryable,
                "run_id": run_id,
                "failed_at": now,
                "indexed": failure.indexed,
                "memory": failure.memory or None,
            }
            for uri, failure in new.items()
            if uri not in old
            or (old[uri].reason, old[uri].indexed, old[uri].memory) != (failure.reason, failure.indexed, failure.memory)
        ]
        for row in changed:
            was = old.get(str(row["uri"]))
            if was is not None and (was.reason, was.indexed) == (row["reason"], row["indexed"]):
                row |= {"run_id": was.run_id, "failed_at": was.failed_at}  # with another memory it is not newer
        gone = [
            document_id(uri)
            for uri in old
            if uri not in new and (not only or uri in only or uri.rpartition("#")[0] in only)
        ]
        gone = [each for each in gone if each not in kept]
        if changed:
            table = self._store.create(self.name, schemas.FAILURES)
            if lacking := [name for name in ("indexed", "memory") if name not in table.schema.names]:
                table.add_columns([schemas.FAILURES.field(name) for name in lacking])  # made by an earlier version
            merge = table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all()
            with store_errors(f"writing {self.name}"):
                merge.execute(pa.Table.from_pylist(changed, schema=schemas.FAILURES))
        self.delete(gone)

    @property
    def _has_warnings(self) -> bool:
        return self.table is not None and "indexed" in self.table.schema.names

    def _count(self, condition: str | None) -> int:
        with store_errors(f"reading {self.name}"):
            return 0 if self.table is None else self.table.count_rows(condition)
