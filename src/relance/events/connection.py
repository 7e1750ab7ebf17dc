"""What connections may take before their senders have proved themselves: uvicorn bounds a head, not its time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

__all__ = ["ConnectionLimits", "vouch"]

_CONNECTION = "relance.connection"


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """How many connections may be open, and for how long.

    One that has not proved itself, or that is idle between two requests, is a stranger: those give way, the oldest
    first. One whose request has proved itself stays until that is answered.

    Attributes:
        head_s: seconds in which a new connection has to send the head of a request, and a refused one has to go.
        most: connections at once.
        strangers: strangers at once of one address. A proxy is one address.
    """

    head_s: float = 10.0
    most: int = 1500
    strangers: int = 256

    def protocol(self) -> type[asyncio.Protocol]:
        """Make the protocol of a server, which counts its connections."""
        from uvicorn.protocols.http.h11_impl import H11Protocol

        limits, opened = self, _Opened(self)

        class Punctual(H11Protocol):
            _timer: asyncio.TimerHandle | None = None
            _vouched: Any = None

            @property
            def address(self) -> str:
                return self.client[0] if self.client else ""

            @property
            def stranger(self) -> bool:
                return not self._answering or self._vouched is not self.cycle

            @property
            def _answering(self) -> bool:
                return self.cycle is not None and not self.cycle.response_complete

            def vouch(self) -> None:
                self._vouched = self.cycle
                opened.renew(self)

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                self._timer = self.loop.call_later(limits.head_s, self.transport.close)
                opened.add(self)

            def data_received(self, data: bytes) -> None:
                cycle = self.cycle
                super().data_received(data)
                if self.cycle is not cycle:  # its task has not begun
                    cast("dict[str, Any]", self.scope)[_CONNECTION] = self
                if self._answering:
                    self._unset_timer()
                elif self._timer is None:  # a second head has begun, or a body comes that nobody reads
                    self._timer = self.loop.call_later(limits.head_s, self.transport.close)

            def connection_lost(self, exc: Exception | None) -> None:
                self._unset_timer()
                opened.remove(self)
                super().connection_lost(exc)

            def drop(self) -> None:
                opened.remove(self)
                self.transport.abort()

            def _unset_timer(self) -> None:
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None

        return Punctual


def vouch(scope: Any) -> None:
    """Say that the sender of a request has proved itself: its connection does not give way to others until answered."""
    connection = scope.get(_CONNECTION)
    if connection is not None:
        connection.vouch()


# A crowd that is accepted at once has that long to be read from, so that who has something to say is no stranger.
_GRACE_S = 0.1


@dataclass(slots=True)
class _Opened:
    limits: ConnectionLimits
    by_address: dict[str, dict[Any, None]] = field(default_factory=lambda: defaultdict(dict))
    crowded: set[str] = field(default_factory=set)
    count: int = 0

    def add(self, connection: Any) -> None:
        address = connection.address
        here = self.by_address[address]
        here[connection] = None
        self.count += 1
        if self.count > self.limits.most:  # the address with most connections gives way
            for crowd in sorted(self.by_address.values(), key=len, reverse=True):
                if oldest := next((each for each in crowd if each.stranger), None):
                    oldest.drop()
                    break
        if len(here) > self.limits.strangers and address not in self.crowded:
            self.crowded.add(address)
            connection.loop.call_later(_GRACE_S, self._trim, address)

    def _trim(self, address: str) -> None:
        self.crowded.discard(address)
        strangers = [each for each in self.by_address.get(address, ()) if each.stranger]
        for each in strangers[: max(0, len(strangers) - self.limits.strangers)]:
            each.drop()

    def renew(self, connection: Any) -> None:
        """Make a connection the newest: when it is idle again, it is not the first to give way."""
        here = self.by_address.get(connection.address, {})
        if connection in here:
            del here[connection]
            here[connection] = None

    def remove(self, connection: Any) -> None:
        here = self.by_address.get(connection.address, {})
        if connection in here:
            del here[connection]
            self.count -= 1
            if not here:
                self.by_address.pop(connection.address, None)
