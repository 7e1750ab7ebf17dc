"""Answering one notification: who sent it, what it says, and whether Prefect has it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relance.config import IndexSpec
from relance.errors import InputError, RelanceError
from relance.events.change import Change
from relance.events.deliveries import Deliveries, delivery_of
from relance.events.gathering import Gathering
from relance.events.notifications import Notification, Placement, generic, github, oss, s3
from relance.events.notifications.notification import read_json
from relance.events.refusal import Refusal
from relance.events.signatures import Secrets
from relance.events.throttle import Throttle

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["KINDS", "Limits", "WebhookHandler", "as_json"]

log = logging.getLogger(__name__)

KINDS = ("generic", "github", "oss", "s3")
_BUCKETS = ("oss", "s3")
_JSON = ("application/json", "application/cloudevents+json")
# MNS sends its simplified form as text.
_TYPES = {kind: _JSON + (("text/plain",) if kind == "oss" else ()) for kind in KINDS}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a sender may do.

    Attributes:
        body_bytes: size of a body.
        request_s: seconds a request may take to arrive; as long again it may wait for Prefect.
        per_second: requests for one index a second, in the long run; MinIO sends one for each object.
        burst: requests for one index at once.
        bodies: bodies that are read at once, so that memory is bounded; the others wait.
        tolerance_s: seconds the clock of a sender that signs may be off.
        deliveries: signed deliveries that are remembered, to refuse them the second time.
        gather_s: seconds for which changes of an index are gathered into one event.
    """

    body_bytes: int = 1 << 20
    request_s: float = 10.0
    per_second: float = 200.0
    burst: int = 1000
    bodies: int = 64
    tolerance_s: int = 300
    deliveries: int = 100_000
    gather_s: float = 0.5


class WebhookHandler:
    """Answers notifications."""

    def __init__(
        self, specs: Mapping[str, IndexSpec], secrets: Secrets, emit: Callable[[Change], object], limits: Limits
    ) -> None:
        self.gathering = Gathering(emit, wait_s=limits.gather_s)
        self._specs, self._secrets, self._limits = specs, secrets, limits
        self._throttle = Throttle(per_second=limits.per_second, burst=limits.burst)
        self._deliveries = Deliveries(limits.deliveries)
        self._bodies = asyncio.Semaphore(limits.bodies)

    async def answer(self, request: Request) -> Response:
        """Answer one request; nothing of its body is logged."""
        from starlette.requests import ClientDisconnect

        kind, index = request.path_params["kind"], request.path_params["index"]
        try:
            return await self._taken(request, kind, index)
        except Refusal as refusal:
            log.info("%s: refused a %s notification (%d)", index if index in self._specs else "?",
                     kind if kind in KINDS else "?", refusal.status)  # fmt: skip
            return as_json(refusal.status, {"error": refusal.reason}, refusal.headers)
        except ClientDisconnect:
            return as_json(400, {"error": "the request broke off"}, {"connection": "close"})

    async def _taken(self, request: Request, kind: str, index: str) -> Response:
        if kind not in KINDS:
            raise Refusal(404, f"there is no such address; expected /KIND/INDEX with {', '.join(KINDS)}")
        bearer = self._is_bearer(request, kind)
        signature = "" if bearer else _signature(request, kind)
        if not (bearer or signature):
            raise Refusal.unauthorised()
        _check_type(request, kind)
        body = await self._body(request)
        signed = b"" if bearer else self._signed(kind, signature, body)
        spec = self._specs.get(index)
        if spec is None:
            raise Refusal(404, "there is no such index here")
        if wait_s := self._throttle.take(index):
            raise Refusal(429, "too many requests for this index", {"retry-after": str(math.ceil(wait_s))})
        try:
            told = _read(kind, body, request)
        except InputError as error:
            raise Refusal(400, str(error)) from None
        change = _placement(spec, kind, request).change(told)
        if told.ignored or change is None:
            return as_json(202, {"status": "ignored", "reason": told.ignored or "it names nothing below the prefix"})
        if signed:
            await self._send_once(change, delivery_of(kind, index, signed))
        elif kind in _BUCKETS:
            delivery = delivery_of(kind, index, body)
            if delivery in self._deliveries:  # the sender did not hear of it: refused, it would try for ever
                return as_json(202, {"status": "ignored", "reason": "it was taken before"})
            await self._send(change)
            self._deliveries.add(delivery)
        else:
            await self._send(change)
        counts = {"changed": len(change.changed), "removed": len(change.removed), "everything": change.everything}
        return as_json(202, {"status": "taken", "index": index, **counts})

    def _is_bearer(self, request: Request, kind: str) -> bool:
        """Check the token, before a byte of the body is read; GitHub has none."""
        token = request.headers.get("x-eventbridge-signature-token", "") if kind == "oss" else ""
        authorization = request.headers.get("authorization", "")
        return kind != "github" and (self._secrets.is_bearer(authorization) or self._secrets.is_token(token))

    def _signed(self, kind: str, signature: str, body: bytes) -> bytes:
        """Check a signature; returns what was signed."""
        if kind == "github":
            if not self._secrets.is_github(signature, body):
                raise Refusal.unauthorised()
            return body
        at = self._secrets.signed_at(signature, body)
        if at is None:
            raise Refusal.unauthorised()
        if abs(time.time() - at) > self._limits.tolerance_s:
            raise Refusal(401, f"the signature's t is more than {self._limits.tolerance_s} seconds off")
        return b"%d." % at + body

    async def _body(self, request: Request) -> bytes:
        """Read the body, however it comes, within size and time."""
        late = Refusal(408, f"the request took more than {self._limits.request_s:g} seconds", {"connection": "close"})
        large = Refusal(413, f"the body is larger than {self._limits.body_bytes:,} bytes", {"connection": "close"})
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.request_s), self._bodies:
                # Some of what is too much is thrown away first: a sender that is cut off while sending hears no reason.
                if int(request.headers.get("content-length") or 0) > 8 * self._limits.body_bytes:
                    raise large
                async for part in request.stream():
                    size += len(part)
                    if size > 8 * self._limits.body_bytes:
                        raise large
                    parts.append(part) if size <= self._limits.body_bytes else parts.clear()
        except TimeoutError:
            raise late from None
        if size > self._limits.body_bytes:
            raise large
        return b"".join(parts)

    async def _send_once(self, change: Change, delivery: bytes) -> None:
        if delivery in self._deliveries:
            raise Refusal(409, "this delivery was taken before")
        self._deliveries.add(delivery)
        try:
            await self._send(change)
        except BaseException:
            self._deliveries.discard(delivery)  # the sender may try again
            raise

    async def _send(self, change: Change) -> None:
        """Hand the change over; the sender is asked to try again where that is not known to have worked."""
        later = {"retry-after": "10"}
        try:
            async with asyncio.timeout(self._limits.request_s):
                await self.gathering.add(change)
        except TimeoutError:
            raise Refusal(503, "Prefect has not taken the event yet; send it again later", later) from None
        except Exception as error:  # whatever it is, the sender keeps the change
            log.warning("%s: %s", change.index, error if isinstance(error, RelanceError) else type(error).__name__)
            raise Refusal(503, "Prefect does not take the event now; send it again later", later) from None


def _read(kind: str, body: bytes, request: Request) -> Notification:
    if kind == "oss":
        return oss.read(body)
    data = read_json(body)
    if kind == "github":
        return github.read(data, request.headers.get("x-github-event", ""))
    return s3.read(data) if kind == "s3" else generic.read(data)


def _placement(spec: IndexSpec, kind: str, request: Request) -> Placement:
    prefix, root = (request.query_params.get(name, "") for name in ("prefix", "root"))
    return Placement(spec, prefix=prefix, root=root, buckets=kind in _BUCKETS, exact=kind == "generic")


def _signature(request: Request, kind: str) -> str:
    name = {"github": "x-hub-signature-256", "generic": "x-relance-signature"}.get(kind, "")
    return request.headers.get(name, "") if name else ""


def _check_type(request: Request, kind: str) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _TYPES[kind]:
        raise Refusal(415, f"expected a body of type {_TYPES[kind][0]}")


def as_json(status: int, answer: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Answer with small JSON."""
    from starlette.responses import JSONResponse

    return JSONResponse(answer, status, headers)
