"""What a run writes: batches, what is gone, and its record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Item, document_id
from relance.errors import StoppedError
from relance.pipeline.outlier_filter import open_outlier_filter
from relance.pipeline.thumbnails import Thumbnails
from relance.pipeline.vectors import without
from relance.safe_text import redact
from relance.store import schemas
from relance.store.runs import Runs
from relance.store.writer import Writer

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.pipeline.batch import Batch
    from relance.pipeline.discovery import Discovery
    from relance.pipeline.report import Report
    from relance.pipeline.runtime import Runtime
    from relance.store import Store
    from relance.store.index_tables import IndexTables

__all__ = ["Commits", "count_changed"]


class Commits:
    """The writing side of a run over one part of an index; used by one thread at a time.

    Attributes:
        recorded: whether the run stands in the log of runs.
    """

    def __init__(self, spec: IndexSpec, store: Store, tables: IndexTables, runtime: Runtime, report: Report,
                 check_lock: Callable[[], None], *, serve: bool = True) -> None:  # fmt: skip
        self.recorded = self._finished = False
        self._serve = serve
        self._store, self._tables, self._runtime, self._report = store, tables, runtime, report
        self._writer = Writer(store, spec, tables, report.run_id, check_lock)
        self._outliers = open_outlier_filter(spec, store, tables, runtime.provider.info.dimension)
        media = spec.media if runtime.part == "media" else None
        self._thumbnails = Thumbnails(store, spec.name, int(media.thumbnails) if media is not None else 0)
        self._warned: set[str] | None = None  # documents in the index that have a warning
        self._started_at = datetime.now(UTC)

    def repair(self) -> None:
        """Mend the tables where they are not as the last run left them: what is not whole looks changed."""
        self._report.notes += self._writer.repair()

    @property
    def whole(self) -> bool:
        """Whether everything is written, and readers may move on to it."""
        return self._finished and self._writer.whole

    @property
    def takes_over(self) -> bool:
        """Whether readers move on to these tables from others."""
        return self._writer.takes_over

    def expect(self, collections: list[Item]) -> None:
        """Name files of rows whose rows will be written: from then on they count as unread until the run is done."""
        self._writer.expect([document_id(item.uri) for item in collections])

    def commit(self, batch: Batch, known: pa.Array) -> int:
        """Replace the batch's documents in the table, then in the manifest; returns the chunks written.

        `known` are the ids of documents the index may hold rows of.
        """
        tables = dict(batch.tables)
        if self._outliers is not None:
            failures = self._outliers.check(tables["chunks"])
            for failure in failures:
                self._report.fail(failure)
            tables = without(tables, [document_id(failure.uri) for failure in failures])
        chunks, documents, touched = tables["chunks"], tables["documents"], tables["touched"]
        if documents.num_rows or touched.num_rows:
            self._writer.write(_rows(chunks, self._tables), pa.concat_tables([documents, touched]),
                               known=known.to_pylist())  # fmt: skip
        if "thumbnails" in tables:
            self._thumbnails.put(tables["thumbnails"])
        self._warnings.difference_update(documents["doc_id"].to_pylist())
        changed = count_changed(documents, known)
        for name, amount in {
            "chunks": chunks.num_rows, "changed": changed, "added": documents.num_rows - changed,
            "touched": touched.num_rows, "unchanged": touched.num_rows,
        }.items():  # fmt: skip
            self._report.add(name, amount)
        return chunks.num_rows

    def finish(self, discovery: Discovery, *, stopped: bool, only: frozenset[str], gone: Sequence[str] = ()) -> None:
        """Remove what is gone, by listing or by a rule, refresh indexes, publish, and record the run."""
        report, writer = self._report, self._writer
        with report.stage("finish"):
            self._runtime.cache.close()
            failures = self._tables.failures.version
            if not stopped:
                report.add("removed", writer.remove(gone))
                if discovery.complete:
                    self._warnings.difference_update(discovery.removed)
                    report.add("removed", writer.remove(discovery.removed))
                    writer.finish_collections(self._whole(discovery.collections), self._versions)
                self._tables.failures.replace(
                    [*report.warnings, *report.failures], run_id=report.run_id, now=datetime.now(UTC), only=only,
                    kept=self._warnings,
                )  # fmt: skip
            writer.tidy(bought=report.embedded)
            # What is built beside shows nothing yet that readers see.
            others = self._serve and not stopped and bool(report.removed or report.changed)
            self._thumbnails.finish(self._shown if others else None)
            waiting = any(failure.retryable for failure in report.failures)
            note = writer.publish(complete=not (stopped or waiting or only)) if self._serve else None
            writer.wrote |= self._tables.failures.version != failures  # they belong to what is sealed
            self._finished = True
            report.notes += [note] if note else []
            report.notes += self._outliers.notes() if self._outliers is not None else []
        if stopped:
            report.status = "stopped"
        elif report.failed:
            report.status = "completed with failures"
        self.record()

    def fail(self, error: BaseException) -> None:
        """Commit what waits, and record that the run failed, or was stopped."""
        if isinstance(error, Exception):  # not where the process is to end
            with contextlib.suppress(Exception):
                self._writer.flush()
                self._thumbnails.flush()
        self._report.status = "stopped" if isinstance(error, StoppedError | KeyboardInterrupt) else "failed"
        self._report.notes.append(redact(str(error))[:500] or type(error).__name__)
        with contextlib.suppress(Exception):  # the error itself is what the caller has to hear of
            self.record()

    def record(self) -> None:
        """Append the run to the log of runs."""
        report, tables = self._report, self._tables
        report.table, report.table_version = tables.name, tables.chunks.version
        report.served = self.takes_over or (tables.alias or {}).get("table") == tables.name
        report.end()
        Runs(self._store, tables.index).append(
            run_id=report.run_id,
            table=tables.name,
            status=report.status,
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
            versions=tables.versions,
            report=report.as_dict(),
        )
        self.recorded = True

    @property
    def _warnings(self) -> set[str]:
        """Documents in the index with a warning that still holds: nobody reads what has not changed."""
        if self._warned is None:
            self._warned = self._tables.failures.warned()
        return self._warned

    def _shown(self) -> Iterator[pa.RecordBatch]:
        return self._tables.chunks.stream(["content_hash"], "active")

    def _versions(self, item: Item) -> dict[str, Any]:
        source = self._runtime.sources[item.source]
        remembered = getattr(source, "remembered", None)
        memory = None if remembered is None else remembered.get(item.uri, ("", ""))[1]
        return self._runtime.fingerprints.versions(item, memory)

    def _whole(self, collections: list[Item]) -> list[Item]:
        """Choose the files of rows of which every row is in: a failing one has to be read again."""
        failed = {failure.uri for failure in self._report.failures}
        bad = {uri[:at] for uri in failed for at, letter in enumerate(uri) if letter == "#"} | failed
        return [item for item in collections if item.uri not in bad]


def _rows(chunks: pa.Table, tables: IndexTables) -> pa.Table:
    """Give chunks the columns that their table has."""
    schema = schemas.values(tables.chunks.schema)
    if not chunks.num_rows:
        return schema.empty_table()
    columns = {name: chunks[name] for name in schema.names if name in chunks.column_names}
    columns["metadata"] = schemas.json_column(chunks["metadata"])
    return pa.table([columns[name] for name in schema.names], names=schema.names)


def count_changed(documents: pa.Table, known: pa.Array) -> int:
    """Count the documents that the index may hold already, of which `known` are the ids."""
    return int(pc.sum(pc.is_in(documents["doc_id"], known)).as_py() or 0)
