"""An index as an object: everything the command line does, from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from relance.config import IndexSpec, Size
from relance.config.load import load_spec
from relance.config.plugins import Plugins
from relance.errors import ApprovalNeededError, ConfigurationError, InputError
from relance.pipeline.approval import Preview, approval_needed
from relance.pipeline.awaitable import awaitable, until_stopped
from relance.pipeline.loss import note_decision
from relance.pipeline.modalities import combine, modality_runs
from relance.pipeline.plan import Plan, check_budget, make_plan, outline
from relance.pipeline.report import Report
from relance.pipeline.run_handle import RunHandle
from relance.pipeline.threads import in_threads
from relance.search import Hit, Hits, Mode
from relance.search.searcher import Question, Searcher
from relance.store import open_store
from relance.store.embeddings import CacheSpace, describe, prune
from relance.store.index_tables import IndexTables, part_name
from relance.store.rollback import Rollback, roll_back
from relance.store.run_summary import RunSummary
from relance.store.runs import Runs
from relance.store.status import Status, describe_index

if TYPE_CHECKING:
    from lancedb.table import Table

    from relance.pipeline.run import Ingestion
    from relance.search.media import MediaHit
    from relance.store.failures import FailureRow
    from relance.store.maintain import Maintained

__all__ = ["Index"]


class Index:
    """A declared index.

    ```python
    index = relance.Index("index.yaml")
    report = index.ingest()
    for hit in index.search("how do I reset a sensor?", k=3):
        print(hit.uri, hit.text)
    ```
    """

    def __init__(self, spec: IndexSpec | str | Path, *, sources: Mapping[str, Any] | None = None,
                 parsers: Mapping[str, Any] | None = None, chunkers: Mapping[str, Any] | None = None,
                 providers: Mapping[str, Any] | None = None,
                 rerankers: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        """Open a declared index.

        Args:
            spec: the declaration, or its file or folder.
            sources: plug-ins by the names that the spec uses, before installed ones: classes, or instances. They are
                used by this object only: a run through Prefect knows installed plug-ins.
            parsers: likewise.
            chunkers: likewise.
            providers: likewise; an instance is closed after each run or search, and has to open again by itself.
            rerankers: likewise.
        """
        plugins = Plugins.of({"sources": sources, "parsers": parsers, "chunkers": chunkers, "providers": providers,
                              "rerankers": rerankers})  # fmt: skip
        if not isinstance(spec, IndexSpec):
            spec = load_spec(spec, plugins)
        self.spec = spec.with_plugins(plugins) if plugins.given else spec
        self._store = open_store(self.spec)
        self._searcher = Searcher(self.spec, self._store, self.table)

    def plan(self, *, full: bool = False, only: Sequence[str] = (), handle: RunHandle | None = None) -> Plan:
        """Tell what `ingest` would do and cost; writes nothing. Raises StoppedError if `handle` stops it."""
        return self._plan(make_plan, full=full, only=only, handle=handle)

    def preview(self, *, full: bool = False, only: Sequence[str] = (), handle: RunHandle | None = None) -> Preview:
        """Tell what of a run a person has to approve first (`limits`), and what it would do.

        Where no price matters the sources are listed and no document is read: then `plan` is whole only if there are
        reasons. Raises BudgetError as `check_budget` does.
        """
        limits = self.spec.limits
        if (limits.max_cost_usd is not None or limits.approve_above_usd is not None) and not self._is_free():
            plan = self.plan(full=full, only=only, handle=handle)
            check_budget(plan, limits.max_cost_usd)
            return Preview(plan, approval_needed(plan, limits))
        plan = self._plan(outline, full=full, only=only, handle=handle)
        if reasons := approval_needed(plan, limits):
            plan = self.plan(full=full, only=only, handle=handle)
        return Preview(plan, reasons)

    def ingest(self, *, full: bool = False, only: Sequence[str] = (), wait_s: float = 0.0, approved: bool = False,
               handle: RunHandle | None = None) -> Report:  # fmt: skip
        """Bring the index in sync with its sources, in threads of this process and without Prefect.

        Raises ApprovalNeededError before it spends anything where it would cost more, and before it removes anything
        where it would remove more, than `limits` let it without a person's approval.

        Args:
            full: read and write every document again; vectors are reused all the same.
            only: uris of documents or files of rows to look at; the rest is left alone.
            wait_s: seconds to wait for another run on this index, before IndexBusyError.
            approved: a person has agreed to what the run costs and removes.
            handle: a way to watch the run and to stop it.
        """
        reasons: list[str] = []
        if self.spec.limits.approve_above_usd is None:  # what is removed is looked at by the run itself, for nothing
            self.check_budget(full=full, only=only, handle=handle)
        else:
            reasons = self.preview(full=full, only=only, handle=handle).reasons
        if reasons and not approved:
            raise ApprovalNeededError(self.spec.name, reasons)
        reports = []
        for part in modality_runs(self.spec, full=full, only=only, wait_s=wait_s, approved=approved, handle=handle):
            with part as run:
                note_decision(run.report, reasons)
                run.discover()
                if run.embedding.batched:
                    from relance.pipeline.batch_mode import fill

                    fill(run)
                in_threads(run)
                reports.append(run.finish())
        return combine(reports)

    async def aingest(self, *, full: bool = False, only: Sequence[str] = (), wait_s: float = 0.0,
                      approved: bool = False, handle: RunHandle | None = None) -> Report:  # fmt: skip
        """Do what `ingest` does, in a thread.

        Cancelling it stops the run, and waits until the batches under way are in the index or given up.
        """
        handle = handle or RunHandle()
        run = partial(self.ingest, full=full, only=only, wait_s=wait_s, approved=approved, handle=handle)
        return await until_stopped(run, handle.stop.set)

    def check_budget(self, *, full: bool = False, only: Sequence[str] = (), handle: RunHandle | None = None) -> None:
        """Raise BudgetError if a run would cost more than `limits.max_cost_usd`; free models are not counted."""
        limit = self.spec.limits.max_cost_usd
        if limit is not None and not self._is_free():
            check_budget(self.plan(full=full, only=only, handle=handle), limit)

    def _plan(self, make: Callable[[Ingestion], Plan], *, full: bool, only: Sequence[str],
              handle: RunHandle | None) -> Plan:  # fmt: skip
        plans = []
        for part in modality_runs(self.spec, full=full, only=only, read_only=True, handle=handle):
            with part as run:
                plans.append(make(run))
        plan, *media = plans
        plan.media = media[0] if media else None
        return plan

    def __enter__(self) -> Self:
        """Keep models, connections and the event loop open between searches."""
        self._searcher.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._searcher.__exit__()

    def search(self, query: str = "", *, k: int = 10, mode: Mode = "hybrid",  # noqa: PLR0913  # what can be asked
               where: str | None = None, filter: str | None = None,  # noqa: A002  # its name on the command line
               like: str = "", offset: int = 0, group: bool = False,
               rerank: str | None = None, instruct: str | None = None, explain: bool = False) -> Hits[Hit]:  # fmt: skip
        """Find the best chunks.

        The vector of a question that was asked before is not made again; `with index:` keeps open what makes others.

        Args:
            query: in words.
            k: hits on a page.
            mode: dense, full-text, sparse, or hybrid: all of these the index has.
            where: SQL condition on the columns of `table()`.
            filter: condition that may come from anybody, e.g. `year >= 2020 and uri ~ "docs/*"`; see docs/search.md.
            like: uri of a document, instead of a query: others like it.
            offset: hits on the pages before.
            group: one hit for each document: its best chunk, and the best of the others in `chunks`.
            rerank: `provider/model` that sorts the best hits once more, or `none`; by default as the spec says.
            instruct: what the query is for: a sentence, or the name of one in `relance.search.PRESETS`.
            explain: say what was done, in `explanation` and in each hit's `explained`.

        Raises InputError (FilterError for a condition) or ConfigurationError.
        """
        question = Question(query=query, like=like, k=k, offset=offset, mode=mode, where=where, filter=filter,
                            instruct=instruct)  # fmt: skip
        return self._searcher.texts(question, group=group, rerank=rerank, explain=explain)

    def search_media(self, query: str = "", *, image: str | Path = "", k: int = 10,  # noqa: PLR0913
                     mode: Mode = "hybrid", where: str | None = None,
                     filter: str | None = None, like: str = "", offset: int = 0,  # noqa: A002
                     instruct: str | None = None, explain: bool = False) -> Hits[MediaHit]:  # fmt: skip
        """Find the best images and videos by words, by a picture (a file or an address), or by one of the index.

        The arguments are those of `search`.
        """
        question = Question(query=query, like=like, image=str(image), k=k, offset=offset, mode=mode, where=where,
                            filter=filter, instruct=instruct)  # fmt: skip
        return self._searcher.media(question, explain=explain)

    def search_both(self, query: str = "", *, image: str | Path = "", k: int = 10,  # noqa: PLR0913
                    mode: Mode = "hybrid", where: str | None = None,
                    filter: str | None = None, like: str = "", offset: int = 0,  # noqa: A002
                    group: bool = False, rerank: str | None = None, instruct: str | None = None,
                    explain: bool = False) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        """Find the best chunks and the best images and videos; what is like a picture is looked for among pictures.

        A condition may name columns that only one of the two tables has: the other has no hits then. The arguments are
        those of `search`.
        """
        question = Question(query=query, like=like, image=str(image), k=k, offset=offset, mode=mode, where=where,
                            filter=filter, instruct=instruct)  # fmt: skip
        return self._searcher.both(question, group=group, rerank=rerank, explain=explain)

    # The same for async callers, with the same arguments.
    asearch, asearch_media, asearch_both = awaitable(search), awaitable(search_media), awaitable(search_both)

    def table(self, *, media: bool = False) -> Table:
        """Open the LanceDB table that serves the index now, or the one with its media."""
        if media and self.spec.media is None:
            msg = f"index {self.spec.name!r} has no media; add a `media` section to its spec"
            raise ConfigurationError(msg)
        tables = IndexTables.serving(self._store, self.spec.name, media=media)
        table = tables.chunks.table if tables else None
        if table is None:
            what = "the media of index" if media else "index"
            msg = f"{what} {self.spec.name!r} is not in {self._store.uri} yet; run `relance ingest` first"
            raise ConfigurationError(msg)
        return table

    def status(self) -> Status:
        """Describe the index as it is now."""
        described = describe_index(self.spec, self._store)
        if self.spec.media is None:
            return described
        return replace(described, media=describe_index(self.spec, self._store, media=True))

    def failures(self) -> list[FailureRow]:
        """List the documents that could not be indexed, with reasons."""
        declared = (False, True) if self.spec.media is not None else (False,)
        parts = (IndexTables.serving(self._store, self.spec.name, media=media) for media in declared)
        return [row for tables in parts if tables is not None for row in tables.failures.all()]

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """List the latest runs, newest first."""
        if limit < 1:
            msg = f"limit must be at least 1, got {limit}"
            raise InputError(msg)
        found = [RunSummary.of(row, media=media) for media in (False, True)
                 for row in Runs(self._store, part_name(self.spec.name, media=media)).latest(limit)]  # fmt: skip
        return sorted(found, key=lambda run: run.ended_at, reverse=True)[:limit]

    def rollback(self, run_id: str = "") -> Rollback:
        """Put the index back to how a run left it (default: the one before the last that changed anything)."""
        return roll_back(self._store, self.spec.name, run_id)

    def maintain(self, *, wait_s: float = 0.0) -> Maintained:
        """Tidy the index: compact, refresh search indexes, drop what is past the retention of the store.

        `wait_s` are seconds to wait for a run on this index, before IndexBusyError.
        """
        from relance.store.maintain import maintain

        return maintain(self.spec, self._store, wait_s=wait_s)

    def cache(self) -> list[CacheSpace]:
        """Describe the embedding cache of the store, one entry per vector space."""
        return describe(self._store)

    def prune_cache(self, size: str | int) -> list[CacheSpace]:
        """Prune the embedding cache to a size such as `500MB`, oldest first; returns what is left."""
        try:
            limit = TypeAdapter(Size).validate_python(size)
        except ValidationError:
            msg = f"{size!r} is not a size; write one such as 500MB, or 0 for nothing"
            raise InputError(msg) from None
        if self._store.exists:
            prune(self._store, max_bytes=int(limit))
        return self.cache()

    def _is_free(self) -> bool:
        from relance.embedding.providers import open_provider

        sections = [self.spec.embedding] + ([self.spec.media.embedding] if self.spec.media else [])
        return all(open_provider(section, self.spec.plugins).info.price_per_million_tokens == 0 for section in sections)
