"""The HTTP application: the API, what watches it, and MCP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from relance.config.finding import findings
from relance.errors import RelanceError
from relance.serve.config import ServeConfig
from relance.serve.gate import Gate, Watch, visit_of
from relance.serve.problem import problem, problem_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from relance.serve.audit import AuditLog
    from relance.serve.service import Service

__all__ = ["build", "build_api"]

_ABOUT = """Search indexes that relance keeps in sync with their sources.

Send a token as `Authorization: Bearer TOKEN`, where the server has tokens. A document that a token may not see
is treated as if it did not exist: no search finds it, no list has it, and reading it is answered with 404. Errors are
problem documents (RFC 9457)."""


def build(service: Service, config: ServeConfig, audit: AuditLog) -> ASGIApp:
    """Make the ASGI app."""
    from starlette.middleware.cors import CORSMiddleware

    from relance.serve.traffic import Traffic

    traffic = Traffic()
    app: ASGIApp = Gate(build_api(service, config, traffic), config)
    if config.origins:
        app = CORSMiddleware(app, allow_origins=config.origins, allow_methods=["GET", "POST"],
                             allow_headers=["authorization", "content-type", "mcp-protocol-version"],
                             expose_headers=["retry-after"], max_age=600)  # fmt: skip
    return Watch(app, audit, traffic)


def build_api(service: Service, config: ServeConfig, traffic: Any = None) -> FastAPI:
    """Make what is behind the gate, with /openapi.json."""
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    from relance import __version__
    from relance.serve.health import health_routes
    from relance.serve.routes import router

    mcp_routes, running = _mcp(service)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with running():
            yield

    api = FastAPI(
        title="relance", version=__version__, description=_ABOUT, lifespan=lifespan, redirect_slashes=False,
        docs_url=None, redoc_url=None,  # pages that load scripts from elsewhere
        openapi_tags=[
            {"name": "indexes", "description": "What is served."},
            {"name": "search", "description": "Finding chunks, images and videos."},
            {"name": "documents", "description": "Reading what is indexed."},
            {"name": "health", "description": "For what watches the server."},
        ],
    )  # fmt: skip
    api.include_router(router(service))
    api.include_router(health_routes(service, config))
    api.router.routes += mcp_routes
    if traffic is not None and (not config.tokens or config.metrics_token.get_secret_value()):
        from relance.store.readings import TableReader
        from relance.telemetry.exporter import metrics_routes

        readers = [TableReader(index.spec) for index in service.indexes.values()]
        api.router.routes += metrics_routes(readers, config.metrics_token, traffic.collectors)
    api.add_exception_handler(RequestValidationError, _wrong)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(RelanceError, _refused)
    api.add_exception_handler(Exception, _defect)
    _declare(api, tokens=bool(config.tokens))
    return api


def _mcp(service: Service) -> tuple[list[Any], Any]:
    """Return the route of MCP, and what has to run beside it; nothing where its SDK is not installed."""
    try:
        from relance.serve.mcp_server import mcp_over_http
    except ImportError:  # the extra `serve`; the API works without it
        return [], contextlib.AsyncExitStack
    return mcp_over_http(service)


def _declare(api: FastAPI, *, tokens: bool) -> None:
    """Say in the OpenAPI document what FastAPI cannot be told: problems have a media type of their own, and tokens."""
    from relance.serve.routes import PROBLEM

    made = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is not None:
            return api.openapi_schema
        schema = made()
        if tokens:
            schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in schema["paths"].items():
            for operation in methods.values() if path.startswith("/v1/") else ():
                operation.update({"security": [{"token": []}]} if tokens else {})
                for status, answer in operation["responses"].items():
                    if status >= "400":
                        answer["content"] = {PROBLEM: answer["content"]["application/json"]}
        return schema

    api.openapi = openapi  # as FastAPI's own documentation does


async def _defect(_: Request, __: Exception) -> Response:
    """Answer when something is wrong with relance itself; the gate logs it."""
    return problem(500, "the log of the server has the details; please report it")


async def _refused(_: Request, error: Exception) -> Response:
    return problem_of(error)


async def _wrong(request: Request, error: Any) -> Response:
    """Say which values are wrong, what was sent, cut short, and what is allowed."""
    visit = visit_of(request.scope)
    visit.operation = visit.operation or "wrong"
    wrong = error.errors()
    if any(each["type"] == "json_invalid" for each in wrong):
        return problem(400, "the body is not JSON")
    if request.method == "POST" and "json" not in request.headers.get("content-type", ""):
        return problem(415, "send the body as JSON, with the header `Content-Type: application/json`")
    # pydantic's `loc` begins with where a value was: path, query or body.
    found = findings([each | {"loc": each["loc"][1:]} for each in wrong], _fields(request), json=True)
    errors = [{"field": name or str(each["loc"][0]), "message": said}
              for each, (name, said) in zip(wrong, found, strict=True)]  # fmt: skip
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:5])
    return problem(422, detail, errors=errors[:50])


def _fields(request: Request) -> dict[str, Any]:
    """List what the question at an address may have."""
    asked = request.scope["route"].dependant
    models = [each.field_info.annotation for each in (*asked.query_params, *asked.body_params)]
    return {name: field for model in models for name, field in model.model_fields.items()}


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == 404:
        return problem(404, "there is nothing at this address; /openapi.json lists all addresses")
    if error.status_code == 405:
        allowed = {"allow": ", ".join(_methods(request))}
        return problem(405, f"this address takes {allowed['allow']}; /openapi.json describes it", headers=allowed)
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _methods(request: Request) -> list[str]:
    """List what an address takes; Starlette says it of the first route there only."""
    from starlette.routing import compile_path

    if request.url.path == "/mcp":
        return ["POST"]
    paths = request.app.openapi()["paths"]
    found = [methods for path, methods in paths.items() if compile_path(path)[0].match(request.url.path)]
    return sorted({method.upper() for methods in found for method in methods}) or ["GET", "POST"]
