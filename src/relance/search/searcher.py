"""An index's searches: from what is asked to the tables that answer it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from relance.config import IndexSpec, RerankSpec
from relance.errors import InputError
from relance.search.condition import condition
from relance.search.filters import FilterError, compile_filter
from relance.search.filters.metadata import holds_only
from relance.search.hit import Explanation, Hit
from relance.search.hits import Hits
from relance.search.instructions import instruction
from relance.search.media import MediaHit, search_media
from relance.search.mode import Mode, check_mode
from relance.search.query_encoder import QueryEncoder, read_picture
from relance.search.similar import except_like, has_document, vector_of
from relance.search.table import MAX_HITS, search_table
from relance.store.open_tables import is_gone

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector
    from relance.search.rerankers import Reranker
    from relance.store import Store
    from relance.store.open_tables import TableVersion
    from relance.store.serving import ServingTables

__all__ = ["Question", "Searcher"]

T = TypeVar("T")

_TRIES = 3


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
        if not 1 <= self.k <= MAX_HITS:
            msg = f"k must be between 1 and {MAX_HITS:,}, got {self.k}"
            raise InputError(msg)
        if not 0 <= self.offset <= MAX_HITS - self.k:
            msg = f"offset must be between 0 and {MAX_HITS - self.k:,} for pages of {self.k}, got {self.offset}"
            raise InputError(msg)


class Searcher:
    """Searches the tables of one index; as a context manager it keeps open what makes questions' vectors.

    The tables stay open anyway. A search sees the newest version of them, and no other.
    """

    def __init__(self, spec: IndexSpec, store: Store, serving: ServingTables) -> None:
        self._spec = spec
        self._serving = serving
        self._table: Callable[..., TableVersion] = serving.newest
        self._encoder = QueryEncoder(spec, store)
        self._lock = threading.Lock()
        self._exits: contextlib.ExitStack | None = None
        self._rerankers: dict[RerankSpec, Reranker] = {}

    def __enter__(self) -> Self:
        self._exits = contextlib.ExitStack()
        self._exits.enter_context(self._encoder)
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            exits, self._exits = self._exits, None
            self._rerankers.clear()
        if exits is not None:
            exits.close()

    def texts(self, question: Question, *, group: bool, rerank: str | None, explain: bool) -> Hits[Hit]:
        """Find chunks."""
        return self._newest(partial(self._texts, question, group=group, rerank=rerank, explain=explain))

    def media(self, question: Question, *, explain: bool) -> Hits[MediaHit]:
        """Find images and videos."""
        return self._newest(partial(self._media, question, explain=explain))

    def both(self, question: Question, *, group: bool, rerank: str | None,
             explain: bool) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        """Find chunks, and images and videos."""
        return self._newest(partial(self._both, question, group=group, rerank=rerank, explain=explain))

    def _newest(self, search: Callable[[], T]) -> T:
        """Search again where the version that was being read is gone: a run pruned it, or the table was dropped."""
        for _ in range(_TRIES):
            try:
                return search()
            except (ValueError, RuntimeError) as error:
                if not is_gone(error):
                    raise
                self._serving.forget()
        return search()

    def _texts(self, question: Question, *, group: bool, rerank: str | None, explain: bool) -> Hits[Hit]:
        question.check(media=False)
        if rerank not in {None, "none"} and question.like:
            msg = "rerank needs a query: what like finds is not sorted by words"
            raise InputError(msg)
        section = None if question.like else self._reranking(rerank)
        table = self._table()
        notes = Explanation(question.mode, table=table.name, version=table.version if explain else 0)
        vector = self._vector(table, question, notes)
        where = notes.where = self._condition(table, question)
        search = partial(search_table, table, question.query, vector, mode="dense" if question.like else question.mode,
                         k=question.k, offset=question.offset, where=where, group=group,
                         explain=notes if explain else None)  # fmt: skip
        if section is None:
            return search()
        with self._reranker(section) as reranker:
            if reranker.info.merges and question.mode != "hybrid":
                if rerank is None:
                    return search()
                msg = f"{rerank} merges the lists of a hybrid search; search with mode hybrid, or without it"
                raise InputError(msg)
            return search(reranker=reranker, candidates=section.candidates)

    def _media(self, question: Question, *, explain: bool) -> Hits[MediaHit]:
        question.check(media=True)
        table = self._table(media=True)
        notes = Explanation(question.mode, table=table.name, version=table.version if explain else 0)
        vector = self._vector(table, question, notes)
        where = notes.where = self._condition(table, question)
        mode = question.mode if question.query else "dense"
        return search_media(table, question.query, vector, mode=mode, k=question.k, offset=question.offset,
                            where=where, explain=notes if explain else None)  # fmt: skip

    def _both(self, question: Question, *, group: bool, rerank: str | None,
              explain: bool) -> tuple[Hits[Hit], Hits[MediaHit]]:  # fmt: skip
        if question.image and rerank not in {None, "none"}:
            raise InputError("rerank needs a query: what a picture finds is not sorted by words")
        if question.filter and question.filter.strip():
            # What is wrong with a filter is told; what one table lacks, the other may have.
            schemas = [self._table(media=media).schema for media in (False, True)]
            for schema, other in (schemas, schemas[::-1]):
                compile_filter(question.filter, schema, elsewhere=other.names)
        texts = Hits(Hit)
        refused = False
        like_media = bool(question.like) and self._is_media(question.like)
        if not question.image and not like_media:
            try:
                texts = self._texts(question, group=group, rerank=rerank, explain=explain)
            except FilterError:
                refused = True
            if question.like:
                return texts, Hits(MediaHit)
        try:
            # Pictures have no sparse vectors: a sparse search looks for them by everything they have.
            mode: Mode = "hybrid" if question.mode == "sparse" else question.mode
            return texts, self._media(replace(question, mode=mode), explain=explain)
        except FilterError:
            if question.image or refused:
                raise
            return texts, Hits(MediaHit)

    def _is_media(self, uri: str) -> bool:
        return not has_document(self._table(), uri) and has_document(self._table(media=True), uri)

    def _vector(self, table: Any, question: Question, notes: Explanation) -> Vector | None:
        """Find what the question is searched by, and note where it comes from."""
        began = time.perf_counter()
        if question.like:
            notes.mode, notes.query_vector = "dense", question.like
            vector: Vector | None = (vector_of(table, question.like, self._tables), None)
        elif question.mode == "full-text" and not question.image:
            return None
        else:
            instruct = instruction(question.instruct or "")
            asked = self._encoder.embed(
                table, read_picture(self._spec, question.image) if question.image else question.query, instruct=instruct
            )
            notes.model, notes.query_vector, notes.instruct = asked.model, asked.source, asked.instruct
            vector = asked.vector
        notes.seconds["embed"] = time.perf_counter() - began
        return vector

    def _condition(self, table: Any, question: Question) -> str | None:
        """Put together what limits the hits."""
        others = except_like(table, question.like) if question.like else None
        elsewhere = self._names if question.filter and self._spec.media else ()
        return condition(table.schema, filter=question.filter, where=question.where, others=others,
                         elsewhere=elsewhere, only=partial(holds_only, table))  # fmt: skip

    @property
    def _names(self) -> set[str]:
        """Columns of texts and media."""
        return {name for table in self._tables() for name in table.schema.names}

    def _tables(self) -> list[Any]:
        """Open all there are: of texts, and of media."""
        return [self._table(), self._table(media=True)] if self._spec.media else [self._table()]

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
