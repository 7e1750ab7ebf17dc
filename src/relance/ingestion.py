"""One run over one index: the stages of the main path, and what holds them together.

`flows/ingest.py` calls the stages as Prefect tasks, `Index.ingest` in plain threads; both end up here.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from relance.batch import Batch
from relance.control import Control, Progress, current_control
from relance.discovery import Discovery
from relance.documents import Item, document_id
from relance.errors import BudgetError, DocumentError, RelanceError, RetryableError, StoppedError
from relance.report import Report
from relance.sources import open_source
from relance.spec import IndexSpec, fingerprint
from relance.store import open_store
from relance.store.chunks import EmbeddedDocument
from relance.store.embeddings import EmbeddingStore, prune, table_name
from relance.store.failures import Failure
from relance.store.lock import hold
from relance.store.maintenance import maintain, refresh_indexes
from relance.store.manifest import marker
from relance.store.runs import Runs
from relance.tables import IndexTables, space_of

if TYPE_CHECKING:
    from relance.embedding_loop import EmbeddingLoop

__all__ = ["Ingestion"]

# Raised when how documents become chunks changes in a way no setting tells.
_PIPELINE_VERSION = "1"


class Ingestion:
    """A run; a context manager that holds the index, its provider and its tables while it lasts.

    The stages `load`, `chunk`, `embed` and `upsert` take and return the same batch and may run in any thread, several
    batches at a time; running a stage again on the same batch is harmless.
    """

    def __init__(self, spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (), wait_s: float = 0.0,
                 read_only: bool = False, control: Control | None = None) -> None:  # fmt: skip
        self.spec = spec
        self.control = control or current_control.get() or Control()
        self.report = Report(index=spec.name, run_id=uuid.uuid4().hex[:12])
        self.discovery: Discovery | None = None
        self._full = full
        self._only = frozenset(only)
        self._wait_s = wait_s
        self._read_only = read_only
        self._exits = contextlib.ExitStack()
        self._embedder: EmbeddingLoop | None = None
        self._opening = threading.Lock()
        # Cutting is Python and cannot run twice at once anyway; one batch after the other lets embedding start early.
        self._cutting = threading.Lock()
        self._writing = threading.Lock()
        self._wrote = False  # something is to be tidied and marked as whole at the end
        self._marked = False
        self._began = time.perf_counter()
        self._started_at = datetime.now(UTC)
        self._done = 0
        self._reserved = 0
        self._fingerprints: dict[str, str] = {}

    def __enter__(self) -> Self:
        from relance.providers import open_provider

        self.store = open_store(self.spec)
        if not self._read_only:
            self._exits.enter_context(hold(self.store, self.spec.name, wait_s=self._wait_s))
        try:
            self.sources = [open_source(self.spec, position) for position in range(len(self.spec.sources))]
            self.provider = open_provider(self.spec.embedding)
            info = self.provider.info
            self.tables = IndexTables.for_model(self.store, self.spec, info)
            self.vectors = EmbeddingStore(self.store, space_of(info), info.dimension)
            self._suspects: set[str] = set()  # documents an interrupted run left half done, until they are repaired
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.callback(self.vectors.close)
        if self.discovery is not None:
            self._exits.callback(self.discovery.close)
        self._exits.close()

    # -- stages ------------------------------------------------------------------------------------------------

    def discover(self) -> Discovery:
        """Compare the sources with the manifest; repair first what an interrupted run left half done."""
        with self.report.stage("discover"):
            if not self._read_only and self.tables.writer is not None:
                self._suspects = self.tables.torn()
                self.tables.manifest.delete(sorted(self.tables.manifest.rows(sorted(self._suspects))))
                self._wrote = True
            self.discovery = Discovery(
                sources=self.sources,
                snapshot=self.tables.manifest.snapshot(),
                manifest=self.tables.manifest,
                fingerprint=self._fingerprint,
                suspects=set(self._suspects),
                only=self._only,
                full=self._full,
                stopped=self.control.stop.is_set,
            )
            self.discovery.run()
            self.report.added, self.report.changed = self.discovery.added, self.discovery.changed
            self.report.unchanged = self.discovery.unchanged
            for failure in self.discovery.failures:
                self.report.fail(failure)
        self._progress("discovered")
        return self.discovery

    def batches(self) -> Iterator[Batch]:
        """Stream the batches of what may have changed, until done or stopped."""
        assert self.discovery is not None  # noqa: S101  # discover() comes first
        for number, candidates in enumerate(self.discovery.read(), start=1):
            if self.control.stop.is_set():
                return
            yield Batch(number, self.discovery.batches, candidates)

    def load(self, batch: Batch) -> Batch:
        """Read the candidates; parse those whose content or fingerprint really changed."""
        with self.report.stage("load"):
            batch.documents, batch.touched = [], []
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
                    self._fail(Failure(error.uri, error.reason, "load"), known=candidate.known)
        return batch

    def chunk(self, batch: Batch) -> Batch:
        """Cut the documents."""
        from relance.chunkers import chunk_document

        with self._cutting, self.report.stage("chunk"):
            known = set(batch.known)
            documents, batch.chunks = batch.documents, []
            batch.documents = []
            for document in documents:
                try:
                    chunks = chunk_document(
                        document, self.spec.chunking, self.provider.tokenizer, self.provider.info.max_input_tokens
                    )
                    if not chunks:
                        raise DocumentError(document.uri, "no text in it")  # noqa: TRY301
                except DocumentError as error:
                    self._fail(Failure(error.uri, error.reason, "chunk"), known=document.id in known)
                else:
                    batch.documents.append(document)
                    batch.chunks.append(chunks)
        return batch

    def texts(self, batch: Batch) -> tuple[list[str], np.ndarray | None]:
        """Return what is embedded for each chunk of the batch, and its tokens where they are known already."""
        from relance.chunkers import context_prefix

        with_context = bool(self.spec.chunking.context)
        texts: list[str] = []
        for document, chunks in zip(batch.documents, batch.chunks, strict=True):
            for chunk in chunks:
                prefix = context_prefix(document, chunk, self.spec.chunking) if with_context else ""
                texts.append(prefix + document.text[chunk.start : chunk.end])
        if with_context:
            return texts, None
        return texts, np.array([chunk.tokens for chunks in batch.chunks for chunk in chunks], dtype=np.int64)

    def embed(self, batch: Batch) -> Batch:
        """Find or buy the vectors; a document with a refused text becomes a failure as a whole."""
        with self.report.stage("embed"):
            batch.vectors = []
            texts, tokens = self.texts(batch)
            if not texts:
                return batch
            try:
                result = self.embedder.call(texts, tokens)
            except RetryableError as error:
                if self.control.stop.is_set():
                    raise StoppedError(str(error)) from error
                raise
            for name in ("embedded", "requests", "tokens", "cost_usd"):
                self.report.add(name, getattr(result, name))
            self.report.add("reused", result.reused + result.duplicates)
            known, at = set(batch.known), 0
            documents, chunked = batch.documents, batch.chunks
            batch.documents, batch.chunks = [], []
            for document, chunks in zip(documents, chunked, strict=True):
                span = range(at, at := at + len(chunks))
                reason = next((result.failures[i] for i in span if i in result.failures), None)
                if reason is not None:
                    self._fail(Failure(document.uri, reason, "embed"), known=document.id in known)
                    continue
                batch.documents.append(document)
                batch.chunks.append(chunks)
                batch.vectors.append(result.vectors[span.start : span.stop])
        return batch

    def upsert(self, batch: Batch) -> int:
        """Replace the batch's documents in the table, then in the manifest; returns chunks written."""
        with self._writing, self.report.stage("upsert"):
            now = datetime.now(UTC)
            documents = [
                EmbeddedDocument(*parts) for parts in zip(batch.documents, batch.chunks, batch.vectors, strict=True)
            ]
            if documents or batch.touched:
                self._begin_writing()
                ids = {document.id for document in batch.documents}
                known = [doc_id for doc_id in batch.known if doc_id in ids]
                self.tables.chunks.replace(documents, known=known, run_id=self.report.run_id, now=now)
                items = {candidate.item.uri: candidate.item for candidate in batch.candidates}
                rows = [self._manifest_row(items[each.document.uri], each, now) for each in documents]
                self.tables.manifest.upsert(rows + batch.touched)
                self._suspects -= ids
            written = sum(len(chunks) for chunks in batch.chunks)
            self.report.add("chunks", written)
            self.report.add("touched", len(batch.touched))
            self.report.add("changed", -len(batch.touched))
            self.report.add("unchanged", len(batch.touched))
            self._done += len(batch.candidates)
            self._progress("ingesting")
            batch.release()
        return written

    def abandon(self, batch: Batch, error: RelanceError) -> None:
        """Note that a batch could not be embedded or written; its documents stay as they were until the next run."""
        known = set(batch.known)
        for document in batch.documents if not isinstance(error, StoppedError) else []:
            self._fail(Failure(document.uri, str(error), "embed", retryable=True), known=document.id in known)
        batch.release()

    def finish(self) -> Report:
        """Remove what is gone, refresh indexes, publish, and record the run."""
        discovery = self.discovery
        assert discovery is not None  # noqa: S101  # discover() comes first
        report = self.report
        with report.stage("finish"):
            stopped = self.control.stop.is_set()
            self.vectors.close()
            if discovery.complete and not stopped:
                self._remove(discovery.removed)
                self._finish_containers(discovery)
            if not stopped:
                only = set(self._only) if self._only else None
                self.tables.failures.replace(report.failures, run_id=report.run_id, now=datetime.now(UTC), only=only)
            if self._wrote:
                self._tidy()
            elif self.tables.alias is None:
                self.tables.chunks.create()  # an empty index can be searched, too
            self._publish()
            if self._wrote:
                # What was not repaired (stopped, failed, not among `only`) is the next run's to find again.
                self.tables.mark(report.run_id if self._suspects else None)
        report.table = self.tables.name
        report.table_version = self.tables.chunks.version
        if stopped:
            report.status = "stopped"
        elif report.failed:
            report.status = "completed with failures"
        report.seconds["total"] = time.perf_counter() - self._began
        Runs(self.store, self.spec.name).append(
            run_id=report.run_id,
            table=self.tables.name,
            status=report.status,
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
            versions=self.tables.versions,
            report=report.as_dict(),
        )
        return report

    # -- the embedder ------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> EmbeddingLoop:
        """The embedder on its event loop; started with the first batch, since many runs have nothing to embed."""
        with self._opening:
            if self._embedder is None:
                from relance.embedding_loop import EmbeddingLoop

                loop = EmbeddingLoop(self.provider, self.spec, self.vectors, self._spend, self.control.stop.is_set)
                self._embedder = self._exits.enter_context(loop)
        return self._embedder

    def _spend(self, tokens: int) -> None:
        limit, price = self.spec.limits.max_cost_usd, self.provider.info.price_per_million_tokens
        if limit is None or not price:
            return
        self._reserved += tokens  # called on the one event loop only
        spent = self._reserved * price / 1e6
        if spent > limit:
            msg = (
                f"the next request would bring this run to ${spent:.4f}, over limits.max_cost_usd (${limit:g}); stopped"
            )
            raise BudgetError(msg)

    # -- details -----------------------------------------------------------------------------------------------

    def _fingerprint(self, item: Item) -> str:
        key = f"{item.source} {item.media_type} {item.container} {item.parent is not None}"
        known = self._fingerprints.get(key)
        if known is None:
            parser = self.sources[item.source].parser_version(item.media_type)
            info = self.provider.info
            parts = (parser, self.spec.chunking, info.tokenizer, space_of(info))
            known = self._fingerprints[key] = fingerprint(_PIPELINE_VERSION, *parts)
        return known

    def _versions(self, item: Item) -> dict[str, Any]:
        mark = self._fingerprint(item)
        return {"version": item.version, "fingerprint": mark, "marker": marker(item.version, mark)}

    def _manifest_row(self, item: Item, embedded: EmbeddedDocument, now: datetime) -> dict[str, Any]:
        return {
            "doc_id": embedded.document.id,
            "uri": item.uri,
            "parent": document_id(item.parent) if item.parent else None,
            "container": False,
            "content_hash": embedded.document.content_hash,
            "title": embedded.document.title,
            "chunks": len(embedded.chunks),
            "tokens": sum(chunk.tokens for chunk in embedded.chunks),
            "run_id": self.report.run_id,
            "updated_at": now,
            **self._versions(item),
        }

    def _begin_writing(self) -> None:
        if not self._marked:
            self.tables.chunks.create()
            if self.tables.alias is None:
                self.tables.serve()
            self.tables.mark(self.report.run_id)
            self._wrote = self._marked = True

    def _remove(self, doc_ids: list[str]) -> None:
        if not doc_ids:
            return
        self._begin_writing()
        rows = self.tables.manifest.rows(doc_ids)
        self.report.removed = len(doc_ids) - sum(row["container"] for row in rows.values())
        # The manifest first: rows without a manifest entry are found after a crash, the reverse would look whole.
        self.tables.manifest.delete(doc_ids)
        self.tables.chunks.delete(doc_ids)
        self._suspects.difference_update(doc_ids)

    def _finish_containers(self, discovery: Discovery) -> None:
        failed = tuple(failure.uri for failure in self.report.failures)
        due = [item for item in discovery.containers
               if item.uri not in failed and not any(uri.startswith(f"{item.uri}#") for uri in failed)]  # fmt: skip
        if not due:
            return
        self._begin_writing()
        empty = {"parent": None, "container": True, "content_hash": None, "title": None, "chunks": 0, "tokens": 0}
        self.tables.manifest.upsert(
            [
                {"doc_id": document_id(item.uri), "uri": item.uri, **empty, "run_id": self.report.run_id,
                 "updated_at": datetime.now(UTC), **self._versions(item)}
                for item in due
            ]
        )  # fmt: skip

    def _tidy(self) -> None:
        retention = timedelta(days=self.spec.store.retention_days)
        self.tables.chunks.sweep()
        if self.tables.chunks.table is not None:
            refresh_indexes(self.tables.chunks.table, retention=retention)
            maintain(self.tables.chunks.table, retention=retention)
        if self.tables.manifest.table is not None:
            maintain(self.tables.manifest.table, retention=retention)
        if self.report.embedded:
            vectors = self.store.open(table_name(space_of(self.provider.info)))
            if vectors is not None:
                maintain(vectors, retention=timedelta(hours=1))
            with contextlib.suppress(RetryableError):  # another index's run is at it: the next one prunes
                prune(self.store, max_bytes=int(self.spec.store.cache_max_bytes))

    def _publish(self) -> None:
        """Point readers here, unless a rebuild in another vector space is not complete."""
        alias = self.tables.alias
        if alias is not None and alias["table"] == self.tables.name:
            return
        unfinished = self.control.stop.is_set() or any(failure.stage == "embed" for failure in self.report.failures)
        if alias is not None and unfinished:
            self.report.notes.append(
                f"readers still use {alias['table']}: {self.tables.name} (another model) is not complete; run again"
            )
            return
        self.tables.chunks.create()
        self.tables.serve()

    def _fail(self, failure: Failure, *, known: bool) -> None:
        self.report.fail(failure)
        self.report.add("changed" if known else "added", -1)

    def _progress(self, stage: str) -> None:
        total = self.discovery.added + self.discovery.changed if self.discovery else 0
        report = self.report
        self.control.on_progress(Progress(stage, self._done, total, report.chunks, report.reused, report.failed))
