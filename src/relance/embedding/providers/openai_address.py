"""The address of an OpenAI-compatible service, as people write it, and what to write instead where it is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from relance.embedding.providers.service import check_address

__all__ = ["OpenAIAddress"]

OPENAI_URL = "https://api.openai.com/v1"
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com", ".openai.azure.us",
          ".openai.azure.cn")  # fmt: skip
_GEMINI = "generativelanguage.googleapis.com"
_DEPLOYMENT = "/openai/deployments/"
# Addresses of other protocols that the same servers speak: Ollama's and LM Studio's own.
_NATIVE = re.compile(r"/api(/v\d+)?$")
_VERSION = re.compile(r"/(v\d\w*|openai)(/|$)")


@dataclass(slots=True, frozen=True)
class OpenAIAddress:
    """Where `POST /embeddings` is.

    Attributes:
        url: without a slash at the end, without `/embeddings`, without a query.
        query: sent with each request, such as `api-version=2024-10-21`; holds no secret.
        host: name or number of the machine.
    """

    url: str
    query: str
    host: str

    @classmethod
    def read(cls, text: str, *, field: str = "embedding.base_url") -> OpenAIAddress:
        """Read an address; raises ConfigurationError where it is none, or holds a secret."""
        host = check_address(text.strip(), field=field, example="http://localhost:8000/v1")
        parts = urlsplit(text.strip())
        path = parts.path.rstrip("/").removesuffix("/embeddings").rstrip("/")
        return cls(urlunsplit((parts.scheme, parts.netloc, path, "", "")), parts.query, host)

    @property
    def azure(self) -> bool:
        """Whether it is Azure's, or a gateway's that looks like it; the key goes into another header there."""
        return self.host.endswith(_AZURE) or _DEPLOYMENT in self.url or "api-version=" in self.query

    @property
    def advice(self) -> str:
        """Say how the address is probably written, where what answers is no list of embeddings."""
        parts = urlsplit(self.url)
        better = self._azure_url(parts.path) if self.azure else self._usual_path(parts.path)
        if not better:
            return (
                "check the deployment's name and the api-version"
                if self.azure
                else ("check embedding.model and embedding.base_url")
            )
        return f"try embedding.base_url: {parts.scheme}://{parts.netloc}{better}"

    def _azure_url(self, path: str) -> str:
        if _DEPLOYMENT in path:
            return "" if self.query else f"{path}?api-version=2024-10-21"
        return "" if path.endswith("/openai/v1") else "/openai/v1"

    def _usual_path(self, path: str) -> str:
        """Return the path that services like this one have, empty if it has that."""
        if self.host == _GEMINI:
            return "" if path.endswith("/openai") else "/v1beta/openai"
        if self.host.endswith(".aliyuncs.com"):
            return "" if "compatible-mode" in path else "/compatible-mode/v1"
        if _NATIVE.search(path):
            return f"{_NATIVE.sub('', path)}/v1"
        return "" if _VERSION.search(path) else f"{path}/v1"
