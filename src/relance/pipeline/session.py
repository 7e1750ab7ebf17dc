"""What a run over one index holds open while it lasts: locks, sources, model, tables, money, and its record."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from relance.config import EmbeddingSpec, IndexSpec
from relance.embedding.budget import Budget, CostMeter
from relance.pipeline.discovery import Discovery
from relance.pipeline.outlier_filter import open_outlier_filter
from relance.pipeline.report import Report
from relance.pipeline.run_handle import Progress, RunHandle, current_handle
from relance.pipeline.run_telemetry import measured
from relance.pipeline.text_reader import Reader, open_text_reader
from relance.store import open_store
from relance.store.embeddings import EmbeddingStore
from relance.store.failures import Failure
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import hold
from relance.store.quota import FreeQuota
from relance.store.runs import Runs
from relance.store.writer import Writer

if TYPE_CHECKING:
    from relance.embedding.embedder import Embedded
    from relance.embedding.runtime import EmbeddingLoop

__all__ = ["Session"]

_MEDIA_WAIT_S = 3600.0


class Session:
    """A context manager: entered it has everything the stages of a run work with, and keeps other runs away.

    Attributes:
        media: whether it is over the media of an index instead of its texts.
        filled: vectors that batch files brought and no stage has found in the store yet; `filled_tokens` as billed.
    """

    media = False

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
        # Splitting is Python and cannot run twice at once anyway; one batch after the other lets embedding start early.
        self._chunking = threading.Lock()
        self._writing = threading.Lock()
        self._recorded = False
        self._done = 0
        self._fingerprints: dict[str, str] = {}
        self.filled = self.filled_tokens = 0

    def __enter__(self) -> Self:
        from relance.embedding.providers import open_provider

        self.store = open_store(self.spec)
        check_lock = lambda: None  # noqa: E731  # nothing is written, nothing can be lost
        if not self._read_only:
            check_lock = self._hold()
        self._began, self._started_at = time.perf_counter(), datetime.now(UTC)
        try:
            self.sources = self._open_sources()
            self.provider = open_provider(self.embedding, self.spec.plugins)
            info = self.provider.info
            self.report.model = info.name
            self.tables = IndexTables.for_model(self.store, self.spec, info, media=self.media)
            self.quota = FreeQuota(self.tables.catalog, info, self.embedding.free_tokens)
            self.meter = CostMeter(info, self.budget, free_tokens=self.quota.left())
            self.writer = Writer(self.store, self.spec, self.tables, self.report.run_id, check_lock)
            self.vectors = EmbeddingStore(self.store, self.tables.space, info.dimension, sparse=info.sparse)
            self._exits.callback(self.vectors.close)
            self._outliers = open_outlier_filter(self.spec, self.store, self.tables, info.dimension)
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

    def _open_sources(self) -> Sequence[Reader]:
        return [open_text_reader(self.spec, position) for position in range(len(self.spec.sources))]

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

    def _fail(self, failures: list[Failure]) -> None:
        for failure in failures:
            self.report.fail(failure)

    def _record(self) -> None:
        report, tables = self.report, self.tables
        report.table, report.table_version = tables.name, tables.chunks.version
        report.served = (tables.alias or {}).get("table") == tables.name
        report.seconds["total"] = time.perf_counter() - self._began
        self.quota.use(report.tokens - self.filled_tokens)  # free quotas are not for batches
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
