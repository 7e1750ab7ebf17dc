"""What addresses have answered in this run, so that each is asked once whatever the number of rows."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from relance.errors import RelanceError
from relance.fetch.fetched import Fetched, copied

__all__ = ["Answers"]

# Rows of one picture stand near each other in most tables. What was let go is asked for again.
_MOST_BYTES = 32 << 20
_MOST_ANSWERS = 50_000

Conditions = tuple[str, str]


@dataclass(slots=True)
class _Answer:
    """What came, and for whom it is an answer: a body for all, "unchanged" for those who have asked by the same."""

    outcome: Fetched | RelanceError
    conditions: Conditions


class Answers:
    """A memory bounded in bytes and number, the least used go first; belongs to one event loop."""

    def __init__(self, most_bytes: int = _MOST_BYTES, most_answers: int = _MOST_ANSWERS) -> None:
        self._most_bytes, self._most_answers = most_bytes, most_answers
        self._known: OrderedDict[str, _Answer] = OrderedDict()
        self._asking: dict[str, asyncio.Event] = {}
        self._bytes = 0

    async def once(self, url: str, conditions: Conditions, ask: Callable[[], Awaitable[Fetched]]) -> Fetched:
        """Return what an address has answered, or ask it; who comes meanwhile waits. Raises what `ask` raises."""
        while True:
            known = self._known.get(url)
            if known is not None and (_for_all(known.outcome) or known.conditions == conditions):
                self._known.move_to_end(url)
                return _given(known.outcome)
            asking = self._asking.get(url)
            if asking is None:
                break
            await asking.wait()  # if that one is cancelled, the next asks
        self._asking[url] = done = asyncio.Event()
        try:
            found = await ask()
        except RelanceError as error:
            self._keep(url, _Answer(copied(error), conditions))
            raise
        else:
            self._keep(url, _Answer(found, conditions))
            return found
        finally:
            del self._asking[url]
            done.set()

    def _keep(self, url: str, answer: _Answer) -> None:
        if (before := self._known.pop(url, None)) is not None:
            self._bytes -= _size(before)
        if _size(answer) > self._most_bytes // 4:
            return  # a film would push out all the pictures
        self._known[url] = answer
        self._bytes += _size(answer)
        while self._bytes > self._most_bytes or len(self._known) > self._most_answers:
            _, gone = self._known.popitem(last=False)
            self._bytes -= _size(gone)


def _for_all(outcome: Fetched | RelanceError) -> bool:
    return isinstance(outcome, RelanceError) or not outcome.unchanged


def _size(answer: _Answer) -> int:
    return answer.outcome.size if isinstance(answer.outcome, Fetched) else 0


def _given(outcome: Fetched | RelanceError) -> Fetched:
    if isinstance(outcome, RelanceError):
        raise copied(outcome)
    return outcome
