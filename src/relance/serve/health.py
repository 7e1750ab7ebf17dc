"""Whether the server lives, and is ready: what Kubernetes and load balancers ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from relance.serve.answers import Health
from relance.serve.gate import visit_of

if TYPE_CHECKING:
    from relance.serve.config import ServeConfig
    from relance.serve.service import Service

__all__ = ["health_routes"]


def health_routes(service: Service, config: ServeConfig) -> APIRouter:
    """Make the two addresses, which need no token."""
    api = APIRouter(prefix="/health", tags=["health"])

    @api.get("/live", response_model=Health, summary="Whether the process answers")
    async def live(request: Request) -> Response:
        """Answer `ok`: the event loop runs."""
        visit_of(request.scope).operation = "health"
        return Response(Health(status="ok").model_dump_json(), media_type="application/json")

    @api.get("/ready", response_model=Health, summary="Whether every index can be searched",
             responses={503: {"model": Health, "description": "One of them cannot."}})  # fmt: skip
    async def ready(request: Request) -> Response:
        """Answer `ok` where each index has a table that can be opened, else 503."""
        visit_of(request.scope).operation = "health"
        found = await service.ready()
        whole = all(said == "ok" for said in found.values())
        said = Health(status="ok" if whole else "not ready", indexes={} if config.tokens else found)
        return Response(said.model_dump_json(), 200 if whole else 503, media_type="application/json")

    return api
