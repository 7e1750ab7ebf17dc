"""An index's searches: from what is asked to the tables that answer it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from relance.config import IndexSpec, RerankSpec
from relance.errors import AccountError, InputError, MissingExtraError, MissingKeyError, RetryableError
from relance.search.condition import condition
from relance.search.filters import FilterError, compile_filter
from relance.search.filters.metadata import holds_only
from relance.search.hit import Explanation, Hit
from relance.search.hits import Hits
from relance.search.instructions import instruction
from relance.search.links import Links
from relance.search.media import MediaHit, MediaSearch
from relance.search.mode import Mode, check_mode
from relance.search.no_hits import explained
from relance.search.query_encoder import Asked, QueryEncoder, read_picture
from relance.search.reranking import by_score, score_by, score_together, shares
from relance.search.similar import except_like, has_document, uri_of, vector_of
from relance.search.table import MAX_HITS, TextSearch, read_chunks
from relance.store.faults import is_damage, store_error
from relance.store.open_tables import is_gone
from relance.store.visible_table import refuse_sql

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector
    from relance.search.rerankers import Reranker
    from relance.store import Store
    from relance.store.open_tables import TableVersion
    from relance.store.principals import Reader
    from relance.store.serving import Pinned, ServingTables

__all__ = ["Question", "Searcher"]

T = TypeVar("T")
log = logging.getLogger(__name__)

_TRIES = 3
MAX_FLOOR = 10
_NO_WORDS = "rerank needs a query: what a picture finds is not sorted by words"


@dataclass(slots=True, frozen=True, kw_only=True)
class Question:
    """What is asked; see `Index.search`. Raises InputError where it cannot be."""

    query: str = ""
    like: str = ""
    image: str = ""
    k: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    where: str | None = None
    filter: str | None = None
    instruct: str | None = None
    floor: float | None = None

    def check(self, *, media: bool) -> None:
        """Refuse what has no answer, and what would be ignored."""
        check_mode(self.mode)
        asked = sum([bool(self.query.strip()), bool(self.like), bool(self.image)])
        if asked != 1:
            ways = "with words, with an image, or with what it should be like" if media else "with a query or with like"
            msg = f"ask {ways}, one of them" if asked or media else "the query is empty"
            raise InputError(msg)
        if self.mode in {"full-text", "sparse"} and (self.like or self.image):
            msg = f"what is like a document or a picture is found by dense search, not with mode {self.mode}"
            raise InputError(msg)
        if self.instruct and (self.like or self.mode == "full-text"):
            msg = "instruct is for the model that makes a question's vector; a full-text search, or like, has none"
            raise InputError(msg)
        if not (isinstance(self.k, int) and isinstance(self.offset, int)):
            msg = f"k and offset are whole numbers, got {self.k!r} and {self.offset!r}"
            raise InputError(msg)
        if self.floor is not None and not 0 <= self.floor <= MAX_FLOOR:
            msg = f"floor is between 0 (every picture is a hit) and {MAX_FLOOR} standard deviations, got {self.floor}"
            raise InputError(msg)
        if not 1 <= self.k <= MAX_HITS:
            msg = f"k must be between 1 and {MAX_HITS:,}, got {self.k}"
            raise InputError(msg)
        if not 0 <= self.offset <= MAX_HITS - self.k:
            msg = f"offset must be between 0 and {MAX_HITS - self.k:,} for pages of {self.k}, got {self.offset}"
            raise InputError(msg)


class Searcher:
    """Searches the tables of one index; as a context manager it keeps open what makes questions' vectors.

    It may be entered several times; the last exit closes. The tables stay open anyway. A search pins them once, and
    reads nothing of any other version.
    """

    def __init__(self, spec: IndexSpec, store: Store, serving: ServingTables) -> None:
        self._spec = spec
        self._serving = serving
        self._encoder = QueryEncoder(spec, store)
        self._links = Links(spec)
        self._lock = threading.Lock()
        self._users = 0
        self._exits: contextlib.ExitStack | None = None
        self._rerankers: dict[RerankSpec, Reranker] = {}

    def __enter__(self) -> Self:
        with self._lock:
            self._users += 1
            if self._exits is None:
                self._exits = contextlib.ExitStack()
                self._exits.enter_context(self._encoder)
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users:  # an index that is read as several people has one searcher
                return
            exits, self._exits = self._exits, None
            self._rerankers.clear()
        if exits is not None:
            exits.close()

    def texts(self, question: Question, reader: Reader, *, group: bool, rerank: str | None,
              explain: bool) -> Hits[Hit]:  # fmt: skip
        """Find chunks."""
        ask = partial(self._texts, question, group=group, rerank=rerank, explain=explain)
        return self._pinned(partial(explained, question.filter, ask), reader)

    def media(self, question: Question, reader: Reader, *, rerank: str | None, explain: bool) -> Hits[MediaHit]:
        """Find images and videos."""
        ask = partial(self._media, question, rerank=rerank, explain=explain)
        return self._pinned(partial(explained, question.filter, ask), reader)

    def both(self, question: Question, reader: Reader, *, group: bool, rerank: str | None,
             explain: bool) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        """Find chunks, and images and videos."""
        ask = partial(self._both, question, group=group, rerank=rerank, explain=explain)
        return self._pinned(partial(explained, question.filter, ask), reader)

    def chunks(self, ids: Sequence[str], reader: Reader) -> list[Hit]:
        """Read chunks by their ids."""
        return self._pinned(lambda pinned: read_chunks(pinned.table(), ids, self._links.of), reader)

    def _pinned(self, ask: Callable[[Pinned], T], reader: Reader) -> T:
        """Search what a reader sees of one version, without the index of the vectors where that is torn or missing.

        Raises StoreError where another file of them is.
        """

        def search(pinned: Pinned) -> T:
            return ask(pinned.seen_by(reader))

        try:
            return self._repeated(search)
        except RuntimeError as error:
            if not is_damage(error):
                raise
            found = self._scanned(search)
            if found is None:
                raise store_error(error, f"searching index {self._spec.name!r}") from error
            return found

    def _scanned(self, search: Callable[[Pinned], T]) -> T | None:
        """Compare all vectors, now and until there is another version; None where that is no help."""
        tables: list[TableVersion] = []
        try:
            pinned = self._serving.pin()
            tables += [table for table in pinned.all() if not table.scanned]
            for table in tables:
                table.scanned = True
            found = search(pinned)
        except (ValueError, RuntimeError):
            for table in tables:
                table.scanned = False
            return None
        msg = "the vector index of %r is torn or missing: all vectors are compared until `relance ingest` makes it anew"
        log.warning(msg, self._spec.name)
        return found

    def _repeated(self, search: Callable[[Pinned], T]) -> T:
        """Search again where the version that was being read is gone: a run pruned it, or the table was dropped."""
        for _ in range(_TRIES):
            try:
                return search(self._serving.pin())
            except (ValueError, RuntimeError) as error:
                if not is_gone(error):
                    raise
                self._serving.forget()
        return search(self._serving.pin(newest=True))

    def _texts(self, question: Question, tables: Pinned, *, group: bool, rerank: str | None,
               explain: bool) -> Hits[Hit]:  # fmt: skip
        question.check(media=False)
        if rerank not in {None, "none"} and question.like:
            msg = "rerank needs a query: what like finds is not sorted by words"
            raise InputError(msg)
        section = None if question.like else self._reranking(rerank)
        if section is None:
            return self._text_search(question, tables, group=group, explain=explain)[0].page(offset=question.offset)
        with self._reranker(section) as reranker:
            if reranker.info.merges and question.mode != "hybrid" and rerank is not None:
                msg = f"{rerank} merges the lists of a hybrid search; search with mode hybrid, or without it"
                raise InputError(msg)
            search, notes = self._text_search(question, tables, group=group, explain=explain)
            if reranker.info.merges and question.mode != "hybrid":
                return search.page(offset=question.offset)
            pool = search.best(max(section.candidates, question.k))
            score_by(reranker, question.query, pool, notes)
            return search.page(by_score(pool), offset=question.offset)

    def _text_search(self, question: Question, tables: Pinned, *, group: bool,
                     explain: bool) -> tuple[TextSearch, Explanation]:  # fmt: skip
        """Prepare a question to the texts, and what is noted of it."""
        table = tables.table()
        notes, vector, where = self._prepared(table, question, tables, explain=explain)
        mode = "dense" if question.like else question.mode
        search = TextSearch(table, question.query, vector, mode=mode, k=question.k, where=where, group=group,
                            explain=notes if explain else None)  # fmt: skip
        search.link = self._links.of
        return search, notes

    def _media(self, question: Question, tables: Pinned, *, rerank: str | None, explain: bool,
               beside: bool = False) -> Hits[MediaHit]:  # fmt: skip
        """Search the media; `beside` texts, for which a reranker may be that sees no pictures."""
        question.check(media=True)
        if rerank not in {None, "none"} and not question.query:
            raise InputError(_NO_WORDS)
        section = self._reranking(rerank) if question.query else None
        if section is None:
            return self._media_page(question, tables, explain=explain)
        with self._reranker(section) as reranker:
            if not reranker.info.sees:
                if rerank is None or beside:
                    return self._media_page(question, tables, explain=explain)
                msg = f"{rerank} sees no images and videos; dashscope/qwen3-vl-rerank does, or search without it"
                raise InputError(msg)
            search, notes = self._media_search(question, tables, explain=explain)
            pool = search.best(max(section.candidates, question.k))
            score_by(reranker, question.query, pool, notes)
            return search.page(by_score(pool), k=question.k, offset=question.offset)

    def _media_page(self, question: Question, tables: Pinned, *, explain: bool) -> Hits[MediaHit]:
        search, _ = self._media_search(question, tables, explain=explain)
        return search.page(search.best(question.offset + question.k + 1), k=question.k, offset=question.offset)

    def _media_search(self, question: Question, tables: Pinned, *,
                      explain: bool) -> tuple[MediaSearch, Explanation]:  # fmt: skip
        """Prepare a question to the media, and what is noted of it."""
        table = tables.table(media=True)
        question = replace(question, like=uri_of(table, question.like)) if question.like else question
        notes, vector, where = self._prepared(table, question, tables, explain=explain)
        floor = self._spec.search.media_floor if question.floor is None else question.floor
        return MediaSearch(table, question.query, vector, mode=question.mode if question.query else "dense",
                           where=where, floor=floor, explain=notes if explain else None), notes  # fmt: skip

    def _prepared(self, table: TableVersion, question: Question, tables: Pinned, *,
                  explain: bool) -> tuple[Explanation, Vector | None, str | None]:  # fmt: skip
        refuse_sql(table, question.where)
        notes = Explanation(question.mode, table=table.name, version=table.version if explain else 0)
        vector = self._vector(table, question, notes, tables)
        where = notes.where = self._condition(table, question, tables)
        return notes, vector, where

    def _both(self, question: Question, tables: Pinned, *, group: bool, rerank: str | None,
              explain: bool) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        if question.image and rerank not in {None, "none"}:
            raise InputError(_NO_WORDS)
        if question.filter and question.filter.strip():
            # What is wrong with a filter is told; what one table lacks, the other may have.
            schemas = [tables.table(media=media).schema for media in (False, True)]
            for schema, other in (schemas, schemas[::-1]):
                compile_filter(question.filter, schema, elsewhere=other.names)
        section = self._reranking(rerank) if question.query else None
        if section is not None:
            with self._reranker(section) as reranker:
                if reranker.info.sees:
                    return self._together(question, tables, reranker, section.candidates, group=group, explain=explain)
        texts = Hits(Hit)
        refused = False
        like_media = bool(question.like) and _is_media(question.like, tables)
        if not question.image and not like_media:
            try:
                texts = self._texts(question, tables, group=group, rerank=rerank, explain=explain)
            except FilterError:
                refused = True
            if question.like:
                return texts, Hits(MediaHit)
        try:
            # Pictures have no sparse vectors: a sparse search looks for them by everything they have.
            mode: Mode = "hybrid" if question.mode == "sparse" else question.mode
            return texts, self._media(replace(question, mode=mode), tables, rerank=rerank, explain=explain, beside=True)
        except FilterError:
            if question.image or refused:
                raise
            return texts, Hits(MediaHit)

    def _together(self, question: Question, tables: Pinned, reranker: Reranker, candidates: int, *, group: bool,
                  explain: bool) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        """Let a reranker that sees sort texts and media in one go: their scores can be compared then."""
        question.check(media=True)
        mode: Mode = "hybrid" if question.mode == "sparse" else question.mode
        n_texts, n_media = shares(reranker, candidates, question.k)
        texts, pool, of_texts, refusal = None, [], Explanation(question.mode), None
        try:
            texts, of_texts = self._text_search(question, tables, group=group, explain=explain)
            pool = texts.best(n_texts)
        except FilterError as error:
            texts, refusal = None, error
        media, seen, of_media = None, [], Explanation(mode)
        try:
            media, of_media = self._media_search(replace(question, mode=mode), tables, explain=explain)
            seen = media.best(n_media)
        except FilterError:
            media = None
            if refusal is not None:
                raise
        score_together(reranker, question.query, pool, seen, (of_texts, of_media))
        found = Hits(Hit) if texts is None else texts.page(by_score(pool), offset=question.offset)
        pictures = Hits(MediaHit)
        if media is not None:
            pictures = media.page(by_score(seen), k=question.k, offset=question.offset)
        found.together = pictures.together = True
        return found, pictures

    def _vector(self, table: TableVersion, question: Question, notes: Explanation, tables: Pinned) -> Vector | None:
        """Find what the question is searched by, and note where it comes from."""
        began = time.perf_counter()
        if question.like:
            notes.mode, notes.query_vector = "dense", question.like
            vector: Vector | None = (vector_of(table, question.like, tables.all), None)
        elif question.mode == "full-text" and not question.image:
            return None
        else:
            asked = self._embedded(table, question)
            notes.model, notes.query_vector, notes.instruct = asked.model, asked.source, asked.instruct
            vector = asked.vector
        notes.seconds["embed"] = time.perf_counter() - began
        return vector

    def _embedded(self, table: TableVersion, question: Question) -> Asked:
        """Embed what is asked. If that fails, the error has a note: full-text search needs no model."""
        asked = read_picture(self._spec, question.image) if question.image else question.query
        try:
            return self._encoder.embed(table, asked, instruct=instruction(question.instruct or ""))
        except (MissingKeyError, MissingExtraError, AccountError, RetryableError) as error:
            if not question.image:
                others = " and rerank none" if self._spec.search.rerank else ""
                error.add_note(f"A search with mode full-text{others} needs no model.")
            raise

    def _condition(self, table: TableVersion, question: Question, tables: Pinned) -> str | None:
        """Put together what limits the hits."""
        others = except_like(table, question.like) if question.like else None
        several = question.filter and self._spec.media
        elsewhere = {name for each in tables.all() for name in each.schema.names} if several else ()
        return condition(table.schema, filter=question.filter, where=question.where, others=others,
                         elsewhere=elsewhere, only=partial(holds_only, table))  # fmt: skip

    def _reranking(self, name: str | None) -> RerankSpec | None:
        """Say which reranker is meant: the spec's, another one, or none."""
        from relance.search.rerankers import rerank_section

        declared = self._spec.search.rerank
        if name is None or name == "none":
            return declared if name is None else None
        return rerank_section(name, declared, self._spec.plugins)

    @contextlib.contextmanager
    def _reranker(self, spec: RerankSpec) -> Generator[Reranker]:
        """Open a reranker for one question, or for as long as this is open."""
        from relance.search.rerankers import open_reranker

        with self._lock:
            reranker = self._rerankers.get(spec)
            if reranker is None:
                reranker = open_reranker(spec, self._spec.embedding, self._spec.plugins)
                if self._exits is not None:
                    self._rerankers[spec] = self._exits.enter_context(reranker)
            ours = self._exits is None
        with reranker if ours else contextlib.nullcontext():
            yield reranker


def _is_media(uri: str, tables: Pinned) -> bool:
    media = tables.table(media=True)
    return not has_document(tables.table(), uri) and has_document(media, uri_of(media, uri))
