"""The web application that takes notifications of changes, for senders that can make HTTP requests and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from relance.config import IndexSpec
from relance.errors import RelanceError
from relance.events.change import Change
from relance.events.deliveries import Deliveries
from relance.events.signatures import Secrets
from relance.events.webhook_handler import KINDS, Limits, WebhookHandler, as_json
from relance.store import open_store

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

__all__ = ["KINDS", "Limits", "receiver"]

log = logging.getLogger(__name__)


def receiver(
    specs: Mapping[str, IndexSpec],
    secrets: Secrets,
    emit: Callable[[Change], object],
    *,
    limits: Limits | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Make the ASGI app: `POST /{kind}/{index}`, `GET /health`, and other routes.

    Which deliveries were taken is remembered in the store of each index.

    Args:
        specs: indexes by name.
        secrets: what senders prove themselves by.
        emit: takes an event for good when it returns; called in threads. What it raises makes senders try again.
        limits: what a sender may do.
        routes: others, which ask for a token themselves if they want one.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    from relance.events.delivery_table import DeliveryTable  # pyarrow

    stores = {name: open_store(spec) for name, spec in specs.items()}
    tables = {store.uri: DeliveryTable(store) for store in stores.values()}
    remembered = {uri: Deliveries(table) for uri, table in tables.items()}
    deliveries = {name: remembered[store.uri] for name, store in stores.items()}
    handler = WebhookHandler(specs, secrets, emit, deliveries, limits=limits or Limits())

    async def prepare() -> None:
        for table in tables.values():
            try:
                await asyncio.to_thread(table.prepare)
            except RelanceError as error:  # the store may be there when the first delivery comes
                log.warning("deliveries cannot be remembered yet: %s", error)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        preparing = asyncio.create_task(prepare())  # takes seconds, in which requests come already
        yield
        await preparing
        await handler.aclose()

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
