"""`openai/<model>`: any service with OpenAI's `POST /embeddings`, such as DashScope, vLLM, TEI or Ollama."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from relance.config.embedding import EmbeddingSpec, Mode
from relance.config.settings import Settings, read_settings
from relance.embedding.providers import InputType, ModelInfo, Reply, dashscope
from relance.embedding.providers.dashscope.compatible import compatible_info, compatible_model
from relance.embedding.providers.dashscope.connection import EMULATOR_KEY
from relance.embedding.providers.dashscope.regions import is_loopback, region_of
from relance.embedding.providers.dashscope.spec import RegionName
from relance.embedding.providers.models import MODELS, HostedModel
from relance.embedding.providers.openai_address import OPENAI_URL, OpenAIAddress
from relance.embedding.providers.openai_errors import error_for
from relance.embedding.providers.openai_habits import Form, habits_of
from relance.embedding.providers.openai_reply import read_reply
from relance.embedding.providers.refusals import Refusal, refusal
from relance.embedding.providers.service import Service, check_key
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import ConfigurationError, InputError, MissingKeyError, RelanceError, RetryableError

__all__ = ["OpenAI", "OpenAISpec"]

# Texts per request for models relance does not know: what the strictest common server (TEI) takes as it comes.
UNKNOWN_BATCH_TEXTS = 32


class OpenAISpec(EmbeddingSpec, title="Embedding by OpenAI's protocol"):
    """Which model of an OpenAI-compatible service turns text into vectors, and how hard it may be pushed."""

    decisive: ClassVar[tuple[str, ...]] = (*EmbeddingSpec.decisive, "region", "revision")

    revision: str = Field(default="", title="Revision", examples=["2026-11"])
    """Any name. Another one makes all vectors anew: where a service has put other weights behind a model's name."""
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
        field = "embedding.base_url" if spec.base_url or not settings.openai_base_url else "OPENAI_BASE_URL"
        self._address = address = OpenAIAddress.read(
            spec.base_url or settings.openai_base_url or OPENAI_URL, field=field
        )
        self.address = address.url
        key = _key(spec, settings, address)
        known, theirs = MODELS.get(spec.model), compatible_model(spec)
        self.info = (
            compatible_info(spec, theirs, region_of(address.host) or spec.region) if theirs else _info(spec, known)
        )
        if spec.revision:
            self.info = replace(self.info, space=f"{self.info.space}@{spec.revision}")
        self._service = Service(
            f"{spec.model} at {address.url}",
            address.url,
            key,
            timeout_s=spec.timeout_s,
            connections=spec.max_concurrency,
            query=address.query,
            key_header="api-key" if address.azure else "",
        )
        # A model's own dimension is not asked for: servers refuse the parameter for models that cannot shorten.
        own = theirs.dimensions[0] if theirs else known.dimension if known else 0
        self._dimensions = 0 if spec.dimension == own else spec.dimension
        self._habits = habits_of(address.url, self._model)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The spec's tokenizer, else Qwen's as an estimate.

        OpenAI's own ranks (cl100k) are downloaded by tiktoken at run time, which relance never does.
        """
        return open_tokenizer(self.info.tokenizer)

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts in one request; this protocol does not tell questions from documents."""
        del input_type
        form, first = self._habits.form, None
        while True:
            answer = await self._post(texts, form)
            if not isinstance(answer, Refusal):
                self._habits.learn(form)
                return answer
            # What a service does not understand is left out from then on; the check of the vectors' length stays.
            error = self._error(first := first or answer)
            simpler = self._habits.next(form, answer, of_request=isinstance(error, InputError | RetryableError))
            if simpler is None:
                raise error
            form = simpler

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    async def _post(self, texts: list[str], form: Form) -> Reply | Refusal:
        body: dict[str, Any] = {"model": self._model, "input": texts}
        if form.encoding:
            body["encoding_format"] = form.encoding
        if form.dimensions and self._dimensions:
            body["dimensions"] = self._dimensions
        response = await self._service.post("/embeddings", body)
        return refusal(response) or read_reply(response.content, len(texts), self._service.name, self._address.advice)

    def _error(self, no: Refusal) -> RelanceError:
        no = self._service.cleaned(no)
        if dashscope.is_dashscope(self._address.host):
            return dashscope.error_for(no, model=self.info.name, url=self._service.url)
        return error_for(no, self._service.name, host=self._address.host, advice=self._address.advice)


def _key(spec: EmbeddingSpec, settings: Settings, address: OpenAIAddress) -> str:
    """Find the key: at DashScope's and Azure's hosts that service's own, if there is one."""
    there = dashscope.is_dashscope(address.host)
    own = [settings.dashscope_api_key] * there + [settings.azure_openai_api_key] * address.azure
    keys = [spec.api_key, *own, settings.openai_api_key]
    key = next((text for secret in keys if (text := secret.get_secret_value().strip())), "")
    if not key and compatible_model(spec) and is_loopback(address.host):
        return EMULATOR_KEY
    if not key and (there or address.host == "api.openai.com"):
        name = "DASHSCOPE_API_KEY" if there else "OPENAI_API_KEY"
        raise MissingKeyError(f"{spec.model} needs a key: set {name}, or embedding.base_url for another service.")
    check_key(key, spec.model)
    return key


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
