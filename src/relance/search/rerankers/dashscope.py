"""`dashscope/…`: a model of Alibaba Cloud Model Studio reads each text beside the question."""

from __future__ import annotations

import contextlib
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
from relance.embedding.providers.dashscope.connection import Endpoint, Place
from relance.embedding.providers.dashscope.model import Offer
from relance.embedding.providers.dashscope.regions import REGIONS
from relance.embedding.providers.dashscope.spec import DashScopeSpec, RegionName
from relance.errors import ConfigurationError, RateLimitedError, RetryableError
from relance.http.event_loop import event_loop
from relance.search.rerankers import SECTION, Reranked, RerankerInfo
from relance.search.rerankers.models import MAX_CHARACTERS, MODELS, REQUEST_TOKENS

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from relance.embedding.tokenizers import Tokenizer
    from relance.search.candidate import Candidate

__all__ = ["DashScopeRerankSpec", "DashScopeReranker"]

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
            max_text_tokens=self._model.max_tokens,
            max_request_tokens=REQUEST_TOKENS[name],
            requests_per_minute=offer.requests_per_minute,
            tokens_per_minute=offer.tokens_per_minute,
            price_per_million_tokens=offer.price if own is None else own,
        )
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
        return self._portal.call(self._rerank, query, [each.row["text"][:MAX_CHARACTERS] for each in candidates])

    async def _rerank(self, query: str, texts: list[str]) -> Reranked:
        import asyncio

        scores = np.zeros(len(texts))
        # What is blank would have the whole request refused, and answers nothing.
        asked = [at for at, text in enumerate(texts) if text.strip()]
        counts = await self._count([query, *(texts[at] for at in asked)])
        parts = list(self._packed(asked, counts))
        replies = await asyncio.gather(*(self._ask(query, [texts[at] for at in part], size) for part, size in parts))
        for (part, _), (found, _) in zip(parts, replies, strict=True):
            scores[part] = found
        tokens = sum(billed for _, billed in replies)
        return Reranked(scores, tokens, cost_usd(tokens, self.info.price_per_million_tokens))

    def _packed(self, asked: list[int], counts: list[int]) -> Iterator[tuple[list[int], int]]:
        """Group texts into requests; returns places and tokens. The question counts once for each text."""
        question, *others = (min(count, self.info.max_text_tokens) for count in counts)
        part: list[int] = []
        size = 0
        for at, count in zip(asked, others, strict=True):
            weight = count + question
            if part and (len(part) == self.info.max_documents or size + weight > self.info.max_request_tokens):
                yield part, size
                part, size = [], 0
            part.append(at)
            size += weight
        if part:
            yield part, size

    async def _count(self, texts: list[str]) -> list[int]:
        """Count tokens; bytes, of which there are never fewer, will do where even they fit into one request.

        Loading a tokenizer takes up to a second, too long for a single question.
        """
        import asyncio

        sizes = [len(text.encode("utf-8", "replace")) for text in texts]
        if sizes[0] * (len(sizes) - 1) + sum(sizes[1:]) <= self.info.max_request_tokens:
            return sizes
        return (await asyncio.to_thread(self._tokenizer.count, texts)).tolist()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from relance.embedding.tokenizers import open_tokenizer

        return open_tokenizer("qwen")

    async def _ask(self, query: str, texts: list[str], size: int) -> tuple[NDArray[np.float64], int]:
        """Make one request, again if need be; returns scores, shape (texts,), and tokens billed."""
        import stamina

        from relance.embedding.rate_limits import shared_limits

        limits = shared_limits(
            (self.info.name, self._endpoint.region, self._endpoint.service.url),
            concurrency=_CONNECTIONS,
            requests_per_minute=self.info.requests_per_minute,
            tokens_per_minute=self.info.tokens_per_minute,
        )
        parameters: dict[str, Any] = {"return_documents": False, "top_n": len(texts)}
        if self._spec.instruct:
            parameters["instruct"] = self._spec.instruct
        body = {"model": self._model.name, "input": {"query": query, "documents": texts}, "parameters": parameters}
        attempts = stamina.retry_context(on=_again, attempts=self._spec.max_attempts, timeout=None, wait_initial=0.3)
        async for attempt in attempts:
            with attempt:
                async with limits.concurrency:
                    await limits.tokens.acquire(size)
                    await limits.requests.acquire()
                    reply = await self._endpoint.service.post("/services/rerank/text-rerank/text-rerank", body)
                return self._read(self._endpoint.read(reply), len(texts), size)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read(self, answer: dict[str, Any], count: int, size: int) -> tuple[NDArray[np.float64], int]:
        """Read `{"output": {"results": [{"index": 1, "relevance_score": 0.9}, …]}, "usage": {"total_tokens": 79}}`."""
        try:
            results = {int(item["index"]): float(item["relevance_score"]) for item in answer["output"]["results"]}
            scores = np.array([results[at] for at in range(count)])
        except (KeyError, TypeError, ValueError) as error:
            raise BadReplyError(f"{self._endpoint.service.name} answered without a score for each text.") from error
        usage = answer.get("usage")
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
        return scores, tokens if isinstance(tokens, int) else size

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
