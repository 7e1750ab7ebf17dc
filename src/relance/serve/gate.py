"""The door: who comes in, how often, with how much; every request passes here, is counted and written down."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any

from relance.counted import counted
from relance.events.connection import vouch
from relance.http.local_host import is_local_host
from relance.serve.audit import AuditLog
from relance.serve.config import ServeConfig, is_loopback
from relance.serve.problem import problem
from relance.serve.rate import Rates
from relance.serve.tokens import Caller
from relance.serve.traffic import Traffic
from relance.serve.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Gate", "Watch", "visit_of"]

log = logging.getLogger(__name__)

# Whoever watches the server asks these, without a token; /metrics has one of its own.
_OPEN = frozenset({"/health/live", "/health/ready", "/metrics"})
_VISIT = "relance.visit"
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_UNKNOWN = Caller(name="")


def visit_of(scope: Any) -> Visit:
    """Return the visit that a request is."""
    return scope[_VISIT]


class Watch:
    """ASGI middleware, the outermost: counts, writes the audit log, and answers where everything else fell over."""

    def __init__(self, app: ASGIApp, audit: AuditLog, traffic: Traffic) -> None:
        self._app, self._audit, self._traffic = app, audit, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit, status = Visit(_UNKNOWN), 0
        scope[_VISIT] = visit

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in present)]
            await send(message)

        self._traffic.begin()
        try:
            await self._app(scope, receive, watched)
        except Exception:
            log.exception("a defect of relance, please report it")
            if not status:
                await problem(500, "the log of the server has the details; please report it")(scope, receive, watched)
        finally:
            self._traffic.end(visit, status)
            if scope["path"] not in _OPEN:  # probes come every few seconds
                self._audit.write(visit, status, method=scope["method"], path=scope["path"])


class Gate:
    """ASGI middleware: refuses strangers and what is too much, and hands on whole requests."""

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        self._app = app
        self._config = config
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._refusal(scope, headers)
        if answer is None:
            vouch(scope)
            whole = await self._whole(headers, receive)
            if isinstance(whole, bytes):
                await self._app(scope, _replayed(whole, receive), send)
                return
            answer = whole
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> Response | None:
        """Answer in the application's place, or not; fills in who calls."""
        visit = visit_of(scope)
        visit.operation = "mcp" if scope["path"] == "/mcp" else ""
        if not self._config.tokens:
            visit.caller = Caller()
            return self._stranger(headers)
        if scope["path"] in _OPEN:
            return None
        scheme, _, token = headers.get(b"authorization", "").partition(" ")
        caller = self._config.tokens.find(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            visit.operation = "refused"
            detail = "send a token of this server, as `Authorization: Bearer TOKEN`"
            return problem(401, detail, headers={"www-authenticate": 'Bearer realm="relance"'})
        visit.caller = caller
        if wait := self._rates.wait_s(caller):
            visit.operation = "refused"
            most = counted(caller.per_minute, "request")
            detail = f"this token may send {most} a minute; try again in {math.ceil(wait)} s"
            return problem(429, detail, headers={"retry-after": str(math.ceil(wait))})
        return None

    def _stranger(self, headers: dict[bytes, str]) -> Response | None:
        """Refuse, where there are no tokens, what pages of others make this machine's browser ask."""
        if is_loopback(self._config.host) and not is_local_host(headers.get(b"host", "")):
            return problem(421, "without tokens this server answers only to the names 127.0.0.1 and localhost")
        origin = headers.get(b"origin")
        if headers.get(b"sec-fetch-site") in {"cross-site", "same-site"} or origin is not None:
            own = origin is not None and origin.partition("://")[2] == headers.get(b"host")
            if not own and origin not in self._config.origins:
                return problem(403, "pages of other origins may not call this server; `--cors ORIGIN` allows one")
        return None

    async def _whole(self, headers: dict[bytes, str], receive: Receive) -> bytes | Response:
        """Read a body as far as it may be long, in the time it may take."""
        most = self._config.limits.body
        declared = headers.get(b"content-length", "0")
        if not declared.isdigit() or int(declared) > most:
            return self._too_large(most)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._config.limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return problem(408, "the connection ended before the whole body had arrived")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        return self._too_large(most)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            return problem(408, f"the body did not arrive in {self._config.limits.body_s:g} seconds",
                           headers={"connection": "close"})  # fmt: skip

    @staticmethod
    def _too_large(most: int) -> Response:
        return problem(
            413,
            f"the body is larger than {most:,} bytes, the most that this server reads",
            headers={"connection": "close"},
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hand on a body that was read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
