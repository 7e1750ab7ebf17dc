"""`dashscope/…`: a model of Alibaba Cloud Model Studio reads each text, or sees each picture, beside the question."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from relance.config import EmbeddingSpec, RerankSpec
from relance.config.settings import read_settings
from relance.embedding.budget import cost_usd
from relance.embedding.providers import BadReplyError
from relance.embedding.providers.dashscope.bill import Bill, read_bill
from relance.embedding.providers.dashscope.connection import Endpoint, Place
from relance.embedding.providers.dashscope.model import Offer
from relance.embedding.providers.dashscope.regions import REGIONS
from relance.embedding.providers.dashscope.spec import DashScopeSpec, RegionName
from relance.errors import ConfigurationError, RateLimitedError, RetryableError
from relance.http.event_loop import event_loop
from relance.search.rerankers import SECTION, Reranked, RerankerInfo
from relance.search.rerankers.document import Document, document_of
from relance.search.rerankers.models import MODELS, REQUEST_TOKENS, SEEING, WITHDRAWN, Seeing
from relance.search.rerankers.spending import Spending

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from relance.embedding.tokenizers import Tokenizer
    from relance.search.candidate import Candidate

__all__ = ["DashScopeRerankSpec", "DashScopeReranker"]

log = logging.getLogger(__name__)

_CONNECTIONS = 4
# A person is waiting: a service that asks for a longer pause is given up.
_PATIENCE_S = 10.0


class DashScopeRerankSpec(RerankSpec, title="Reranking by DashScope"):
    """Which model sorts the best hits once more; what is left empty is as in `embedding`, if that is DashScope's."""

    instruct: str = Field(default="", title="Instruction")
    """What questions are for, in English, for models that take an instruction."""
    region: Literal["", RegionName] = Field(default="", title="Region")
    """Where DashScope is called. The key is DASHSCOPE_API_KEY, unless it is that of `embedding`."""


class DashScopeReranker:
    """Models of Alibaba Cloud Model Studio that read question and hit together, in one region.

    Candidates are sent in as few requests as the model allows. Each text is scored beside the question alone, so that
    scores of several requests can be compared.
    """

    Spec = DashScopeRerankSpec
    version = ""
    models: ClassVar[tuple[str, ...]] = tuple(MODELS)
    any_model = False

    def __init__(self, spec: DashScopeRerankSpec, embedding: EmbeddingSpec | None = None) -> None:
        settings, api_key = read_settings(), ""
        # What is left empty is as the embeddings' of the same provider: a key goes to no other address than its own.
        beside = isinstance(embedding, DashScopeSpec) and not spec.base_url and spec.region in {"", embedding.region}
        if isinstance(embedding, DashScopeSpec) and beside:
            api_key = embedding.api_key.get_secret_value()
            spec = spec.model_copy(update={"region": embedding.region, "base_url": embedding.base_url})
        name = spec.model.partition("/")[2]
        self._model = MODELS[name]
        if spec.instruct and not self._model.instruct:
            able = ", ".join(model.name for model in MODELS.values() if model.instruct)
            raise ConfigurationError(f"{SECTION}.instruct: {spec.model} takes no instruction; {able} do.")
        region = spec.region or "singapore"
        place = Place(model=spec.model, section=SECTION, region=region, base_url=spec.base_url, api_key=api_key,
                      timeout_s=spec.timeout_s, connections=_CONNECTIONS)  # fmt: skip
        self._endpoint = Endpoint(place, settings, self._offer)
        offer = self._endpoint.offer
        self._spec = spec
        own = spec.price_per_million_tokens
        self.info = RerankerInfo(
            spec.model,
            max_documents=self._model.batch_inputs,
            max_media=SEEING[name].images if name in SEEING else 0,
            max_text_tokens=self._model.max_tokens,
            max_request_tokens=REQUEST_TOKENS[name],
            requests_per_minute=offer.requests_per_minute,
            tokens_per_minute=offer.tokens_per_minute,
            price_per_million_tokens=offer.price if own is None else own,
            sees=name in SEEING,
        )
        self._media_price = offer.media_price if own is None else own
        self._seeing = SEEING.get(name, Seeing(0, 0))
        self._spending = Spending(self.info.name, spec.max_cost_usd, self.info.price_per_million_tokens)
        if name in WITHDRAWN:
            log.warning("%s: %s will be withdrawn soon, says the vendor; take dashscope/%s", SECTION, spec.model,
                        WITHDRAWN[name])  # fmt: skip
        self._exits = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            self._portal = exits.enter_context(event_loop())
            exits.callback(self._portal.call, self._endpoint.aclose)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """Score candidates."""
        assert self._portal is not None  # noqa: S101  # used inside the with block
        return self._portal.call(self._rerank, query, [document_of(each, sees=self.info.sees) for each in candidates])

    async def _rerank(self, query: str, documents: list[Document]) -> Reranked:
        import asyncio

        scores = np.zeros(len(documents))
        # What is blank would have the whole request refused, and answers nothing.
        asked = [at for at, each in enumerate(documents) if each.kind != "text" or each.content.strip()]
        if not asked:
            return Reranked(scores)
        sizes = await self._count([query, *(documents[at].content for at in asked if documents[at].kind == "text")])
        question, *texts = (min(size, self.info.max_text_tokens) for size in sizes)
        counted = iter(texts)
        weights = [question + (next(counted) if documents[at].kind == "text" else self._seen_as(documents[at].kind))
                   for at in asked]  # fmt: skip
        parts = list(self._packed(documents, asked, weights))
        with self._spending.of(
            self._price(documents[at].kind, weight) for at, weight in zip(asked, weights, strict=True)
        ):
            replies = await asyncio.gather(
                *(self._ask(query, [documents[at] for at in part], size) for part, size in parts)
            )
            cost = self._cost([bill for _, bill in replies])
            self._spending.add(cost)
        for (part, _), (found, _) in zip(parts, replies, strict=True):
            scores[part] = found
        return Reranked(scores, sum(bill.tokens for _, bill in replies), cost)

    def _packed(
        self, documents: list[Document], asked: list[int], weights: list[int]
    ) -> Iterator[tuple[list[int], int]]:
        """Group documents into requests; returns places and tokens. The question counts once for each."""
        most = {"text": self.info.max_documents, "image": self._seeing.images, "video": self._seeing.videos}
        part: list[int] = []
        size = 0
        for at, weight in zip(asked, weights, strict=True):
            kind = documents[at].kind
            alike = sum(documents[each].kind == kind for each in part)
            full = len(part) == self.info.max_documents or alike == most[kind]
            if part and (full or size + weight > self.info.max_request_tokens):
                yield part, size
                part, size = [], 0
            part.append(at)
            size += weight
        yield part, size

    def _seen_as(self, kind: str) -> int:
        return self._seeing.image_tokens if kind == "image" else self._seeing.video_tokens

    def _price(self, kind: str, tokens: int) -> float | None:
        media = self._media_price if kind != "text" and self._media_price is not None else None
        return cost_usd(tokens, self.info.price_per_million_tokens if media is None else media)

    def _cost(self, bills: list[Bill]) -> float | None:
        price = self.info.price_per_million_tokens
        if price is None:
            return None
        return sum(bill.cost_usd(price, price if self._media_price is None else self._media_price) for bill in bills)

    async def _count(self, texts: list[str]) -> list[int]:
        """Count tokens; bytes, of which there are never fewer, will do where even they fit into one request.

        Loading a tokenizer takes up to a second, too long for a single question.
        """
        import asyncio

        sizes = [len(text.encode("utf-8", "replace")) for text in texts]
        if (
            self._spec.max_cost_usd is None
            and sizes[0] * (len(sizes) - 1) + sum(sizes[1:]) <= self.info.max_request_tokens
        ):
            return sizes
        return (await asyncio.to_thread(self._tokenizer.count, texts)).tolist()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from relance.embedding.tokenizers import open_tokenizer

        return open_tokenizer("qwen")

    async def _ask(self, query: str, documents: list[Document], size: int) -> tuple[NDArray[np.float64], Bill]:
        """Make one request, again if need be; returns scores, shape (documents,), and what is billed."""
        import stamina

        from relance.embedding.rate_limits import shared_limits

        limits = shared_limits(
            (self.info.name, self._endpoint.region, self._endpoint.service.url),
            concurrency=_CONNECTIONS,
            requests_per_minute=self.info.requests_per_minute,
            tokens_per_minute=self.info.tokens_per_minute,
        )
        parameters: dict[str, Any] = {"return_documents": False, "top_n": len(documents)}
        if self._spec.instruct:
            parameters["instruct"] = self._spec.instruct
        given: dict[str, Any] = {"query": query, "documents": [each.content for each in documents]}
        if self.info.sees:
            given = {"query": {"text": query}, "documents": [{each.kind: each.content} for each in documents]}
        body = {"model": self._model.name, "input": given, "parameters": parameters}
        attempts = stamina.retry_context(on=_again, attempts=self._spec.max_attempts, timeout=None, wait_initial=0.3)
        async for attempt in attempts:
            with attempt:
                async with limits.concurrency:
                    await limits.tokens.acquire(size)
                    await limits.requests.acquire()
                    reply = await self._endpoint.service.post("/services/rerank/text-rerank/text-rerank", body)
                return self._read(self._endpoint.read(reply), documents, size)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read(self, answer: dict[str, Any], documents: list[Document], size: int) -> tuple[NDArray[np.float64], Bill]:
        """Read `{"output": {"results": [{"index": 1, "relevance_score": 0.9}, …]}, "usage": {"total_tokens": 79}}`."""
        try:
            results = {int(item["index"]): float(item["relevance_score"]) for item in answer["output"]["results"]}
            scores = np.array([results[at] for at in range(len(documents))])
        except (KeyError, TypeError, ValueError) as error:
            raise BadReplyError(f"{self._endpoint.service.name} answered without a score for each text.") from error
        usage = answer.get("usage")
        bill = read_bill(usage) if isinstance(usage, dict) else None
        if bill is None or not bill.media_tokens:  # no page shows how a bill for pictures looks: then the dearer price
            total = size if bill is None else bill.tokens
            bill = Bill(total, total if any(each.kind != "text" for each in documents) else 0)
        return scores, bill

    def _offer(self, region: str, addressed: bool) -> Offer:
        offer = self._model.offers.get(region)
        if offer is None and not addressed:
            there = ", ".join(f"{REGIONS[name].title} ({name})" for name in self._model.offers)
            msg = (
                f"{SECTION}.region: dashscope/{self._model.name} is served in {there}, not in {REGIONS[region].title}."
            )
            raise ConfigurationError(msg)
        return offer or Offer(None)


def _again(error: Exception) -> bool | float:
    if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
        return error.retry_after_s <= _PATIENCE_S and error.retry_after_s
    return isinstance(error, RetryableError)
