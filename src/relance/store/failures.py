"""Documents that could not be indexed, with the reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from relance.documents import document_id
from relance.store import schemas
from relance.store.connection import Store
from relance.store.lazy_table import LazyTable

__all__ = ["Failure", "FailureRow", "Failures"]


@dataclass(slots=True, frozen=True)
class Failure:
    """One document and why it is not in the index, or only in an older version.

    Attributes:
        stage: list, load, chunk, embed, check.
        retryable: whether it may pass without anybody doing anything.
    """

    uri: str
    reason: str
    stage: str
    retryable: bool = False


@dataclass(slots=True, frozen=True)
class FailureRow:
    """A row of the failures table.

    Attributes:
        stage, retryable: as in `Failure`.
        run_id: of the run that met it first with this reason, and when (`failed_at`).
    """

    doc_id: str
    uri: str
    stage: str
    reason: str
    retryable: bool
    run_id: str
    failed_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"failed_at": str(self.failed_at)}


class Failures(LazyTable):
    """The failures table beside a chunks table."""

    def __init__(self, store: Store, table: str) -> None:
        super().__init__(store, f"{table}__failures")

    def count(self) -> int:
        """Count the failures."""
        return 0 if self.table is None else self.table.count_rows()

    def all(self) -> list[FailureRow]:
        """Return all failures, by uri."""
        rows = [] if self.table is None else self.table.search().limit(None).to_list()
        return sorted((FailureRow(**row) for row in rows), key=lambda row: row.uri)

    def replace(
        self, failures: list[Failure], *, run_id: str, now: datetime, only: frozenset[str] = frozenset()
    ) -> None:
        """Make the table hold exactly `failures`; a failure that was there with the same reason keeps its date.

        `only` limits the replacement to those uris and the rows of those files. Commits nothing where nothing changes.
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
            }
            for uri, failure in new.items()
            if uri not in old or old[uri].reason != failure.reason
        ]
        gone = [
            document_id(uri)
            for uri in old
            if uri not in new and (not only or uri in only or uri.rpartition("#")[0] in only)
        ]
        if changed:
            table = self._store.create(self.name, schemas.FAILURES)
            merge = table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(pa.Table.from_pylist(changed, schema=schemas.FAILURES))
        if gone and self.table is not None:
            for condition in schemas.in_lists("doc_id", gone):
                self.table.delete(condition)
