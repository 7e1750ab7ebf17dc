"""The connections of one source: open while anybody lists or reads."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.fetch import Fetched, Fetcher, FetchPolicy, HostRules
from relance.http.event_loop import event_loop
from relance.sources.web.robots import Robots
from relance.sources.web.scope import Scope
from relance.sources.web.spec import WebSource

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["Connection", "Session", "agent_of"]


@dataclass(slots=True, frozen=True)
class Connection:
    """What asks, on the event loop of the process.

    Attributes:
        portal: the way to the loop.
        fetcher: the guarded client.
        robots: the rules of sites; None where they do not count.
    """

    portal: BlockingPortal
    fetcher: Fetcher
    robots: Robots | None

    def fetch(self, address: str, *, max_bytes: int | None = None) -> Fetched:
        """Fetch an address from a thread; raises as `Fetcher.fetch`."""

        async def ask() -> Fetched:
            return await self.fetcher.fetch(address, max_bytes=max_bytes)

        return self.portal.call(ask)


class Session:
    """Opens the connections with their first user and closes them with the last; threads may share it."""

    def __init__(self, spec: WebSource, scope: Scope, section: str) -> None:
        """Open nothing; ConfigurationError for an `allow` or a proxy that nobody can use.

        `section`: the section's name, for messages.
        """
        self._spec = spec
        self._policy = _policy(spec, scope, section)
        self._lock = threading.Lock()
        self._users = 0
        self._closed_at = float("-inf")
        self._open: tuple[Connection, ExitStack] | None = None

    @contextmanager
    def open(self) -> Generator[Connection]:
        """Give the connections for the length of the block."""
        with self._lock:
            if self._open is None:
                # Who reads one page after the other opens the session for each of them.
                time.sleep(max(0.0, self._closed_at + self._spec.delay_s - time.monotonic()))
                self._open = self._connect()
            self._users += 1
            connection = self._open[0]
        try:
            yield connection
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    (_, exits), self._open = self._open, None
                    self._closed_at = time.monotonic()
                    exits.close()

    def allows(self, address: str) -> bool:
        """Tell whether an address is one that only we can reach."""
        return self._policy.allows_url(address)

    def _connect(self) -> tuple[Connection, ExitStack]:
        spec = self._spec
        with ExitStack() as exits:
            portal = exits.enter_context(event_loop())
            fetcher = portal.call(Fetcher, self._policy)
            exits.callback(portal.call, fetcher.aclose)
            robots = Robots(fetcher, agent_of(spec), spec.delay_s) if spec.obey_robots else None
            return Connection(portal, fetcher, robots), exits.pop_all()


def agent_of(spec: WebSource) -> str:
    """Return what a source is called in robots.txt, in lower case."""
    return (spec.user_agent.partition("/")[0].partition(" ")[0] or "relance").lower()


def _policy(spec: WebSource, scope: Scope, section: str) -> FetchPolicy:
    headers = {"Accept-Encoding": "gzip"} | {name: value.get_secret_value() for name, value in spec.headers.items()}
    if spec.user_agent:
        headers["User-Agent"] = spec.user_agent
    if spec.user:
        login = f"{spec.user}:{spec.password.get_secret_value()}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    per_second = 1 / spec.delay_s if spec.delay_s else 0.0
    rules = HostRules(headers=tuple(headers.items()), per_second=per_second, connections=spec.at_once)
    return FetchPolicy(
        allow=tuple(spec.allow), max_bytes=int(spec.max_size), timeout_s=spec.timeout_s,
        connections=max(16, spec.at_once), patience_s=spec.patience_s, recheck_s=0.0,
        hosts=tuple((host, rules) for host in scope.ports), proxy=spec.proxy.get_secret_value(), section=section,
    )  # fmt: skip
