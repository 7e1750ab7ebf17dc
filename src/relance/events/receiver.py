"""The web application that takes notifications of changes, for senders that can make HTTP requests and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from relance.config import IndexSpec
from relance.events.change import Change
from relance.events.signatures import Secrets
from relance.events.webhook_handler import KINDS, Limits, WebhookHandler, as_json

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

__all__ = ["KINDS", "Limits", "receiver"]


def receiver(
    specs: Mapping[str, IndexSpec],
    secret: SecretStr,
    emit: Callable[[Change], object],
    *,
    limits: Limits | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Make the ASGI app: `POST /{kind}/{index}`, `GET /health`, and other routes.

    Args:
        specs: indexes by name.
        secret: what senders know; two, separated by a comma, while they change over. ConfigurationError if too short.
        emit: takes an event for good when it returns; called in threads. What it raises makes senders try again.
        limits: what a sender may do.
        routes: others, which need no secret.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    handler = WebhookHandler(specs, Secrets(secret), emit, limits or Limits())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await handler.gathering.aclose()

    app = Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            *routes,
            Route("/{kind}/{index}", handler.answer, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _not_found},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _health(_: Request) -> Response:
    return as_json(200, {"status": "ok"})


async def _not_found(_: Request, error: Any) -> Response:
    reason = {404: "there is no such address", 405: "the method is not allowed here"}.get(
        error.status_code, error.detail
    )
    return as_json(error.status_code, {"error": reason}, error.headers)
