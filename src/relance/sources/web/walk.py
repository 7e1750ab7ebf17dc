"""Many visits at a time, their results in the order of the addresses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from relance.documents import Ignored
from relance.errors import DocumentError, SourceError
from relance.sources.web.entry import Entry
from relance.sources.web.session import Connection
from relance.sources.web.visitor import Visit, Visitor

__all__ = ["Walk"]

# So many addresses in a row that could not be had now: the site is away, and asking for the others is no use.
_PATIENCE = 20

Found = tuple[Entry, Visit] | Ignored


class Walk:
    """Visits the addresses that a list names, or links lead to."""

    def __init__(self, connection: Connection, visitor: Visitor, *, at_once: int, max_pages: int) -> None:
        """Visit nothing yet.

        Args:
            connection: the way to the event loop.
            visitor: visits one.
            at_once: visits under way.
            max_pages: addresses, at most.
        """
        self._portal, self._visitor = connection.portal, visitor
        self._at_once, self._max_pages = at_once, max_pages
        self._visits = self._failed = 0

    def through(self, entries: Iterable[Entry | Ignored]) -> Iterator[Found]:
        """Stream what became of each entry of a list, in its order.

        Raises SourceError where the site goes away meanwhile, and that of `entries` after what they had before it.
        """
        broken: SourceError | None = None
        reading = iter(entries)
        waiting: deque[tuple[Entry, Visit | Future[Visit]] | Ignored] = deque()
        try:
            while True:
                try:
                    entry = next(reading, None)
                    if entry is None:
                        break
                    waiting.append(entry if isinstance(entry, Ignored) else self._begin(entry))
                except SourceError as error:
                    broken = error
                    break
                # What needs no visit goes through at once, unless it has to wait for one before it.
                while waiting and (len(waiting) >= 2 * self._at_once or not _is_under_way(waiting[0])):
                    yield self._end(waiting.popleft())
            while waiting:
                yield self._end(waiting.popleft())
        finally:
            _cancel(waiting)
        if broken is not None:
            raise broken

    def crawl(self, starts: Iterable[str], depth: int) -> Iterator[Found]:
        """Stream what became of each page that links lead to, the nearest first.

        Raises SourceError at the end where a page could not be had and its links are not known from earlier runs:
        what they lead to may be there.
        """
        seen: set[bytes] = set()
        queue: deque[Entry] = deque()
        waiting: deque[tuple[Entry, Visit | Future[Visit]] | Ignored] = deque()
        unknown: list[str] = []

        def add(address: str, at: int) -> None:
            key = address.encode()
            if key not in seen:
                seen.add(key)
                queue.append(Entry(address, depth=at, follow=at < depth))

        for start in starts:
            add(start, 0)
        try:
            while queue or waiting:
                while queue and len(waiting) < 2 * self._at_once:
                    waiting.append(self._begin(queue.popleft()))
                ended = self._end(waiting.popleft())
                yield ended
                if isinstance(ended, Ignored):
                    continue
                entry, visit = ended
                if entry.follow and visit.links is None:
                    unknown.append(entry.address)
                for link in (visit.links or ()) if entry.follow else ():
                    add(link, entry.depth + 1)
        finally:
            _cancel(waiting)
        if unknown:
            more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
            raise SourceError(f"{unknown[0]}{more} could not be read, so what it links to is not known")

    def _begin(self, entry: Entry) -> tuple[Entry, Visit | Future[Visit]]:
        settled = self._visitor.settled(entry)
        if settled is None or not isinstance(settled.found, Ignored):
            self._visits += 1
            if self._visits > self._max_pages:
                msg = f"there are more than max_pages ({self._max_pages:,}) addresses; raise it, or exclude some"
                raise SourceError(msg)
        return entry, settled if settled is not None else self._portal.start_task_soon(self._visitor.visit, entry)

    def _end(self, begun: tuple[Entry, Visit | Future[Visit]] | Ignored) -> Found:
        if isinstance(begun, Ignored):
            return begun
        entry, visit = begun
        if not isinstance(visit, Visit):
            visit = visit.result()
            self._failed = self._failed + 1 if visit.retryable else 0
            if self._failed >= _PATIENCE and isinstance(visit.found, DocumentError):
                raise SourceError(f"{_PATIENCE} addresses in a row could not be had, the last: {visit.found}")
        return entry, visit


def _is_under_way(begun: tuple[Entry, Visit | Future[Visit]] | Ignored) -> bool:
    return not isinstance(begun, Ignored) and isinstance(begun[1], Future) and not begun[1].done()


def _cancel(waiting: Iterable[tuple[Entry, Visit | Future[Visit]] | Ignored]) -> None:
    for each in waiting:
        if not isinstance(each, Ignored) and isinstance(each[1], Future):
            each[1].cancel()
