"""One run over one index: the stages of the main path, and what holds them together.

`relance_flows.ingest` calls the stages as Prefect tasks, `Index.ingest` in plain threads; both end up here.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from relance.config import EmbeddingSpec, IndexSpec, fingerprint
from relance.documents import Item, document_id
from relance.embedding.budget import Budget, CostMeter
from relance.errors import DocumentError, RelanceError, RetryableError, StoppedError
from relance.pipeline.approval import check_loss
from relance.pipeline.batch import Batch
from relance.pipeline.discovery import BATCH_BYTES, BATCH_ITEMS, Discovery
from relance.pipeline.outlier_filter import open_outlier_filter
from relance.pipeline.report import Report
from relance.pipeline.run_handle import Progress, RunHandle, current_handle
from relance.sources import Source, open_source
from relance.store import open_store
from relance.store.chunks import EmbeddedDocument
from relance.store.embeddings import EmbeddingStore
from relance.store.failures import Failure
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import hold
from relance.store.manifest import marker
from relance.store.quota import FreeQuota
from relance.store.runs import Runs
from relance.store.writer import Writer
from relance.telemetry.run import measured

if TYPE_CHECKING:
    from relance.embedding.batch_api import FillReport
    from relance.embedding.embedder import Embedded
    from relance.embedding.runtime import EmbeddingLoop

__all__ = ["Ingestion"]


_MEDIA_WAIT_S = 3600.0


class Ingestion:
    """A run over the texts of an index; a context manager that holds index, provider and tables while it lasts.

    The stages `load`, `chunk`, `embed` and `upsert` take and return the same batch and may run in any thread, several
    batches at a time; running a stage again on the same batch is harmless.
    """

    media = False
    batch_items = BATCH_ITEMS
    batch_bytes = BATCH_BYTES

    def __init__(self, spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (),  # noqa: PLR0913  # by keyword
                 wait_s: float = 0.0,
                 read_only: bool = False, handle: RunHandle | None = None, budget: Budget | None = None,
                 run_id: str = "", approved: bool = False) -> None:  # fmt: skip
        self.spec = spec
        self.handle = handle or current_handle.get() or RunHandle()
        self.budget = budget or Budget(spec.limits.max_cost_usd)
        self.report = Report(
            index=spec.name, run_id=run_id or uuid.uuid4().hex[:12], part="media" if self.media else "text",
            partial=bool(only),
        )  # fmt: skip
        self.discovery: Discovery | None = None
        self._full = full
        self._only = frozenset(only)
        self._wait_s = wait_s
        self._read_only = read_only
        self._approved = approved
        self._exits = contextlib.ExitStack()
        self._embedder: EmbeddingLoop | None = None
        self._opening = threading.Lock()
        # Cutting is Python and cannot run twice at once anyway; one batch after the other lets embedding start early.
        self._cutting = threading.Lock()
        self._writing = threading.Lock()
        self._recorded = False
        self._done = 0
        self._filled = self._filled_tokens = 0
        self._fingerprints: dict[str, str] = {}

    def __enter__(self) -> Self:
        from relance.embedding.providers import open_provider

        self.store = open_store(self.spec)
        check_lock = lambda: None  # noqa: E731  # nothing is written, nothing can be lost
        if not self._read_only:
            check_lock = self._hold()
        self._began, self._started_at = time.perf_counter(), datetime.now(UTC)
        try:
            self.sources = self._open_sources()
            self.provider = open_provider(self.embedding)
            info = self.provider.info
            self.report.model = info.name
            self.tables = IndexTables.for_model(self.store, self.spec, info, media=self.media)
            self.quota = FreeQuota(self.tables.catalog, info, self.embedding.free_tokens)
            self.meter = CostMeter(info, self.budget, free_tokens=self.quota.left())
            self.writer = Writer(self.store, self.spec, self.tables, self.report.run_id, check_lock)
            self.vectors = EmbeddingStore(self.store, self.tables.space, info.dimension, sparse=info.sparse)
            self._exits.callback(self.vectors.close)
            self._gate = open_outlier_filter(self.spec, self.tables, info.dimension, media=self.media)
            if not self._read_only:
                self._exits.enter_context(measured(self.report, info))
        except BaseException:
            self._exits.close()
            raise
        return self

    def _hold(self) -> Callable[[], None]:
        """Keep other runs away; returns a check of that.

        The texts' part holds the media as well, so that a run which finds them being written ends before it begins.
        The media's part then waits for a run that came in between: its texts are paid for by now.
        """
        wait_s = max(self._wait_s, _MEDIA_WAIT_S) if self.media else self._wait_s
        own = hold(self.store, part_name(self.spec.name, media=self.media), wait_s=wait_s)
        check = self._exits.enter_context(own)
        if not self.media and self.spec.media is not None:
            other = hold(self.store, part_name(self.spec.name, media=True), wait_s=wait_s)
            try:
                self._exits.enter_context(other)
            except BaseException:
                self._exits.close()
                raise
        return check

    @property
    def title(self) -> str:
        """What the run is over, for people: `handbook`, or `handbook media`."""
        return self.report.title

    @property
    def embedding(self) -> EmbeddingSpec:
        """The section of the spec that names this part's model."""
        return self.spec.embedding

    def _open_sources(self) -> list[Source]:
        return [open_source(self.spec, position) for position in range(len(self.spec.sources))]

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self.discovery is not None:
            self._exits.callback(self.discovery.close)
        try:
            if error is not None and not (self._read_only or self._recorded):
                self.report.status = "failed"
                self.report.notes.append(str(error)[:500] or type(error).__name__)
                with contextlib.suppress(Exception):  # the error itself is what the caller has to hear of
                    self._record()
        finally:
            self._exits.close()

    # -- stages ------------------------------------------------------------------------------------------------

    def discover(self) -> Discovery:
        """Compare the sources with the manifest; repair first what an interrupted run left half done.

        Raises ApprovalNeededError where more would be removed than `limits` and nobody allow.
        """
        with self.report.stage("discover"):
            if not self._read_only:
                self.writer.repair()
            self.discovery = Discovery(
                sources=self.sources,
                snapshot=self.tables.manifest.snapshot(),
                manifest=self.tables.manifest,
                fingerprint=self._fingerprint,
                only=self._only,
                full=self._full,
                stopped=self.handle.stop.is_set,
                batch_items=self.batch_items,
                batch_bytes=self.batch_bytes,
            )
            self.discovery.run()
            self.writer.expect([document_id(item.uri) for item in self.discovery.collections])
            if not self._read_only:
                check_loss(self, approved=self._approved)
            self.report.unchanged = self.discovery.unchanged
            for failure in self.discovery.failures:
                self.report.fail(failure)
        self._progress("discovered")
        return self.discovery

    def fill(self) -> FillReport:
        """Buy what is missing by batch files at half the price, before the documents go through the stages.

        May take a day; a run that is stopped or killed meanwhile leaves its order to the next one. Raises
        RetryableError where the service is away: embedding online instead would pay twice.
        """
        from relance.embedding.batch_api import changed_texts, fill

        filled = fill(self, changed_texts(self))
        self._filled, self._filled_tokens = filled.embedded, filled.tokens
        return filled

    def batches(self) -> Iterator[Batch]:
        """Stream the batches of what may have changed, until done or stopped."""
        assert self.discovery is not None  # noqa: S101  # discover() comes first
        for number, candidates in enumerate(self.discovery.read(), start=1):
            if self.handle.stop.is_set():
                return
            yield Batch(number, self.discovery.batches, candidates)

    def load(self, batch: Batch) -> Batch:
        """Read the candidates; parse those whose content or fingerprint really changed."""
        with self.report.stage("load"):
            batch.documents, batch.touched, failed = [], [], []
            rows = self.tables.manifest.rows(batch.known)
            for candidate in batch.candidates:
                item = candidate.item
                source = self.sources[item.source]
                try:
                    content = source.read(item)
                    row = rows.get(document_id(item.uri))
                    same = row is not None and row["content_hash"] == content.content_hash
                    if same and not self._full and row["fingerprint"] == self._fingerprint(item):
                        batch.touched.append({**row, **self._versions(item)})
                    else:
                        batch.documents.append(source.parse(content))
                except DocumentError as error:
                    failed.append(Failure(error.uri, error.reason, "load"))
            self._fail(failed)
        return batch

    def chunk(self, batch: Batch) -> Batch:
        """Cut the documents."""
        from relance.chunkers import chunk_document

        with self._cutting, self.report.stage("chunk"):
            limit = self.provider.info.max_input_tokens
            whole, cut, failed = [], [], []
            for document in batch.documents:
                try:
                    chunks = chunk_document(document, self.spec.chunking, self.provider.tokenizer, limit)
                except DocumentError as error:
                    failed.append(Failure(error.uri, error.reason, "chunk"))
                    continue
                if chunks:
                    whole.append(document)
                    cut.append(chunks)
                else:
                    failed.append(Failure(document.uri, "no text in it", "chunk"))
            batch.documents, batch.chunks = whole, cut
            self._fail(failed)
        return batch

    def inputs(self, batch: Batch) -> tuple[list[Any], np.ndarray | None]:
        """Return what is embedded for each chunk of the batch, and its tokens where they are known already."""
        from relance.chunkers import embedding_text

        spec = self.spec.chunking
        parts = [(document, chunk) for document, chunks in zip(batch.documents, batch.chunks, strict=True)
                 for chunk in chunks]  # fmt: skip
        texts = [embedding_text(document, chunk, spec) for document, chunk in parts]
        return texts, None if spec.context else np.array([chunk.tokens for _, chunk in parts], dtype=np.int64)

    def embed(self, batch: Batch) -> Batch:
        """Find or buy the vectors; a document with a refused text becomes a failure as a whole."""
        with self.report.stage("embed"):
            inputs, tokens = self.inputs(batch)
            if not inputs:
                batch.vectors, batch.sparse = [], []
                return batch
            try:
                result = self.embedder.call(inputs, tokens)
            except RetryableError as error:
                if self.handle.stop.is_set():
                    raise StoppedError(str(error)) from error
                raise
            with self._opening:  # what was bought in bulk is found in the store now, and was counted when it came
                filled = min(self._filled, result.reused)
                self._filled -= filled
            self.report.add("reused", result.reused - filled + result.duplicates)
            self.vectors.drain()
            whole, cut, vectors, sparse, failed, at = [], [], [], [], [], 0
            for document, chunks in zip(batch.documents, batch.chunks, strict=True):
                span = range(at, at := at + len(chunks))
                reason = next((result.failures[i] for i in span if i in result.failures), None)
                if reason is not None:
                    failed.append(Failure(document.uri, reason, "embed"))
                    continue
                whole.append(document)
                cut.append(chunks)
                vectors.append(result.vectors[span.start : span.stop])
                sparse.append(result.sparse[span.start : span.stop])
            batch.documents, batch.chunks, batch.vectors, batch.sparse = whole, cut, vectors, sparse
            if self._gate is not None:
                failed += self._gate.check(batch)
            self._fail(failed)
        return batch

    def upsert(self, batch: Batch) -> int:
        """Replace the batch's documents in the table, then in the manifest; returns chunks written."""
        with self._writing, self.report.stage("upsert"):
            parts = zip(batch.documents, batch.chunks, batch.vectors, batch.sparse, strict=True)
            documents = [EmbeddedDocument(*each) for each in parts]
            known = batch.known
            if documents or batch.touched:
                items = {candidate.item.uri: candidate.item for candidate in batch.candidates}
                rows = [self._manifest_row(items[each.document.uri], each) for each in documents]
                self.writer.write(documents, rows + batch.touched, known=known)
            written = sum(len(each.chunks) for each in documents)
            changed = len({each.document.id for each in documents}.intersection(known))
            self.report.add("chunks", written)
            self.report.add("changed", changed)
            self.report.add("added", len(documents) - changed)
            self.report.add("touched", len(batch.touched))
            self.report.add("unchanged", len(batch.touched))
            self._done += len(batch.candidates)
            self._progress("ingesting")
            batch.release()
        return written

    def abandon(self, batch: Batch, error: RelanceError) -> None:
        """Note that a batch could not be embedded or written; its documents stay as they were until the next run."""
        if not isinstance(error, StoppedError):
            self._fail([Failure(document.uri, str(error), "embed", retryable=True) for document in batch.documents])
        batch.release()

    def finish(self) -> Report:
        """Remove what is gone, refresh indexes, publish, and record the run."""
        discovery, report = self.discovery, self.report
        assert discovery is not None  # noqa: S101  # discover() comes first
        with report.stage("finish"):
            self.vectors.close()
            stopped = self.handle.stop.is_set()
            if not stopped:
                if discovery.complete:
                    report.add("removed", self.writer.remove(discovery.removed))
                    self.writer.finish_collections(self._read_collections(discovery), self._versions)
                self.tables.failures.replace(
                    report.failures, run_id=report.run_id, now=datetime.now(UTC), only=self._only
                )
            self.writer.tidy(bought=report.embedded)
            waiting = any(failure.retryable for failure in report.failures)
            note = self.writer.publish(complete=not (stopped or waiting or self._only))
            self.writer.close()
            report.notes += [note] if note else []
            report.notes += self._gate.notes() if self._gate is not None else []
        if stopped:
            report.status = "stopped"
        elif report.failed:
            report.status = "completed with failures"
        self._record()
        return report

    # -- the embedder ------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> EmbeddingLoop:
        """The embedder on its event loop; started with the first batch, since many runs have nothing to embed."""
        with self._opening:
            if self._embedder is None:
                from relance.embedding.runtime import EmbeddingLoop

                loop = EmbeddingLoop(
                    self.provider, self.embedding, self.vectors,
                    meter=self.meter, account=self._account, stop=self.handle.stop.is_set,
                )  # fmt: skip
                self._embedder = self._exits.enter_context(loop)
        return self._embedder

    def _account(self, result: Embedded) -> None:
        """Count what a call bought, whether it ended well or not."""
        for name in ("embedded", "requests", "tokens", "cost_usd"):
            self.report.add(name, getattr(result, name))

    # -- details -----------------------------------------------------------------------------------------------

    def _fingerprint(self, item: Item) -> str:
        """Hash everything but its content that decides what becomes of an item."""
        key = f"{item.source} {item.media_type} {item.collection} {item.parent is not None}"
        known = self._fingerprints.get(key)
        if known is None:
            parser = self.sources[item.source].parser_version(item.media_type)
            known = self._fingerprints[key] = fingerprint(parser, *self._cutting_rules(), self.tables.space)
        return known

    def _cutting_rules(self) -> tuple[Any, ...]:
        from relance.chunkers import CHUNKER_VERSION

        return CHUNKER_VERSION, self.spec.chunking, self.provider.info.tokenizer

    def _versions(self, item: Item) -> dict[str, Any]:
        mark = self._fingerprint(item)
        return {"version": item.version, "fingerprint": mark, "marker": marker(item.version, mark)}

    def _manifest_row(self, item: Item, embedded: EmbeddedDocument) -> dict[str, Any]:
        return {
            "doc_id": embedded.document.id,
            "uri": item.uri,
            "parent": document_id(item.parent) if item.parent else None,
            "collection": False,
            "content_hash": embedded.document.content_hash,
            "title": embedded.document.title,
            "chunks": len(embedded.chunks),
            "tokens": sum(chunk.tokens for chunk in embedded.chunks),
            "run_id": self.report.run_id,
            "updated_at": datetime.now(UTC),
            **self._versions(item),
        }

    def _read_collections(self, discovery: Discovery) -> list[Item]:
        """Choose the files of rows of which every row is in: a failing one has to be read again."""
        failed = {failure.uri for failure in self.report.failures}
        bad = {uri[:at] for uri in failed for at, letter in enumerate(uri) if letter == "#"} | failed
        return [item for item in discovery.collections if item.uri not in bad]

    def _fail(self, failures: list[Failure]) -> None:
        for failure in failures:
            self.report.fail(failure)

    def _record(self) -> None:
        report, tables = self.report, self.tables
        report.table, report.table_version = tables.name, tables.chunks.version
        report.served = (tables.alias or {}).get("table") == tables.name
        report.seconds["total"] = time.perf_counter() - self._began
        self.quota.use(report.tokens - self._filled_tokens)  # free quotas are not for batches
        Runs(self.store, tables.index).append(
            run_id=report.run_id,
            table=tables.name,
            status=report.status,
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
            versions=tables.versions,
            report=report.as_dict(),
        )
        self._recorded = True

    def _progress(self, stage: str) -> None:
        total = self.discovery.candidates if self.discovery else 0
        report = self.report
        self.handle.on_progress(Progress(stage, self._done, total, report.chunks, report.reused, report.failed))
