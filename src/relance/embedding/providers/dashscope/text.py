"""DashScope's text models, by the native protocol: dense and sparse vectors, documents and queries told apart."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from relance.config.settings import Settings
from relance.embedding.providers import BadReplyError, InputType, Reply
from relance.embedding.providers.dashscope.compatible import text_info
from relance.embedding.providers.dashscope.connection import Answer, Connection, stack_vectors
from relance.embedding.providers.dashscope.spec import DashScopeSpec
from relance.embedding.sparse import Sparse
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import InputError

__all__ = ["DashScopeText"]


class DashScopeText:
    """One text model in one region.

    A vector's space is the model, its dimension and kind, not the address: every region serves the same model, and
    what was bought in one need not be bought again in another.
    """

    def __init__(self, spec: DashScopeSpec, settings: Settings) -> None:
        self._connection = Connection(spec, settings)
        self.address = self._connection.service.url
        model = self._connection.model
        self.info = text_info(spec, model, self._connection.offer, self._connection.region)
        self._instruct = spec.instruct
        self._parameters: dict[str, Any] = {}
        if self.info.dimension and len(model.dimensions) > 1:
            self._parameters["dimension"] = self.info.dimension
        if self.info.sparse:
            self._parameters["output_type"] = spec.output_type

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Qwen's, by which DashScope bills."""
        return open_tokenizer(self.info.tokenizer)

    async def embed(self, inputs: list[str], /, *, input_type: InputType) -> Reply:
        """Embed texts in one request."""
        parameters = {"text_type": input_type, **self._parameters}
        if self._instruct and input_type == "query":
            parameters["instruct"] = self._instruct
        body = {"input": {"texts": inputs}, "parameters": parameters}
        answer = await self._connection.embed(
            "text-embedding/text-embedding", body, count=len(inputs), most=self.info.batch_texts, index="text_index"
        )
        name = self._connection.service.name
        # Whether an item without a dense vector leaves `embedding` out is not documented, so it is not looked at.
        vectors = stack_vectors(answer.items, name) if self.info.dimension else np.zeros((len(inputs), 0), np.float32)
        return Reply(vectors, tokens=_tokens(answer), sparse=_sparse(answer, name) if self.info.sparse else None)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()


def _tokens(answer: Answer) -> int | None:
    total = answer.usage.get("total_tokens")
    return total if isinstance(total, int) else None


def _sparse(answer: Answer, name: str) -> list[Sparse]:
    """Read `[{"index": 7149, "value": 0.829, "token": "风"}, …]` of every item."""
    try:
        terms = [item["sparse_embedding"] for item in answer.items]
        return [Sparse.of([term["index"] for term in each], [term["value"] for term in each]) for each in terms]
    except (KeyError, TypeError, InputError) as error:
        raise BadReplyError(f"{name} answered with something that is no sparse vector.") from error
