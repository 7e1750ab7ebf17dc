"""Who may send notifications: tokens and signatures, compared in a time that says nothing about them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from pydantic import SecretStr

from relance.errors import ConfigurationError

__all__ = ["SHORTEST", "RouteSecrets", "Secrets", "route_secret", "sign", "signed_at"]

# Characters; `secrets.token_hex(32)` has 64.
SHORTEST = 16
_NONE = SecretStr("")
_SIGNED = re.compile(r"t=(?P<t>[0-9]{1,12})((?:,v1=[0-9a-f]{64}){1,4})")


def route_secret(secret: str, kind: str, index: str) -> str:
    """Derive what the senders of one route, `/KIND/INDEX`, know; it opens no other."""
    return _mac(secret.encode(), f"{kind}/{index}".encode())


def sign(secret: str, target: str, body: bytes, at: int) -> str:
    """Make the value of `X-Relance-Signature` for a POST.

    Args:
        secret: of the route; see `route_secret`.
        target: path and query as they are sent, such as `/generic/handbook?root=docs`.
        body: what is sent.
        at: when, in seconds since 1970.
    """
    return f"t={at},v1={_mac(secret.encode(), _signed(str(at), target, body))}"


def signed_at(header: str) -> int | None:
    """Read when an `X-Relance-Signature` says it was made (seconds since 1970), unchecked; None if it is malformed."""
    parts = _SIGNED.fullmatch(header)
    return None if parts is None else int(parts["t"])


class Secrets:
    """The secrets that are accepted: one, or two while senders change over. No sender knows them."""

    def __init__(self, secret: SecretStr, routes: SecretStr = _NONE) -> None:
        """Take what the environment holds; ConfigurationError for what is malformed, or too short to be a secret.

        Args:
            secret: what routes' secrets are derived from; two, separated by a comma, while senders change over.
            routes: secrets that senders brought along, as `KIND/INDEX=SECRET`, separated by commas. Those routes are
                opened by them alone.
        """
        self._secrets = [part.strip() for part in secret.get_secret_value().split(",") if part.strip()]
        if not self._secrets or min(map(len, self._secrets)) < SHORTEST:
            msg = (
                f"RELANCE_WEBHOOK_SECRET needs at least {SHORTEST} characters, each of two separated by a comma as well"
            )
            raise ConfigurationError(msg)
        self._brought: dict[str, list[str]] = {}
        for number, part in enumerate(filter(None, map(str.strip, routes.get_secret_value().split(","))), 1):
            route, _, brought = (each.strip() for each in part.partition("="))
            if not re.fullmatch(r"[^/=]+/[^/=]+", route) or len(brought) < SHORTEST:
                msg = (
                    f"RELANCE_WEBHOOK_ROUTES: entry {number} has to be KIND/INDEX=SECRET, {SHORTEST} characters or more"
                )
                raise ConfigurationError(msg)
            self._brought.setdefault(route, []).append(brought)

    def __repr__(self) -> str:
        return f"Secrets({len(self._secrets)})"

    def of(self, kind: str, index: str) -> RouteSecrets:
        """Derive the secrets of a route."""
        brought = self._brought.get(f"{kind}/{index}")
        return RouteSecrets(brought or [route_secret(secret, kind, index) for secret in self._secrets])


class RouteSecrets:
    """What opens one route. Senders that sign the body alone, as GitHub does, cannot be repeated at another route."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = secrets

    @property
    def newest(self) -> str:
        """The secret for senders that are set up now: the last of two."""
        return self._secrets[-1]

    def is_bearer(self, authorization: str) -> bool:
        """Check an `Authorization: Bearer …` header."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.is_token(token.strip())

    def is_token(self, token: str) -> bool:
        """Check a token as it is."""
        return self._any(token, lambda secret: secret)

    def is_github(self, header: str, body: bytes) -> bool:
        """Check an `X-Hub-Signature-256` header."""
        return self._any(header, lambda secret: "sha256=" + _mac(secret.encode(), body))

    def is_signed(self, header: str, target: str, body: bytes) -> bool:
        """Check an `X-Relance-Signature` header for what was posted to a path and query."""
        parts = _SIGNED.fullmatch(header)
        if parts is None:
            return False
        signed = _signed(parts["t"], target, body)
        valid = [self._any(each, lambda secret: "v1=" + _mac(secret.encode(), signed))
                 for each in parts[2].split(",")[1:]]  # fmt: skip
        return any(valid)

    def _any(self, given: str, expected: Callable[[str], str]) -> bool:
        data = given.encode("latin-1", "replace")  # as headers are; compare_digest takes no other letters in a str
        matches = [hmac.compare_digest(data, expected(secret).encode()) for secret in self._secrets]
        return any(matches)  # every secret was compared, whether one had matched already or not


def _signed(at: str, target: str, body: bytes) -> bytes:
    return f"{at}.POST.{target}.".encode("latin-1", "replace") + body


def _mac(secret: bytes, data: bytes) -> str:
    return hmac.new(secret, data, hashlib.sha256).hexdigest()
