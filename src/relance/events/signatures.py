"""Who may send notifications: tokens and signatures, compared in a time that says nothing about them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from pydantic import SecretStr

from relance.errors import ConfigurationError

__all__ = ["SHORTEST", "Secrets", "sign"]

# Characters; `secrets.token_hex(32)` has 64.
SHORTEST = 16
_SIGNED = re.compile(r"t=(?P<t>[0-9]{1,12})((?:,v1=[0-9a-f]{64}){1,4})")


def sign(secret: str, body: bytes, at: int) -> str:
    """Make the value of `X-Relance-Signature` for a body sent at a moment (seconds since 1970)."""
    return f"t={at},v1={_mac(secret.encode(), str(at).encode() + b'.' + body)}"


class Secrets:
    """The secrets that are accepted: one, or two while senders change over."""

    def __init__(self, secret: SecretStr) -> None:
        """Take secrets separated by commas; ConfigurationError for one that is too short to be one."""
        self._secrets = [part.strip().encode() for part in secret.get_secret_value().split(",") if part.strip()]
        if not self._secrets or min(map(len, self._secrets)) < SHORTEST:
            msg = (
                f"RELANCE_WEBHOOK_SECRET needs at least {SHORTEST} characters, each of two separated by a comma as well"
            )
            raise ConfigurationError(msg)

    def __repr__(self) -> str:
        return f"Secrets({len(self._secrets)})"

    def is_bearer(self, authorization: str) -> bool:
        """Check an `Authorization: Bearer …` header."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.is_token(token.strip())

    def is_token(self, token: str) -> bool:
        """Check a token as it is."""
        return self._any(token, lambda secret: secret.decode("latin-1"))

    def is_github(self, header: str, body: bytes) -> bool:
        """Check an `X-Hub-Signature-256` header."""
        return self._any(header, lambda secret: "sha256=" + _mac(secret, body))

    def signed_at(self, header: str, body: bytes) -> int | None:
        """Check an `X-Relance-Signature` header; returns when it was made (seconds since 1970), None if it is wrong."""
        parts = _SIGNED.fullmatch(header)
        if parts is None:
            return None
        signed = parts["t"].encode() + b"." + body
        valid = [self._any(each, lambda secret: "v1=" + _mac(secret, signed)) for each in parts[2].split(",")[1:]]
        return int(parts["t"]) if any(valid) else None

    def _any(self, given: str, expected: Callable[[bytes], str]) -> bool:
        data = given.encode("latin-1", "replace")  # as headers are; compare_digest takes no other letters in a str
        matches = [hmac.compare_digest(data, expected(secret).encode("latin-1")) for secret in self._secrets]
        return any(matches)  # every secret was compared, whether one had matched already or not


def _mac(secret: bytes, data: bytes) -> str:
    return hmac.new(secret, data, hashlib.sha256).hexdigest()
