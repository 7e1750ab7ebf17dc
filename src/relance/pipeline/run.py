"""One run over one index: the stages of the main path.

`relance_flows.ingest` calls the stages as Prefect tasks, `Index.ingest` in plain threads; both end up here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from relance.config import fingerprint
from relance.documents import Item, document_id
from relance.errors import DocumentError, RelanceError, RetryableError, StoppedError
from relance.pipeline.batch import Batch
from relance.pipeline.discovery import BATCH_BYTES, BATCH_ITEMS, Discovery
from relance.pipeline.loss import Loss, check_loss, loss_of
from relance.pipeline.report import Report
from relance.pipeline.session import Session
from relance.pipeline.text_reader import TextReader
from relance.store.chunks import EmbeddedDocument
from relance.store.failures import Failure
from relance.store.manifest import marker

__all__ = ["Ingestion"]


class Ingestion(Session):
    """A run over the texts of an index: the stages, on what its session holds open.

    The stages `load`, `chunk`, `embed` and `upsert` take and return the same batch and may run in any thread, several
    batches at a time; running a stage again on the same batch is harmless.
    """

    batch_items = BATCH_ITEMS
    batch_bytes = BATCH_BYTES

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
                check_loss(self.loss(), self.spec.limits, self.report, approved=self._approved)
            self.report.unchanged = self.discovery.unchanged
            for failure in self.discovery.failures:
                self.report.fail(failure)
        self._progress("discovered")
        return self.discovery

    def loss(self) -> Loss:
        """Count what a run that has looked at its sources would remove."""
        assert self.discovery is not None  # noqa: S101  # discover() comes first
        return loss_of(self.discovery, self.tables, self.store)

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
                assert isinstance(source, TextReader)  # noqa: S101  # _open_sources made them
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
        """Split the documents into chunks."""
        from relance.chunkers import chunk_document

        with self._chunking, self.report.stage("chunk"):
            limit = self.provider.info.max_input_tokens
            whole, split, failed = [], [], []
            for document in batch.documents:
                try:
                    chunks = chunk_document(
                        document, self.spec.chunking, self.provider.tokenizer, limit, self.spec.plugins
                    )
                except DocumentError as error:
                    failed.append(Failure(error.uri, error.reason, "chunk"))
                    continue
                if chunks:
                    whole.append(document)
                    split.append(chunks)
                else:
                    failed.append(Failure(document.uri, "no text in it", "chunk"))
            batch.documents, batch.chunks = whole, split
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
            with self._opening:  # what batch files brought is found in the store now, and was counted when it came
                filled = min(self.filled, result.reused)
                self.filled -= filled
            self.report.add("reused", result.reused - filled + result.duplicates)
            self.vectors.drain()
            whole, split, vectors, sparse, failed, at = [], [], [], [], [], 0
            for document, chunks in zip(batch.documents, batch.chunks, strict=True):
                span = range(at, at := at + len(chunks))
                reason = next((result.failures[i] for i in span if i in result.failures), None)
                if reason is not None:
                    failed.append(Failure(document.uri, reason, "embed"))
                    continue
                whole.append(document)
                split.append(chunks)
                vectors.append(result.vectors[span.start : span.stop])
                sparse.append(result.sparse[span.start : span.stop])
            batch.documents, batch.chunks, batch.vectors, batch.sparse = whole, split, vectors, sparse
            if self._outliers is not None:
                failed += self._outliers.check(batch)
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
            report.notes += self._outliers.notes() if self._outliers is not None else []
        if stopped:
            report.status = "stopped"
        elif report.failed:
            report.status = "completed with failures"
        self._record()
        return report

    # -- details -----------------------------------------------------------------------------------------------

    def _fingerprint(self, item: Item) -> str:
        """Hash everything but its content that decides what becomes of an item."""
        key = f"{item.source} {item.media_type} {item.collection} {item.parent is not None}"
        known = self._fingerprints.get(key)
        if known is None:
            parser = self.sources[item.source].parser_version(item.media_type)
            known = self._fingerprints[key] = fingerprint(parser, *self._chunking_rules(), self.tables.space)
        return known

    def _chunking_rules(self) -> tuple[Any, ...]:
        from relance.chunkers import chunker_version

        return chunker_version(self.spec.chunking, self.spec.plugins), self.spec.chunking, self.provider.info.tokenizer

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
