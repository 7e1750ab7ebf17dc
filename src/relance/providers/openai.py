"""`openai/<model>`: any service with OpenAI's `POST /embeddings`, such as DashScope, vLLM, TEI or Ollama."""

from __future__ import annotations

import base64
import binascii
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, RelanceError, RetryableError
from relance.providers import BadReplyError, InputType, ModelInfo, Reply
from relance.providers.models import MODELS, HostedModel
from relance.providers.openai_errors import Refusal, error_for, refusal
from relance.settings import Settings
from relance.spec import EmbeddingSpec
from relance.tokens import Tokenizer, open_tokenizer

__all__ = ["OpenAI"]

OPENAI_URL = "https://api.openai.com/v1"
# Texts per request for models relance does not know: what the strictest common server (TEI) takes as it comes.
UNKNOWN_BATCH_TEXTS = 32


class OpenAI:
    """One model of one OpenAI-compatible service.

    A vector's space is the model's name and dimension, not the address: the same model behind another host or port
    gives the same vectors, and those need not be bought again.
    """

    def __init__(self, spec: EmbeddingSpec, settings: Settings) -> None:
        self._model = spec.model.partition("/")[2]
        self._url = (spec.base_url or settings.openai_base_url or OPENAI_URL).rstrip("/")
        self._host = _check_address(self._url)
        self._key = (spec.api_key.get_secret_value() or settings.openai_api_key.get_secret_value()).strip()
        _check_key(self._key, spec.model, needed=self._host == "api.openai.com")
        self._spec = spec
        known = MODELS.get(spec.model)
        self.info = _info(spec, known)
        self._encoding = "base64"
        # A model's own dimension is not asked for: servers refuse the parameter for models that cannot shorten.
        self._dimensions = 0 if known and spec.dimension == known.dimension else spec.dimension

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
        if "_client" in self.__dict__:
            await self._client.aclose()

    @cached_property
    def _client(self) -> Any:
        from relance.http import open_client

        headers = {"content-type": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        return open_client(timeout_s=self._spec.timeout_s, connections=self._spec.max_concurrency, headers=headers)

    async def _post(self, texts: list[str]) -> Reply | Refusal:
        from pydantic_core import to_json

        from relance import http

        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": self._encoding}
        if self._dimensions:
            body["dimensions"] = self._dimensions
        try:
            response = await self._client.post(f"{self._url}/embeddings", content=to_json(body))
        except http.TimeoutException as error:
            raise RetryableError(f"{self._name} did not answer within {self._spec.timeout_s:g} s.") from error
        except http.ConnectError as error:
            msg = f"Cannot reach {self._name}: {self._clean(str(error)) or 'connection failed'}."
            raise RetryableError(msg) from error
        except http.RequestError as error:
            why = self._clean(str(error)) or type(error).__name__
            raise RetryableError(f"The connection to {self._name} broke: {why}.") from error
        if (no := refusal(response)) is not None:
            return no
        return self._parse(response.content, texts)

    def _parse(self, content: bytes, texts: list[str]) -> Reply:
        from pydantic_core import from_json

        try:
            answer = from_json(content)
            items = sorted(answer["data"], key=lambda item: item["index"])
            indexes = [item["index"] for item in items]
            vectors = [_vector(item["embedding"]) for item in items]
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            msg = f"{self._name} answered with something that is not a list of embeddings; is the address right?"
            raise BadReplyError(msg) from error
        if indexes != list(range(len(texts))) or len({vector.shape for vector in vectors}) != 1:
            msg = f"{self._name} answered with {len(items)} vectors for {len(texts)} texts, or not all of one length."
            raise BadReplyError(msg)
        usage = answer.get("usage")
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
        return Reply(np.stack(vectors), tokens=tokens if isinstance(tokens, int) else None)

    def _error(self, answer: Refusal) -> RelanceError:
        answer = Refusal(answer.status, self._clean(answer.message), answer.code, answer.retry_after_s)
        return error_for(answer, self._name, openai=self._host == "api.openai.com")

    def _clean(self, message: str) -> str:
        """Shorten a message to 300 characters, without the key: some services quote it."""
        if self._key:
            message = message.replace(self._key, "***")
        return message if len(message) <= 300 else f"{message[:299]}…"

    @property
    def _name(self) -> str:
        return f"{self.info.name} at {self._url}"


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


def _check_address(url: str) -> str:
    """Return the host of a service address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f"embedding.base_url: {url!r} is not an address; write it like http://localhost:8000/v1"
        raise ConfigurationError(msg)
    if parts.username or parts.password or parts.query:
        # It would end up in error messages and logs.
        raise ConfigurationError(
            "embedding.base_url: keep keys and passwords out of the address; use embedding.api_key."
        )
    return parts.hostname


def _check_key(key: str, model: str, *, needed: bool) -> None:
    if needed and not key:
        raise ConfigurationError(f"{model} needs a key: set OPENAI_API_KEY, or embedding.base_url for another service.")
    if not (key.isascii() and key.isprintable()):
        # The HTTP library would quote the header, with the key, in its own error.
        raise ConfigurationError(f"The key for {model} contains characters no key has; was it copied whole?")
