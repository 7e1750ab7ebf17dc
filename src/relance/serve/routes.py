"""The addresses of the API, version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import to_json

from relance.analysis.recommend import Recommendations
from relance.serve.answers import DocumentAnswer, DocumentPage, IndexAnswer, IndexList, SearchAnswer
from relance.serve.gate import visit_of
from relance.serve.problem import Problem
from relance.serve.questions import LikeQuestion, ListQuestion, ReadQuestion, RecommendQuestion, SearchQuestion

if TYPE_CHECKING:
    from relance.serve.service import Service
    from relance.serve.visit import Visit

__all__ = ["PROBLEMS", "router"]

PROBLEM = "application/problem+json"
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": what}
    for status, what in {
        400: "The question cannot be answered, such as a filter that is wrong; `detail` says where.",
        401: "No token, or an unknown one.",
        403: "The token may not do that.",
        404: "There is no such index or document, or the token may not see it.",
        405: "The address takes another method.",
        408: "The body came too slowly.",
        409: "The index cannot do that as it is declared, or has not been built yet.",
        413: "The body is too large.",
        415: "The body is not declared as JSON.",
        422: "A value is wrong; `errors` says which.",
        429: "Too many requests with this token; `Retry-After` says when to try again.",
        502: "The service that embeds or reranks refused.",
        503: "Not now; `Retry-After` says when to ask again.",
        504: "The answer took too long.",
    }.items()
}
Name = Annotated[str, Path(description="Name of the index, as its spec says.", max_length=200)]


def router(service: Service) -> APIRouter:
    """Make the routes; an answer is written by pydantic in one go, and not checked again."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)

    def begun(request: Request, operation: str) -> Visit:
        visit = visit_of(request.scope)
        visit.operation = operation
        return visit

    @api.get("/indexes", response_model=IndexList, tags=["indexes"], summary="List the indexes")
    async def list_indexes(request: Request) -> Response:
        """List the indexes that the token may use, with their sources and counts of what it may see."""
        return _json(IndexList(indexes=await service.indexes_of(begun(request, "list"))))

    @api.get("/indexes/{index}", response_model=IndexAnswer, tags=["indexes"], summary="Describe an index")
    async def describe_index(request: Request, index: Name) -> Response:
        """Describe an index, with counts of what the token may see."""
        return _json(await service.about(begun(request, "describe"), index))

    @api.get(
        "/indexes/{index}/status", response_model=dict[str, Any], tags=["indexes"], summary="Show the state of an index"
    )
    async def read_status(request: Request, index: Name) -> Response:
        """Return what `relance status --json` prints: sizes, costs, failures, last run; for who may see all of it."""
        return _json(await service.status(begun(request, "status"), index))

    @api.post("/indexes/{index}/search", response_model=SearchAnswer, tags=["search"], summary="Search")
    async def search(request: Request, index: Name, asked: SearchQuestion) -> Response:
        """Find the chunks that answer a question, and the images and videos that fit it.

        One of `query`, `image` and `like` is needed.
        """
        return _json(await service.search(begun(request, "search"), index, asked))

    @api.get("/indexes/{index}/search", response_model=SearchAnswer, tags=["search"], summary="Search by GET")
    async def search_by_address(request: Request, index: Name, asked: Annotated[SearchQuestion, Query()]) -> Response:
        """Search with the options in the address."""
        return _json(await service.search(begun(request, "search"), index, asked))

    @api.get("/indexes/{index}/like", response_model=SearchAnswer, tags=["search"], summary="Find similar documents")
    async def find_like(request: Request, index: Name, asked: Annotated[LikeQuestion, Query()]) -> Response:
        """Find what is like a document of the index, by its vectors; nothing is embedded."""
        return _json(await service.search(begun(request, "like"), index, asked.as_search()))

    @api.post("/indexes/{index}/recommend", response_model=Recommendations, tags=["search"], summary="Recommend")
    async def recommend(request: Request, index: Name, asked: RecommendQuestion) -> Response:
        """Recommend what somebody with this history may like, and say because of what."""
        return _json(await service.recommend(begun(request, "recommend"), index, asked))

    @api.get("/indexes/{index}/documents", response_model=DocumentPage, tags=["documents"], summary="List documents")
    async def list_documents(request: Request, index: Name, asked: Annotated[ListQuestion, Query()]) -> Response:
        """List the documents that the token may see, by uri."""
        return _json(await service.documents(begun(request, "documents"), index, **dict(asked)))

    @api.get("/indexes/{index}/document", response_model=DocumentAnswer, tags=["documents"], summary="Read a document")
    async def read_document(request: Request, index: Name, asked: Annotated[ReadQuestion, Query()]) -> Response:
        """Read a document, or the part of it around a hit: its chunks in order, and their text in one."""
        return _json(await service.document(begun(request, "document"), index, **dict(asked)))

    return api


def _json(answer: BaseModel | Recommendations | dict[str, Any]) -> Response:
    """Write an answer; what is no number is null, and no text is no reason to fail."""
    sent = to_json(answer, inf_nan_mode="null", serialize_unknown=True)
    return Response(sent, media_type="application/json")
