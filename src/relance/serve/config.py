"""How indexes are served: where, to whom, and within which bounds."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from relance.errors import ConfigurationError
from relance.serve.tokens import Tokens

__all__ = ["ServeConfig", "ServeLimits"]

_OPEN = SecretStr("")


@dataclass(slots=True, frozen=True, kw_only=True)
class ServeLimits:
    """What one request, and all of them together, may take.

    Attributes:
        body: bytes of a request; the longest question there may be needs 80 KB.
        body_s: seconds in which the body has to arrive.
        answer_s: seconds until an answer is given up with 504.
        threads: calls that work at the same time, of all clients.
        waiting: requests that wait for one of them; one more gets 503.
    """

    body: int = 256 * 1024
    body_s: float = 10.0
    answer_s: float = 30.0
    threads: int = field(default_factory=lambda: min(32, 4 + 2 * (os.cpu_count() or 1)))
    waiting: int = 256


_LIMITS = ServeLimits()


@dataclass(slots=True, frozen=True, kw_only=True)
class ServeConfig:
    """How indexes are served.

    Attributes:
        host: address to listen on; anything but this machine's own needs tokens.
        port: 0 takes a free one.
        tokens: who may come in. Without any, whoever reaches the address reads as the index was opened for.
        origins: of pages whose scripts may call the API (CORS), such as `https://app.example.com`.
        audit: file that gets a line of JSON for each request.
        audit_queries: whether those lines have the words of the question.
        metrics_token: what Prometheus has to send where there are tokens; without it there is no /metrics then.
    """

    host: str = "127.0.0.1"
    port: int = 8790
    tokens: Tokens = field(default_factory=Tokens)
    origins: tuple[str, ...] = ()
    audit: Path | None = None
    audit_queries: bool = False
    metrics_token: SecretStr = _OPEN
    limits: ServeLimits = _LIMITS

    def __post_init__(self) -> None:
        """Raise ConfigurationError for what would be open to strangers, or means nothing."""
        if not self.tokens and not is_loopback(self.host):
            msg = (
                f"without tokens the API is served to this machine only, and {self.host} is reached by others; name "
                "a file of tokens with --tokens (`relance serve --new-token NAME` makes one), or leave --host out"
            )
            raise ConfigurationError(msg)
        for origin in self.origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                msg = f"{origin!r} is not an origin; write scheme, host and port, such as https://app.example.com"
                raise ConfigurationError(msg)
        if self.audit_queries and self.audit is None:
            msg = "--audit-queries needs --audit FILE, where the lines are written"
            raise ConfigurationError(msg)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
