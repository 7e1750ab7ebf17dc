"""Reranking: texts scored beside a question.

The scores come from the vectors the emulator has anyway, and from the words a text shares with the question; they are
no better than those, but they say something, and the same every time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from relance_emulator import embeddings, validation
from relance_emulator.models import RERANKERS, RerankModel
from relance_emulator.problems import invalid, named
from relance_emulator.wire import Billing, Call, Reply, as_json

if TYPE_CHECKING:
    from relance_emulator.service import Service

__all__ = ["answer"]


async def answer(service: Service, call: Call) -> Reply:
    """Answer a call."""
    model = _model(service, call)
    service.limits.request(model.name)
    given, parameters = validation.native_parts(call)
    query, documents = _inputs(given, model)
    counts = [min(count, model.text_tokens) for count in validation.count_tokens([query, *documents])]
    tokens = counts[0] * len(documents) + sum(counts[1:])
    if tokens > model.request_tokens:
        # What the service says is not known; the limit is documented.
        raise invalid(f"Range of input length should be [1, {model.request_tokens}]")
    top = parameters.get("top_n")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise invalid(
            "Required parameter(top_n) missing or invalid, please check the request parameters.", algorithm=False
        )
    service.limits.tokens(model.name, tokens)
    await service.pace(len(documents))
    scores = await _scores(service, query, documents)
    # Sorted by score; equals in the order they came in.
    order = np.argsort(-scores, kind="stable")[: top or len(documents)].tolist()
    items = [as_json(_result(at, scores[at], documents[at], parameters)) for at in order]
    body = b'{"output":{"results":%b}%b,"request_id":"%b"}' % (
        embeddings.spoilt(items, call),
        embeddings.usage({"total_tokens": tokens}, call),
        call.request_id.encode(),
    )
    # The same texts beside another question are something else: what is counted as bought twice is the pair.
    return Reply(body, billing=Billing(model.name, [hash((query, text)) for text in documents], tokens))


def _result(at: int, score: float, document: str, parameters: dict[str, Any]) -> dict[str, Any]:
    told = {"document": {"text": document}} if parameters.get("return_documents") is True else {}
    return {**told, "index": at, "relevance_score": round(float(score), 16)}


async def _scores(service: Service, query: str, documents: list[str]) -> Any:
    asked = await service.vectors.of_texts([query], "query")
    vectors = await service.vectors.of_texts(documents, "document")
    words = set(_words(query))
    shared = np.array([len(words.intersection(_words(text))) / max(1, len(words)) for text in documents])
    return 1 / (1 + np.exp(-6 * (0.5 * (vectors @ asked[0]) + 0.5 * shared - 0.35)))


def _words(text: str) -> list[str]:
    return re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", text.casefold())


def _model(service: Service, call: Call) -> RerankModel:
    if not isinstance(call.json, dict):
        raise named("BadRequest.IllegalInput")
    if not call.model:
        raise named("BadRequest.EmptyModel")
    model = RERANKERS.get(call.model)
    if model is None and call.model in validation.MODELS:
        raise invalid(validation.WRONG_ADDRESS, algorithm=False)
    if model is None or (service.config.region and service.config.region not in model.regions):
        raise named("ModelNotFound")
    return model


def _inputs(given: dict[str, Any], model: RerankModel) -> tuple[str, list[str]]:
    query, documents = given.get("query"), given.get("documents")
    for field, value in (("query", query), ("documents", documents)):
        if value is None:
            raise validation.missing(f"input.{field}")
    if not isinstance(query, str) or not query.strip():
        raise invalid("Value error, query should not be empty.: input.query")
    if not isinstance(documents, list) or not all(isinstance(text, str) for text in documents):
        raise invalid("Value error, documents should be a list of str.: input.documents")
    if not 1 <= len(documents) <= model.documents:
        raise invalid(
            f"Value error, batch size of documents is invalid, it should not be empty or larger than {model.documents}."
            ": input.documents"
        )
    for at, text in enumerate(documents):
        if len(text) > model.characters:
            raise invalid(
                f"Value error, document index:{at} is invalid, it should not be larger than {model.characters}: "
                "input.documents"
            )
        if not text:
            raise invalid(f"Value error, document index:{at} is invalid, it should not be empty: input.documents")
    return query, documents
