"""Reranking: texts, pictures and films scored beside a question.

The scores come from the vectors the emulator has anyway, and from the words that a text, or what is seen of a picture,
shares with the question; they are no better than those, but they say something, and the same every time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from relance_emulator import embeddings, multimodal, validation
from relance_emulator.models import MODELS, RERANKERS, MultimodalModel, RerankModel
from relance_emulator.problems import invalid, named
from relance_emulator.wire import Billing, Call, Reply, as_json

if TYPE_CHECKING:
    from relance_emulator.service import Service

__all__ = ["answer"]

# Its kind (`text`, `image`, `video`), and the text or address.
Document = tuple[str, str]


async def answer(service: Service, call: Call) -> Reply:
    """Answer a call."""
    model = _model(service, call)
    service.limits.request(model.name)
    given, parameters = validation.native_parts(call)
    query, documents = _inputs(given, model)
    texts = [value for kind, value in documents if kind == "text"]
    counts = [min(count, model.text_tokens) for count in validation.count_tokens([query, *texts])]
    seen = await _seen(service, call, documents)
    pictures = sum(part.media_tokens for part in seen.values())
    tokens = counts[0] * len(documents) + sum(counts[1:]) + pictures
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
    scores = await _scores(service, query, documents, seen)
    # Sorted by score; equals in the order they came in.
    order = np.argsort(-scores, kind="stable")[: top or len(documents)].tolist()
    items = [as_json(_result(at, scores[at], documents[at], parameters)) for at in order]
    # How a bill for pictures looks is shown by no page: as that of the embedding model of the same family.
    usage: dict[str, object] = {"total_tokens": tokens} | ({"image_tokens": pictures} if model.images else {})
    body = b'{"output":{"results":%b}%b,"request_id":"%b"}' % (
        embeddings.spoilt(items, call),
        embeddings.usage(usage, call),
        call.request_id.encode(),
    )
    # The same texts beside another question are something else: what is counted as bought twice is the pair.
    return Reply(body, billing=Billing(model.name, [hash((query, document)) for document in documents], tokens))


def _result(at: int, score: float, document: Document, parameters: dict[str, Any]) -> dict[str, Any]:
    told = {"document": dict([document])} if parameters.get("return_documents") is True else {}
    return {**told, "index": at, "relevance_score": round(float(score), 16)}


async def _seen(service: Service, call: Call, documents: list[Document]) -> dict[int, multimodal.Part]:
    """Look at pictures and films, as the embedding model of the same family does."""
    eyes = MODELS["qwen3-vl-embedding"]
    assert isinstance(eyes, MultimodalModel)  # noqa: S101
    parts = {at: multimodal.Part(kind, value, at) for at, (kind, value) in enumerate(documents) if kind != "text"}
    for part in parts.values():
        await multimodal.see(service, call, eyes, part, {})
    return parts


async def _scores(service: Service, query: str, documents: list[Document], seen: dict[int, multimodal.Part]) -> Any:
    asked = await service.vectors.of_texts([query], "query")
    texts = [value for kind, value in documents if kind == "text"]
    written = iter(await service.vectors.of_texts(texts, "document") if texts else ())
    vectors = np.stack([np.asarray(seen[at].vector if at in seen else next(written)) for at in range(len(documents))])
    words = set(_words(query))
    # A picture has the words of what is seen of it, so that it can be compared with a text.
    told = [_words(value if kind == "text" else " ".join(seen[at].words)) for at, (kind, value) in enumerate(documents)]
    shared = np.array([len(words.intersection(each)) / max(1, len(words)) for each in told])
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


def _inputs(given: dict[str, Any], model: RerankModel) -> tuple[str, list[Document]]:
    query, documents = given.get("query"), given.get("documents")
    for field, value in (("query", query), ("documents", documents)):
        if value is None:
            raise validation.missing(f"input.{field}")
    if model.images and isinstance(query, dict):
        query = query.get("text")
    if not isinstance(query, str) or not query.strip():
        raise invalid("Value error, query should not be empty.: input.query")
    if not isinstance(documents, list):
        raise invalid("Value error, documents should be a list of str.: input.documents")
    read = [_document(value, model) for value in documents]
    if not 1 <= len(read) <= model.documents:
        raise invalid(
            f"Value error, batch size of documents is invalid, it should not be empty or larger than {model.documents}."
            ": input.documents"
        )
    for kind, most in (("image", model.images), ("video", model.videos)):
        if sum(each == kind for each, _ in read) > most:
            raise invalid(f"Value error, the number of {kind}s should not be larger than {most}.: input.documents")
    for at, (kind, text) in enumerate(read):
        if kind == "text" and len(text) > model.characters:
            raise invalid(
                f"Value error, document index:{at} is invalid, it should not be larger than {model.characters}: "
                "input.documents"
            )
        if not text:
            raise invalid(f"Value error, document index:{at} is invalid, it should not be empty: input.documents")
    return query, read


def _document(value: Any, model: RerankModel) -> Document:
    if isinstance(value, str):
        return "text", value
    if model.images and isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        if kind in {"text", "image", "video"} and isinstance(content, str):
            return kind, content
    raise invalid("Value error, documents should be a list of str.: input.documents")
