"""The web application: which address is answered by what."""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from relance_emulator import batches, compatible, files, multimodal, rerank, tasks, text, uploads
from relance_emulator.config import EmulatorConfig
from relance_emulator.problems import named
from relance_emulator.service import Handler, Service
from relance_emulator.wire import Call, Reply, Upload, as_json

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["build"]

API = "/api/v1"
SERVICES = f"{API}/services/embeddings"
OPENAI = "/compatible-mode/v1"

# method, path, kind (what faults and statistics call it), handler
ADDRESSES: list[tuple[str, str, str, Handler]] = [
    ("POST", f"{SERVICES}/text-embedding/text-embedding", "text", text.answer),
    ("POST", f"{SERVICES}/multimodal-embedding/multimodal-embedding", "multimodal", multimodal.answer),
    ("POST", f"{API}/services/rerank/text-rerank/text-rerank", "rerank", rerank.answer),
    ("GET", f"{API}/uploads", "uploads", uploads.policy),
    ("GET", f"{API}/tasks/{{task}}", "tasks", tasks.show),
    ("POST", f"{API}/tasks/{{task}}/cancel", "tasks", tasks.cancel),
    ("POST", f"{OPENAI}/embeddings", "compatible", compatible.answer),
    ("POST", f"{OPENAI}/files", "files", files.create),
    ("GET", f"{OPENAI}/files", "files", files.listing),
    ("GET", f"{OPENAI}/files/{{file}}", "files", files.show),
    ("DELETE", f"{OPENAI}/files/{{file}}", "files", files.delete),
    ("GET", f"{OPENAI}/files/{{file}}/content", "files", files.content),
    ("POST", f"{OPENAI}/batches", "batches", batches.create),
    ("GET", f"{OPENAI}/batches", "batches", batches.listing),
    ("GET", f"{OPENAI}/batches/{{batch}}", "batches", batches.show),
    ("POST", f"{OPENAI}/batches/{{batch}}/cancel", "batches", batches.cancel),
]
# Reached by signed addresses, without a key.
STORAGE: list[tuple[str, str, str, Handler]] = [
    ("POST", "/oss", "uploads", uploads.store),
    ("GET", "/results/{name}", "tasks", tasks.result),
]


def build(config: EmulatorConfig) -> Starlette:
    """Make the ASGI app of one emulator."""
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    service = Service(config)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        await service.warm()
        try:
            yield
        finally:
            await service.aclose()

    # Starlette calls an object (not a function) as an ASGI app of its own, without making requests and responses.
    public = [
        Route(path, Endpoint(service, kind, handler, open_to_all=True), methods=[method])
        for method, path, kind, handler in STORAGE
    ]
    keyed = [
        Route(path, Endpoint(service, kind, handler), methods=[method]) for method, path, kind, handler in ADDRESSES
    ]
    control = [
        Route(f"/_emulator/{name}", Control(service, name), methods=[method])
        for method, name in [
            ("GET", "health"),
            ("GET", "stats"),
            ("GET", "requests"),
            ("POST", "faults"),
            ("POST", "reset"),
        ]
    ]
    anywhere = Route("/{path:path}", Endpoint(service, "nowhere", nowhere, open_to_all=True))
    lent = [Mount("/files", StaticFiles(directory=config.files))] if config.files else []
    return Starlette(routes=[*keyed, *public, *control, *lent, anywhere], lifespan=lifespan)


async def nowhere(_: Service, call: Call) -> Reply:
    """Answer a call to an address that does not exist."""
    if call.path.startswith("/compatible"):
        problem = named("NotFound")
        error = {
            "code": "",
            "param": None,
            "message": f"Invalid URL ({call.method} {call.path})",
            "type": "invalid_request_error",
        }
        return Reply(as_json({"error": error, "request_id": call.request_id}), problem.status)
    raise named("NotFound")


class Endpoint:
    """An address of the service, as an ASGI app."""

    def __init__(self, service: Service, kind: str, handler: Handler, *, open_to_all: bool = False) -> None:
        self._service = service
        self._kind = kind
        self._handler = handler
        self._open = open_to_all

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Read the call, let the service answer it, keep count."""
        from relance_emulator import connection

        service, arrived = self._service, time.time()
        call = await read(self._kind, scope, receive)
        call.fault = service.faults.pick(call)
        service.stats.begin(call)
        status = None
        try:
            reply = await service.answer(call, self._handler, open_to_all=self._open)
            action = call.fault.action if call.fault else ""
            # A client that has given up in the meantime has got nothing.
            present = connection.is_open(scope)
            if action == "reset":
                await connection.abort(scope)
                return
            await write(call, reply, arrived, send, cut=action == "truncated", compress=action == "gzip")
            status = reply.status if present and action != "truncated" else None
            if status == 200 and reply.billing and not (call.fault and call.fault.lost):
                service.stats.delivered(reply.billing)
        finally:
            service.stats.end(status)


class Control:
    """The emulator's own addresses, as ASGI apps."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Show or change the emulator's state."""
        service = self._service
        call = await read("", scope, receive)
        status, answer = 200, {}
        match self._name:
            case "health":
                config = service.config
                answer = {"status": "ok", "vectors": config.vectors, "region": config.region, "limits": config.limits}
            case "stats":
                answer = service.stats.report()
            case "requests":
                answer = {"requests": list(service.stats.requests)}
            case "reset":
                await service.reset()
            case "faults":
                rules = call.json.get("faults") if isinstance(call.json, dict) else call.json
                try:
                    service.faults.replace(rules)
                except (TypeError, ValueError) as error:
                    status, answer = 400, {"error": f"expected a list of fault rules: {error}"}
        await write(call, Reply(as_json(answer), status), time.time(), send)


async def read(kind: str, scope: Any, receive: Any) -> Call:
    """Receive a whole request."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    form: dict[str, str | Upload] = {}
    body = b""
    if headers.get("content-type", "").startswith("multipart/form-data"):
        from starlette.requests import Request

        async with Request(scope, receive).form(max_part_size=1 << 20) as fields:
            for name, value in fields.items():
                form[name] = value if isinstance(value, str) else Upload(value.filename or "", await value.read())
    else:
        parts = []
        more = True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(parts)
    from urllib.parse import parse_qsl

    return Call(
        kind=kind,
        method=scope["method"],
        path=scope["path"],
        origin=f"{scope['scheme']}://{headers.get('host', '')}",
        headers=headers,
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
        names=scope.get("path_params", {}),
        body=body,
        form=form,
    )


async def write(
    call: Call, reply: Reply, arrived: float, send: Any, *, cut: bool = False, compress: bool = False
) -> None:
    """Send a reply with the headers that the service's gateway puts on each."""
    body, now = reply.body, time.time()
    cost = str(round((now - arrived) * 1000))
    headers = {
        "content-type": reply.media_type,
        "x-request-id": call.request_id,
        "x-dashscope-call-gateway": "true",
        "req-cost-time": cost,
        "req-arrive-time": str(round(arrived * 1000)),
        "resp-start-time": str(round(now * 1000)),
        "x-envoy-upstream-service-time": cost,
        "vary": "Origin,Access-Control-Request-Method,Access-Control-Request-Headers,Accept-Encoding",
        "server": "istio-envoy",
        **reply.headers,
    }
    if compress:
        body = gzip.compress(body, compresslevel=1)
        headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    # Cut short, the server closes the connection when the app ends without the rest.
    await send({"type": "http.response.body", "body": body[: len(body) // 2] if cut else body, "more_body": cut})
