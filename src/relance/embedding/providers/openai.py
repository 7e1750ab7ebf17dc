"""`openai/<model>`: any service with OpenAI's `POST /embeddings`, such as DashScope, vLLM, TEI or Ollama."""

from __future__ import annotations

import base64
import binascii
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from relance.config.embedding import EmbeddingSpec, Mode
from relance.config.settings import Settings, read_settings
from relance.embedding.providers import BadReplyError, InputType, ModelInfo, Reply, dashscope
from relance.embedding.providers.dashscope.compatible import compatible_info, compatible_model
from relance.embedding.providers.dashscope.connection import EMULATOR_KEY
from relance.embedding.providers.dashscope.regions import is_loopback, region_of
from relance.embedding.providers.dashscope.spec import RegionName
from relance.embedding.providers.models import MODELS, HostedModel
from relance.embedding.providers.openai_errors import error_for
from relance.embedding.providers.refusals import Refusal, refusal
from relance.embedding.providers.service import Service, check_address, check_key
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import ConfigurationError, RelanceError

__all__ = ["OpenAI", "OpenAISpec"]

OPENAI_URL = "https://api.openai.com/v1"
# Texts per request for models relance does not know: what the strictest common server (TEI) takes as it comes.
UNKNOWN_BATCH_TEXTS = 32


class OpenAISpec(EmbeddingSpec, title="Embedding by OpenAI's protocol"):
    """Which model of an OpenAI-compatible service turns text into vectors, and how hard it may be pushed."""

    decisive: ClassVar[tuple[str, ...]] = (*EmbeddingSpec.decisive, "region")

    region: RegionName = Field(default="singapore", title="Region")
    """Of DashScope, if its models are called by this protocol at an address that does not tell: prices differ."""
    mode: Mode = Field(default="online", title="Mode")
    """`batch` sends what has to be embedded as files that are worked off within a day, at half the price."""


class OpenAI:
    """Any service that speaks OpenAI's protocol: one model of it.

    A vector's space is the model's name and dimension, not the address: the same model behind another host or port
    gives the same vectors, and those need not be bought again.
    """

    Spec = OpenAISpec
    version = ""  # a model's name says which weights it has
    models: ClassVar[tuple[str, ...]] = tuple(name.partition("/")[2] for name in MODELS)

    def __init__(self, spec: OpenAISpec) -> None:
        settings = read_settings()
        self._model = spec.model.partition("/")[2]
        url = (spec.base_url or settings.openai_base_url or OPENAI_URL).rstrip("/")
        self._host = check_address(url, example="http://localhost:8000/v1")
        key = _key(spec, settings, self._host)
        known, theirs = MODELS.get(spec.model), compatible_model(spec)
        self.info = (
            compatible_info(spec, theirs, region_of(self._host) or spec.region) if theirs else _info(spec, known)
        )
        self._service = Service(
            f"{spec.model} at {url}", url, key, timeout_s=spec.timeout_s, connections=spec.max_concurrency
        )
        self._encoding = "base64"
        # A model's own dimension is not asked for: servers refuse the parameter for models that cannot shorten.
        own = theirs.dimensions[0] if theirs else known.dimension if known else 0
        self._dimensions = 0 if spec.dimension == own else spec.dimension

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The spec's tokenizer, else Qwen's as an estimate.

        OpenAI's own ranks (cl100k) are downloaded by tiktoken at run time, which relance never does.
        """
        return open_tokenizer(self.info.tokenizer)

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts in one request; this protocol does not tell questions from documents."""
        del input_type
        while True:
            sent = (self._encoding, self._dimensions)
            answer = await self._post(texts)
            if not isinstance(answer, Refusal):
                return answer
            # What a service does not understand is left out from then on; the check of the vectors' length stays.
            message = answer.message.lower()
            if (
                answer.status in {400, 422}
                and sent[0] == "base64"
                and ("encoding_format" in message or sent[0] in message)
            ):
                self._encoding = "float"
            elif answer.status in {400, 422} and sent[1] and ("dimensions" in message or "matryoshka" in message):
                self._dimensions = 0
            else:
                raise self._error(answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    async def _post(self, texts: list[str]) -> Reply | Refusal:
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": self._encoding}
        if self._dimensions:
            body["dimensions"] = self._dimensions
        response = await self._service.post("/embeddings", body)
        return refusal(response) or self._parse(response.content, texts)

    def _parse(self, content: bytes, texts: list[str]) -> Reply:
        from pydantic_core import from_json

        name = self._service.name
        try:
            answer = from_json(content)
            items = sorted(answer["data"], key=lambda item: item["index"])
            indexes = [item["index"] for item in items]
            vectors = [_vector(item["embedding"]) for item in items]
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            msg = f"{name} answered with something that is not a list of embeddings; is the address right?"
            raise BadReplyError(msg) from error
        if indexes != list(range(len(texts))) or len({vector.shape for vector in vectors}) != 1:
            msg = f"{name} answered with {len(items)} vectors for {len(texts)} texts, or not all of one length."
            raise BadReplyError(msg)
        usage = answer.get("usage")
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
        return Reply(np.stack(vectors), tokens=tokens if isinstance(tokens, int) else None)

    def _error(self, no: Refusal) -> RelanceError:
        no = self._service.cleaned(no)
        if dashscope.is_dashscope(self._host):
            return dashscope.error_for(no, model=self.info.name, url=self._service.url)
        return error_for(no, self._service.name, openai=self._host == "api.openai.com")


def _key(spec: EmbeddingSpec, settings: Settings, host: str) -> str:
    """Find the key: at a host of DashScope's that service's own, if there is one."""
    there = dashscope.is_dashscope(host)
    keys = [spec.api_key, *([settings.dashscope_api_key] if there else []), settings.openai_api_key]
    key = next((text for secret in keys if (text := secret.get_secret_value().strip())), "")
    if not key and compatible_model(spec) and is_loopback(host):
        return EMULATOR_KEY
    if not key and (there or host == "api.openai.com"):
        name = "DASHSCOPE_API_KEY" if there else "OPENAI_API_KEY"
        raise ConfigurationError(f"{spec.model} needs a key: set {name}, or embedding.base_url for another service.")
    check_key(key, spec.model)
    return key


def _vector(value: str | list[float]) -> NDArray[np.float32]:
    """Decode an embedding; a service may send floats although base64 was asked for."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4").astype(np.float32)
    vector = np.array(value, dtype=np.float32)
    if vector.ndim != 1:
        raise ValueError("not a flat list of numbers")
    return vector


def _info(spec: EmbeddingSpec, known: HostedModel | None) -> ModelInfo:
    if known is None:
        if not spec.dimension:
            msg = (
                f"embedding.dimension: say how long the vectors of {spec.model} are; relance does not know this model."
            )
            raise ConfigurationError(msg)
        known = HostedModel(spec.dimension, True, 0, UNKNOWN_BATCH_TEXTS, 0, 0.0)
        price = spec.price_per_million_tokens
    else:
        if spec.dimension > known.dimension or (spec.dimension not in {0, known.dimension} and not known.shortens):
            allowed = f"1 to {known.dimension}" if known.shortens else f"{known.dimension}"
            raise ConfigurationError(f"embedding.dimension: {spec.model} has {allowed}, not {spec.dimension}.")
        listed = known.price_per_million_tokens
        price = listed if spec.price_per_million_tokens is None else spec.price_per_million_tokens
    dimension = spec.dimension or known.dimension
    return ModelInfo(
        name=spec.model,
        dimension=dimension,
        max_input_tokens=known.max_input_tokens,
        batch_texts=known.batch_texts,
        # Ten per cent less, because our count is an estimate (see `tokenizer`) and a request over it is refused whole.
        batch_tokens=known.batch_tokens * 9 // 10,
        price_per_million_tokens=price,
        space=f"{spec.model}:{dimension}",
        tokenizer=spec.tokenizer or "qwen",
    )
