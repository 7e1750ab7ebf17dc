"""Answering one notification: who sent it, what it says, and whether the change was taken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relance.config import IndexSpec
from relance.errors import InputError, RelanceError
from relance.events.bodies import Bodies, GaveWayError, TooLargeError
from relance.events.change import Change
from relance.events.connection import vouch
from relance.events.deliveries import Deliveries
from relance.events.delivery import State, delivery_of
from relance.events.gathering import Gathering
from relance.events.notifications import Notification, Placement, azure, gcs, generic, github, gitlab, oss
from relance.events.refusal import Refusal
from relance.events.signatures import RouteSecrets, Secrets, signed_at
from relance.events.throttle import Throttle
from relance.sources.notification import read_json
from relance.sources.objects import s3_notification

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["KINDS", "Limits", "WebhookHandler", "as_json"]

log = logging.getLogger(__name__)

KINDS = ("azure", "gcs", "generic", "github", "gitlab", "oss", "s3")
_BUCKETS = ("azure", "gcs", "oss", "s3")
# Headers in which a sender brings the secret as it is.
_TOKENS = {"oss": ("x-eventbridge-signature-token",), "gitlab": ("x-gitlab-token", "x-codeup-token")}
# Their senders can be given an address and nothing else.
_BY_QUERY = ("azure", "gcs")
_JSON = ("application/json", "application/cloudevents+json")
# MNS sends its simplified form as text.
_LATER = {"retry-after": "10"}
# Why a notification that says something does not concern the index: of buckets, and of a push.
_CONCERNS_NOTHING = ("it names nothing below the prefix", "no source of this index reads that repository and branch")
_CLOSE = {"connection": "close"}
_TYPES = {kind: _JSON + (("text/plain",) if kind == "oss" else ()) for kind in KINDS}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a sender may do.

    Attributes:
        body_bytes: size of a body.
        request_s: seconds a request may take to arrive; as long again it may wait until the change is taken.
        per_second: requests for one index a second, in the long run; MinIO sends one for each object.
        burst: requests for one index at once.
        memory_bytes: bytes of bodies that are held at once while they arrive, and as many again of senders that have
            not proved themselves, since they sign what they are still sending; over it, the slowest are given up.
        tolerance_s: seconds the clock of a sender that signs may be off.
        push_s: seconds for which a push of GitHub is taken, since it may be delivered again for three days.
        bucket_s: seconds for which a bucket's notification is remembered, to hear it once.
        gather_s: seconds for which changes of an index are gathered into one event.
    """

    body_bytes: int = 1 << 20
    request_s: float = 10.0
    per_second: float = 200.0
    burst: int = 1000
    memory_bytes: int = 64 << 20
    tolerance_s: int = 300
    push_s: int = 3 * 24 * 3600
    bucket_s: int = 24 * 3600
    gather_s: float = 0.5


class WebhookHandler:
    """Answers notifications."""

    def __init__(
        self,
        specs: Mapping[str, IndexSpec],
        secrets: Secrets,
        emit: Callable[[Change], object],
        deliveries: Mapping[str, Deliveries],
        *,
        limits: Limits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.gathering = Gathering(emit, wait_s=limits.gather_s)
        self._specs, self._secrets, self._limits, self._clock = specs, secrets, limits, clock
        self._throttle = Throttle(per_second=limits.per_second, burst=limits.burst)
        self._deliveries = deliveries
        self._known, self._strange = (
            Bodies(body_bytes=limits.body_bytes, memory_bytes=limits.memory_bytes, within_s=limits.request_s)
            for _ in range(2)
        )

    async def aclose(self) -> None:
        """Wait for what is being sent and remembered."""
        await self.gathering.aclose()
        for deliveries in self._deliveries.values():
            await deliveries.aclose()

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
        secrets = self._secrets.of(kind, index)
        bearer = _is_bearer(request, kind, secrets)
        if bearer:
            vouch(request.scope)
        else:
            self._check_signed_now(request, kind)
        _check_type(request, kind)
        body = await self._body(request, self._known if bearer else self._strange)
        if not bearer:
            if not _is_signed(request, kind, secrets, body):
                raise Refusal.unauthorised()
            vouch(request.scope)
        spec = self._specs.get(index)
        if spec is None:
            raise Refusal(404, "there is no such index here")
        if wait_s := self._throttle.take(index):
            raise Refusal(429, "too many requests for this index", {"retry-after": str(math.ceil(wait_s))})
        told = _read(kind, body, request)
        if not bearer and kind == "github" and told.at and self._clock() - told.at > self._limits.push_s:
            raise Refusal(401, f"the push was {self._limits.push_s / 86400:g} days ago or more")
        if told.reply is not None:
            return as_json(200, told.reply)
        change = _placement(spec, kind, request).change(told)
        if change is None:
            reason = told.ignored or _CONCERNS_NOTHING[told.push is not None]
            return as_json(202, {"status": "ignored", "reason": reason})
        if bearer and kind not in _BUCKETS:  # the same words again are a new change
            await self._send(change)
        elif not await self._send_once(kind, request, change, body):
            return as_json(202, {"status": "ignored", "reason": "it was taken before"})
        counts = {"changed": len(change.changed), "removed": len(change.removed), "everything": change.everything}
        return as_json(202, {"status": "taken", "index": index, **counts})

    def _check_signed_now(self, request: Request, kind: str) -> None:
        """Refuse, before a byte of the body is read, what cannot be signed rightly."""
        signature = _signature(request, kind)
        if not signature:
            raise Refusal.unauthorised()
        if kind == "generic":
            at = signed_at(signature)
            if at is None:
                raise Refusal.unauthorised()
            if abs(self._clock() - at) > self._limits.tolerance_s:
                raise Refusal(401, f"the signature's t is more than {self._limits.tolerance_s} seconds off", _CLOSE)

    async def _body(self, request: Request, bodies: Bodies) -> bytes:
        """Read the body, however it comes, within size, time and memory."""
        try:
            return await bodies.read(request.stream(), int(request.headers.get("content-length") or 0))
        except TimeoutError:
            raise Refusal(408, f"the request took more than {self._limits.request_s:g} seconds", _CLOSE) from None
        except GaveWayError:
            raise Refusal(503, "too many slow senders; send it again later", _LATER | _CLOSE) from None
        except TooLargeError:
            raise Refusal(413, f"the body is larger than {self._limits.body_bytes:,} bytes", _CLOSE) from None

    async def _send_once(self, kind: str, request: Request, change: Change, body: bytes) -> bool:
        """Hand a delivery over if it is none that was taken; returns False for a bucket's, which never stops trying."""
        signature = _signature(request, kind)
        at = signed_at(signature) if kind == "generic" else None
        delivery = delivery_of(kind, change.index, (b"" if at is None else b"%d." % at) + body)
        deliveries = self._deliveries[change.index]
        state = await self._remembering(deliveries.claim(delivery))
        if state is State.UNDER_WAY:
            if kind in _BUCKETS:
                raise Refusal(503, "this delivery is under way; send it again later", _LATER)
            raise Refusal(409, "this delivery is under way")
        if state is State.TAKEN:
            if kind in _BUCKETS:
                return False
            raise Refusal(409, "this delivery was taken before")
        try:
            await self._send(change)
        except BaseException:
            await asyncio.shield(self._remembering(deliveries.release(delivery)))  # the sender may try again
            raise
        limits = self._limits
        lasts_s = {"generic": limits.tolerance_s, "github": limits.push_s}.get(kind, limits.bucket_s)
        with contextlib.suppress(Refusal):  # the change is taken, and the log says what is wrong with the store
            await self._remembering(deliveries.confirm(delivery, until=(at or self._clock()) + lasts_s))
        return True

    async def _remembering(self, doing: Awaitable[State | None]) -> State | None:
        try:
            return await doing
        except RelanceError as error:
            log.warning("deliveries cannot be remembered: %s", error)
            raise Refusal(503, "the store does not answer now; send it again later", _LATER) from None

    async def _send(self, change: Change) -> None:
        """Hand the change over; the sender is asked to try again where that is not known to have worked."""
        try:
            async with asyncio.timeout(self._limits.request_s):
                await self.gathering.add(change)
        except TimeoutError:
            raise Refusal(503, "the index has not taken the event yet; send it again later", _LATER) from None
        except Exception as error:  # whatever it is, the sender keeps the change
            log.warning("%s: %s", change.index, error if isinstance(error, RelanceError) else type(error).__name__)
            raise Refusal(503, "the index does not take the event now; send it again later", _LATER) from None


def _read(kind: str, body: bytes, request: Request) -> Notification:
    try:
        if kind == "oss":
            return oss.read(body)
        data = read_json(body)
        if kind == "github":
            return github.read(data, request.headers.get("x-github-event", ""))
        forms = {"azure": azure.read, "gcs": gcs.read, "gitlab": gitlab.read, "s3": s3_notification.read}
        return forms.get(kind, generic.read)(data)
    except InputError as error:
        raise Refusal(400, str(error)) from None


def _placement(spec: IndexSpec, kind: str, request: Request) -> Placement:
    prefix, root = (request.query_params.get(name, "") for name in ("prefix", "root"))
    return Placement(spec, prefix=prefix, root=root, buckets=kind in _BUCKETS, exact=kind == "generic")


def _is_bearer(request: Request, kind: str, secrets: RouteSecrets) -> bool:
    """Check the token, before a byte of the body is read; GitHub has none."""
    token = next((value for name in _TOKENS.get(kind, ()) if (value := request.headers.get(name))), "")
    if kind in _BY_QUERY:
        token = request.query_params.get("token", "")
    authorization = request.headers.get("authorization", "")
    return kind != "github" and (secrets.is_bearer(authorization) or secrets.is_token(token))


def _is_signed(request: Request, kind: str, secrets: RouteSecrets, body: bytes) -> bool:
    signature = _signature(request, kind)
    if kind == "github":
        return secrets.is_github(signature, body)
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope["query_string"]
    target = (raw_path + (b"?" + query if query else b"")).decode("latin-1")
    return secrets.is_signed(signature, target, body)


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
