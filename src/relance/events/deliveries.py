"""Which deliveries were taken already, for many requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relance.events.delivery import State

if TYPE_CHECKING:
    from relance.events.delivery_table import DeliveryTable

__all__ = ["Deliveries"]


@dataclass(slots=True)
class _Waiting:
    claims: dict[str, list[asyncio.Future[State]]] = field(default_factory=dict)
    confirms: dict[str, tuple[float, asyncio.Future[None]]] = field(default_factory=dict)
    releases: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.claims or self.confirms or self.releases)


class Deliveries:
    """The deliveries of one store, as requests ask for them: what comes while a commit is made shares the next."""

    def __init__(self, table: DeliveryTable) -> None:
        self._table = table
        self._waiting = _Waiting()
        self._task: asyncio.Task[None] | None = None

    async def claim(self, delivery: str) -> State:
        """Claim a delivery, to `confirm` or `release` it."""
        future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._waiting.claims.setdefault(delivery, []).append(future)
        self._begin()
        return await future

    async def confirm(self, delivery: str, *, until: float) -> None:
        """Remember a claimed delivery as taken, until a moment (seconds since 1970)."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.confirms[delivery] = until, future
        self._begin()
        await future

    async def release(self, delivery: str) -> None:
        """Forget a claimed delivery."""
        future = self._waiting.releases[delivery] = asyncio.get_running_loop().create_future()
        self._begin()
        await future

    async def aclose(self) -> None:
        """Wait for what is being written."""
        while self._task is not None:
            await self._task

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, _Waiting()
                await self._settle([future for _, future in batch.confirms.values()], self._table.confirm,
                                   {name: until for name, (until, _) in batch.confirms.items()})  # fmt: skip
                await self._settle(list(batch.releases.values()), self._table.release, list(batch.releases))
                await self._claim(batch.claims)
        finally:
            self._task = None

    async def _claim(self, claims: Mapping[str, list[asyncio.Future[State]]]) -> None:
        futures = [future for each in claims.values() for future in each]
        states = await self._settle(futures, self._table.claim, list(claims), answer=False)
        for name, (first, *others) in claims.items() if states is not None else ():
            _answer(first, states[name])
            for future in others:
                _answer(future, State.TAKEN if states[name] is State.TAKEN else State.UNDER_WAY)

    async def _settle(self, futures: list[asyncio.Future[Any]], call: Callable[[Any], Any], content: Any, *,
                      answer: bool = True) -> Any:  # fmt: skip
        if not futures:
            return None
        try:
            found = await asyncio.to_thread(call, content)
        except Exception as error:  # each of those who wait hears of it
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            return None
        for future in futures if answer else ():
            _answer(future, None)
        return found


def _answer(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():  # else nobody waits for it any more
        future.set_result(value)
