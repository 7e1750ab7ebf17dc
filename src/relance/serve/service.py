"""What HTTP and MCP do with the indexes: each is opened once, and every caller reads it with their own eyes."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from relance.errors import ConfigurationError, InputError, RelanceError
from relance.search import Hit, Hits
from relance.search.media import MediaHit
from relance.serve.answers import DocumentAnswer, DocumentPage, IndexAnswer, SearchAnswer
from relance.serve.documents import MOST_CHUNKS, Documents
from relance.serve.problem import ForbiddenError, MissingError, known
from relance.serve.questions import RecommendQuestion, SearchQuestion
from relance.serve.workers import Workers
from relance.store.principals import OWNER

if TYPE_CHECKING:
    from relance.analysis.recommend import Recommendations
    from relance.index import Index
    from relance.serve.config import ServeLimits
    from relance.serve.visit import Visit

__all__ = ["Service"]

T = TypeVar("T")

_READERS = 64  # readers whose lists of documents are remembered, 20 MB each of an index of 100,000


class Service:
    """Indexes by name; as a context manager it keeps models and connections open. For the event loop."""

    def __init__(self, indexes: Sequence[Index], limits: ServeLimits) -> None:
        self._indexes = {index.spec.name: index for index in indexes}
        if len(self._indexes) < len(indexes):
            msg = "two of the indexes have the same name; serve them on two ports"
            raise ConfigurationError(msg)
        self._limits = limits
        self._workers = Workers(limits)
        self._documents: OrderedDict[Any, Documents] = OrderedDict()
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for index in self._indexes.values():
            self._exits.enter_context(index)
        return self

    def __exit__(self, *error: object) -> None:
        self._workers.close()
        self._exits.close()

    @property
    def indexes(self) -> dict[str, Index]:
        """The indexes that are served, by name."""
        return self._indexes

    async def search(self, visit: Visit, name: str, asked: SearchQuestion) -> SearchAnswer:
        """Find chunks, images and videos; raises as `Index.search`, and ForbiddenError for what only the owner may."""
        index = self._open(visit, name)
        visit.query = asked.query
        answer = await self._run(partial(_search, index, asked))
        visit.hits = len(answer.hits) + len(answer.media)
        return answer

    async def recommend(self, visit: Visit, name: str, asked: RecommendQuestion) -> Recommendations:
        """Recommend documents, or media."""
        from relance.analysis.recommend import recommend

        index = self._open(visit, name)
        history = [each.as_liked() for each in asked.history]
        found = await self._run(
            partial(recommend, index, history, k=asked.k, level=asked.level, filter=asked.filter,
                    diversity=asked.diversity, half_life_days=asked.half_life_days)
        )  # fmt: skip
        visit.hits = len(found.items)
        return found

    async def documents(self, visit: Visit, name: str, *, offset: int, limit: int, words: str,
                        media: bool) -> DocumentPage:  # fmt: skip
        """List documents."""
        documents = self._read(visit, name)
        return await self._run(partial(documents().page, offset=offset, limit=limit, words=words, media=media))

    async def document(self, visit: Visit, name: str, uri: str, *, first: int = 0,  # noqa: PLR0913  # by keyword
                       count: int = MOST_CHUNKS, around: str = "", line: int | None = None, before: int = 0,
                       after: int = 0) -> DocumentAnswer:  # fmt: skip
        """Read a document from a place, or around a chunk (by its id) or a line."""
        documents = self._read(visit, name)

        def read() -> DocumentAnswer:
            of = documents()
            if not around and line is None:
                return of.one(uri, first=first, count=count)
            place = of.place(uri, chunk=around, line=line)
            begin = max(0, place - before)
            return of.one(uri, first=begin, count=place - begin + 1 + after)

        return await self._run(read)

    async def about(self, visit: Visit, name: str) -> IndexAnswer:
        """Describe an index."""
        documents = self._read(visit, name)
        return await self._run(lambda: documents().about())

    async def indexes_of(self, visit: Visit) -> list[IndexAnswer]:
        """Describe the indexes that a caller may use."""
        return [await self.about(visit, name) for name in self._names(visit)]

    async def status(self, visit: Visit, name: str) -> dict[str, Any]:
        """Say how an index is; ForbiddenError for who may not see all its documents."""
        documents = self._read(visit, name)
        found = await self._run(lambda: documents().status())
        if found is None:
            msg = (
                f"the status of {name!r} counts documents that this token may not see; /v1/indexes/{name} counts those "
            )
            msg += "that it may see"
            raise ForbiddenError(msg)
        return found

    async def ready(self) -> dict[str, str]:
        """Say of each index `ok`, or what it lacks."""
        return {name: await self._readiness(index) for name, index in self._indexes.items()}

    async def _readiness(self, index: Index) -> str:
        try:
            await self._run(index.visible)
        except RelanceError as error:
            return str(error)
        return "ok"

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await self._workers.run(call)
        except (RuntimeError, OSError) as error:  # what a table that is hurt, or a disk, says
            raise known(error) from error

    def _names(self, visit: Visit) -> list[str]:
        return [name for name in self._indexes if visit.caller.may_use(name)]

    def _open(self, visit: Visit, name: str) -> Index:
        """Return an index as the caller reads it; MissingError where it is not there, or not for the caller."""
        names = self._names(visit)
        if name not in names:
            close = get_close_matches(name, names, 1, 0.6)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
            msg = f"there is no index {name[:100]!r}; {hint}"
            raise MissingError(msg)
        visit.index = name
        index = self._indexes[name]
        return index.for_principals(visit.caller.principals) if visit.caller.given else index

    def _read(self, visit: Visit, name: str) -> Callable[[], Documents]:
        """Return what opens the documents of an index for the caller, in a thread: the first time reads the disk."""
        index = self._open(visit, name)
        who = index.principals
        key = (name, who if who is None or who is OWNER else tuple(who))

        def opened() -> Documents:
            documents = self._documents.get(key)
            if documents is None:
                documents = self._documents.setdefault(key, Documents(index))
                while len(self._documents) > _READERS:
                    self._documents.popitem(last=False)
            return documents

        return opened


def _search(index: Index, asked: SearchQuestion) -> SearchAnswer:
    """Search what was asked for."""
    _allow(index, asked)
    kind = asked.what
    if kind == "auto":
        kind = "both" if index.spec.media is not None or asked.image else "texts"
    words = asked.model_dump(exclude={"what", "image", "group", "floor"})
    texts, media = Hits(Hit), Hits(MediaHit)
    if kind == "texts":
        if asked.image:
            msg = "a picture finds images and videos, not texts; set `what` to media or both"
            raise InputError(msg)
        texts = index.search(**words, group=asked.group)
    elif kind == "media":
        media = index.search_media(**words, image=asked.image, floor=asked.floor)
    else:
        texts, media = index.search_both(**words, image=asked.image, floor=asked.floor, group=asked.group)
    explanations = [page.explanation for page in (texts, media) if page.explanation is not None]
    return SearchAnswer.model_construct(hits=texts, media=media, more=texts.more or media.more,
                                        together=texts.together, hints=[*texts.hints, *media.hints],
                                        explanations=explanations)  # fmt: skip


def _allow(index: Index, asked: SearchQuestion) -> None:
    """Refuse what reads past a filter, or spends money on a model that the index does not declare."""
    if index.principals is OWNER:
        return
    if asked.where is not None:
        msg = "where is SQL, which only a token of the owner may send; write the condition as a filter"
        raise ForbiddenError(msg)
    declared = index.spec.search.rerank
    if asked.rerank not in {None, "none", declared.model if declared else None}:
        msg = "only a token of the owner may name a reranker that the index does not declare; leave it out, or `none`"
        raise ForbiddenError(msg)
