"""An index as an object: everything the command line does, from Python."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from relance.config import IndexSpec, Size
from relance.config.engine import EngineName
from relance.config.load import load_spec
from relance.config.plugins import Plugins
from relance.errors import InputError
from relance.pipeline.awaitable import awaitable, until_stopped
from relance.pipeline.changes import LISTED
from relance.pipeline.engines.choice import open_engine
from relance.pipeline.keyless import without_keys
from relance.pipeline.plan import Plan, Preview
from relance.pipeline.report import Report
from relance.pipeline.run import Run
from relance.pipeline.run_handle import RunHandle
from relance.search import Hit, Hits, Mode
from relance.search.searcher import Question, Searcher
from relance.store import open_store
from relance.store.cache_spaces import CacheSpace, describe, prune
from relance.store.index_tables import IndexTables, part_name
from relance.store.principals import Principals, Reader
from relance.store.rollback import Rollback, roll_back
from relance.store.run_summary import RunSummary
from relance.store.runs import Runs
from relance.store.serving import ServingTables
from relance.store.status import Status, describe_index
from relance.store.visible_table import seen_by

if TYPE_CHECKING:
    from lancedb.table import Table

    from relance.search.media import MediaHit
    from relance.store.doctor import Examination
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
                 rerankers: Mapping[str, Any] | None = None, principals: Principals = None) -> None:  # fmt: skip
        """Open a declared index.

        Args:
            spec: the declaration, or its file or folder.
            sources: plug-ins by the names that the spec uses, before installed ones: classes, or instances. They are
                used by this object only: a run through Prefect knows installed plug-ins.
            parsers: likewise.
            chunkers: likewise.
            providers: likewise; an instance is closed after each run or search, and has to open again by itself.
            rerankers: likewise.
            principals: who reads, for all methods that find something and all analyses; see `for_principals`.
        """
        self._reader, self._principals = Reader.of(principals), principals
        plugins = Plugins.of({"sources": sources, "parsers": parsers, "chunkers": chunkers, "providers": providers,
                              "rerankers": rerankers})  # fmt: skip
        if not isinstance(spec, IndexSpec):
            spec = load_spec(spec, plugins)
        self.spec = spec.with_plugins(plugins) if plugins.given else spec
        self._store = open_store(self.spec)
        self._serving = ServingTables(self.spec, self._store)
        self._searcher = Searcher(self.spec, self._store, self._serving)

    @property
    def principals(self) -> Principals:
        """Who reads: principals, `relance.OWNER`, or None for nobody in particular."""
        return self._principals

    def for_principals(self, principals: Principals) -> Self:
        """Return the same index, read by somebody else; it shares open tables and models with this one.

        Args:
            principals: all names that a person goes by (`["ada", "group:staff"]`), compared letter by letter with those
                of each document. None: nobody in particular, who sees what is for everybody. `relance.OWNER`: who runs
                the index, and sees everything.

        Raises InputError for what cannot be principals.
        """
        other = copy.copy(self)
        other._reader, other._principals = Reader.of(principals), principals  # noqa: SLF001  # of its own kind
        return other

    def plan(self, *, full: bool = False, only: Sequence[str] = (), listed: int = LISTED,
             handle: RunHandle | None = None) -> Plan:  # fmt: skip
        """Say what `ingest` would do and cost; writes nothing, and needs no key. Raises StoppedError.

        Of each reason for a change at most `listed` documents are named in `changes`.
        """
        spec, missing = without_keys(self.spec)
        with Run(spec, full=full, only=only, read_only=True, handle=handle) as run:
            plan = run.plan(listed=listed)
        plan.notes += missing
        return plan

    def preview(self, *, full: bool = False, only: Sequence[str] = (), handle: RunHandle | None = None) -> Preview:
        """Tell what of a run a person has to approve first (`limits`), and what it would do.

        Where no price matters the sources are listed and no document is read: then `plan` is whole only if there are
        reasons. Raises BudgetError where it would cost more than `limits.max_cost_usd`; free models are not counted.
        """
        with Run(self.spec, full=full, only=only, read_only=True, handle=handle) as run:
            return run.preview()

    def ingest(self, *, full: bool = False, only: Sequence[str] = (), wait_s: float = 0.0, approved: bool = False,
               engine: EngineName = "", workers: int = 0, handle: RunHandle | None = None) -> Report:  # fmt: skip
        """Bring the index in sync with its sources, without Prefect.

        With `gate` in the spec the tables in use are brought in sync by the model that made them;
        `relance.reembed.reembed` builds new ones for another model or splitting, compares and switches.

        Raises ApprovalNeededError before it spends anything where it would cost more, and before it removes anything
        where it would remove more, than `limits` let it without a person's approval.

        Args:
            full: read and write every document again; vectors are reused all the same.
            only: uris of documents or files of rows to look at; the rest is left alone.
            wait_s: seconds to wait for another run on this index, before IndexBusyError.
            approved: a person has agreed to what the run costs and removes.
            engine: what executes the stages, by default as the spec says: threads, processes, dask or ray.
            workers: of that engine, by default as the spec says.
            handle: a way to watch the run, to stop it, and to approve it.
        """
        chosen = open_engine(self.spec, engine, workers)
        with Run(self.spec, full=full, only=only, wait_s=wait_s, approved=approved, engine=chosen,
                 handle=handle) as run:  # fmt: skip
            run.approve()
            return run.execute()

    async def aingest(self, *, full: bool = False, only: Sequence[str] = (), wait_s: float = 0.0,
                      approved: bool = False, engine: EngineName = "", workers: int = 0,
                      handle: RunHandle | None = None) -> Report:  # fmt: skip
        """Do what `ingest` does, in a thread.

        Cancelling it stops the run, and waits until the batches under way are in the index or given up.
        """
        handle = handle or RunHandle()
        run = partial(self.ingest, full=full, only=only, wait_s=wait_s, approved=approved, engine=engine,
                      workers=workers, handle=handle)  # fmt: skip
        return await until_stopped(run, handle.stop.set)

    def __enter__(self) -> Self:
        """Keep models, connections and the event loop open between searches."""
        self._searcher.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._searcher.__exit__()

    def search(self, query: str = "", *, k: int = 10, mode: Mode = "hybrid",  # noqa: PLR0913  # what can be asked
               where: str | None = None, filter: str | None = None,  # noqa: A002  # its name on the command line
               like: str = "", offset: int = 0, group: bool = False,
               rerank: str | None = None, instruct: str | None = None, explain: bool = False,
               principals: Principals = None) -> Hits[Hit]:  # fmt: skip
        """Find the best chunks.

        The vector of a question that was asked before is not made again; `with index:` keeps open what makes others.

        Args:
            query: in words.
            k: hits on a page.
            mode: dense, full-text, sparse, or hybrid: all of these the index has.
            where: SQL condition on the columns of `table()`; for who sees all documents.
            filter: condition that may come from anybody, e.g. `year >= 2020 and uri ~ "docs/*"`; see docs/search.md.
            like: uri of a document, instead of a query: others like it.
            offset: hits on the pages before.
            group: one hit for each document: its best chunk, and the best of the others in `chunks`.
            rerank: `provider/model` that sorts the best hits once more, or `none`; by default as the spec says.
            instruct: what the query is for: a sentence, or the name of one in `relance.search.PRESETS`.
            explain: say what was done, in `explanation` and in each hit's `explained`.
            principals: who asks, by all names, or `relance.OWNER`; by default who the index is opened for. Documents
                that are not for them are not there, whatever is asked (docs/access.md).

        Raises InputError (FilterError for a condition) or ConfigurationError.
        """
        question = Question(query=query, like=like, k=k, offset=offset, mode=mode, where=where, filter=filter,
                            instruct=instruct)  # fmt: skip
        return self._searcher.texts(question, self._as(principals), group=group, rerank=rerank, explain=explain)

    def search_media(self, query: str = "", *, image: str | Path = "", k: int = 10,  # noqa: PLR0913
                     mode: Mode = "hybrid", where: str | None = None,
                     filter: str | None = None, like: str = "", offset: int = 0,  # noqa: A002
                     rerank: str | None = None, instruct: str | None = None, floor: float | None = None,
                     explain: bool = False, principals: Principals = None) -> Hits[MediaHit]:  # fmt: skip
        """Find the best images and videos by words, by a picture (a file or an address), or by one of the index.

        The arguments are those of `search`; a reranker has to see pictures, and `like` may be an address of the index.
        `floor` is how many standard deviations a hit has to stand out of a list of the search: by default
        `search.media_floor` of the spec; 0 takes every picture there is.
        """
        question = Question(query=query, like=like, image=str(image), k=k, offset=offset, mode=mode, where=where,
                            filter=filter, instruct=instruct, floor=floor)  # fmt: skip
        return self._searcher.media(question, self._as(principals), rerank=rerank, explain=explain)

    def search_both(self, query: str = "", *, image: str | Path = "", k: int = 10,  # noqa: PLR0913
                    mode: Mode = "hybrid", where: str | None = None,
                    filter: str | None = None, like: str = "", offset: int = 0,  # noqa: A002
                    group: bool = False, rerank: str | None = None, instruct: str | None = None,
                    floor: float | None = None,
                    explain: bool = False,
                    principals: Principals = None) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        """Find the best chunks and the best images and videos; what is like a picture is looked for among pictures.

        A condition may name columns that only one of the two tables has: the other has no hits then. The arguments are
        those of `search`, and the `floor` of media. A reranker that sees pictures sorts both in one go: then the scores
        of the two lists can be compared.
        """
        question = Question(query=query, like=like, image=str(image), k=k, offset=offset, mode=mode, where=where,
                            filter=filter, instruct=instruct, floor=floor)  # fmt: skip
        return self._searcher.both(question, self._as(principals), group=group, rerank=rerank, explain=explain)

    def chunks(self, ids: Sequence[str], *, principals: Principals = None) -> list[Hit]:
        """Return chunks by their ids (`Hit.id`), in the order given, with a score of 0.

        Ids that the index does not have, or not for these `principals` (as in `search`), are left out.
        """
        return self._searcher.chunks(ids, self._as(principals))

    # The same for async callers, with the same arguments.
    asearch, asearch_media, asearch_both = awaitable(search), awaitable(search_media), awaitable(search_both)
    achunks = awaitable(chunks)

    def visible(self, *, media: bool = False) -> Any:
        """Open the table as `table(pinned=True)`, with what its reader may see: it can be searched and counted."""
        table = self.table(media=media, pinned=True)
        table.checkout(table.version)
        return seen_by(table, self._reader)

    def table(self, *, media: bool = False, pinned: bool = False) -> Table:
        """Open the LanceDB table that serves the index now, or the one with its media, at its newest version.

        It has all rows, whoever the index is opened for: it is for the owner. With `pinned` it is read-only and stays
        at the version that searches see, which a whole run left.
        """
        version = self._serving.newest(media=media)
        table = self._store.db.open_table(version.name)
        if pinned:
            with contextlib.suppress(ValueError):  # pruned a moment ago: then the newest is whole
                table.checkout(version.version)
        return table

    def _as(self, principals: Principals) -> Reader:
        """Take who asks, or who the index is opened for."""
        return self._reader if principals is None else Reader.of(principals)

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

    def doctor(self, *, repair: bool = False, wait_s: float = 0.0, record: bool = False) -> Examination:
        """Check everything the index has in its store; writes nothing unless an argument says so.

        Args:
            repair: repair what can be repaired; the findings say what was done, and what is lost.
            wait_s: seconds to wait for a run on this index before a repair, before IndexBusyError.
            record: note in the store how many findings there are, for the metrics; a repair always does.
        """
        from relance.pipeline.doctor import check_up

        return check_up(self.spec, mend=repair, wait_s=wait_s, record=record)

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
