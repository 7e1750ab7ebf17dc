"""What went wrong at a service, as one sentence of ours: errors of five libraries, without their secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from relance.errors import ConfigurationError, DocumentError, RelanceError, SourceError
from relance.safe_text import redact, visible

__all__ = ["CREDENTIALS", "SLOWER", "MalformedError", "Problems", "status_of"]

# What Slack answers with HTTP 200, and what token endpoints answer with 400.
CREDENTIALS = frozenset({
    *("invalid_auth", "not_authed", "account_inactive", "token_expired", "token_revoked", "missing_scope"),
    *("no_permission", "org_login_required", "ekm_access_denied"),
    *("invalid_grant", "invalid_client", "unauthorized_client"),
})  # fmt: skip
# What Google answers with 403 where others answer 429.
SLOWER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded", "dailyLimitExceeded"})
_GONE = frozenset({404, 410})
_AWAY = ("Connection", "Connect", "Timeout", "URLError", "RetryError", "ReadError", "RemoteProtocol", "NetworkError")


class MalformedError(Exception):
    """An answer without what the service documents: it is never taken for an empty one."""


class Problems:
    """Says what an error of a service means; never with one of the secrets."""

    def __init__(self, account: str, secrets: Iterable[str]) -> None:
        """Remember what to hide.

        Args:
            account: what the service is called in messages.
            secrets: texts that are never shown.
        """
        self._account = account
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)

    def of_listing(self, error: Exception) -> RelanceError:
        """Make the error of a listing: what is indexed stays."""
        if isinstance(error, RelanceError):
            return error
        return SourceError(self._sentence(error))

    def of_document(self, uri: str, error: Exception) -> RelanceError:
        """Make the failure of one document."""
        if isinstance(error, DocumentError):
            return DocumentError(uri, error.reason)  # a service knows names, not uris
        if isinstance(error, ConfigurationError):
            return error
        if status_of(error) in _GONE:
            return DocumentError(uri, "it vanished while being read")
        return DocumentError(uri, self._sentence(error))

    def hide(self, text: str) -> str:
        """Take the secrets out of a text, and what does not fit on a line."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact(visible(" ".join(text.split()), line=True))[:300]

    def _sentence(self, error: Exception) -> str:
        status, code = status_of(error), _code_of(error)
        answer = ", ".join(each for each in (f"HTTP {status}" if status else "", self.hide(code)) if each)
        if status == 429 or code in SLOWER:
            return f"{self._account} asks for fewer requests, also after waiting ({answer})"
        if status in {401, 403} or code in CREDENTIALS:
            return f"{self._account} refuses these credentials ({answer}); check `secrets`, and what they may read"
        if status >= 400 or code:
            said = self.hide(str(_root(error)))
            return f"{self._account} refused a request ({answer})" + (f": {said}" if said else "")
        for each in _chain(error):
            name = type(each).__name__
            if name.startswith(_AWAY) or name.endswith(("Timeout", "ConnectionError")):
                return f"{self._account} cannot be reached ({name}); is the address right, is it up?"
        return f"{self._account} gave an answer that cannot be used: {self.hide(str(error)) or type(error).__name__}"


def status_of(error: BaseException) -> int:
    """Find the HTTP status of an error in what caused it; 0 where there was none."""
    for each in _chain(error):
        response = getattr(each, "response", None)
        for holder, name in ((response, "status_code"), (each, "status")):
            status = getattr(holder, name, None)
            if isinstance(status, int) and not isinstance(status, bool) and status >= 400:
                return int(status)
    return 0


def _code_of(error: BaseException) -> str:
    """Find the error code that Slack and Notion give beside the status."""
    for each in _chain(error):
        data = getattr(getattr(each, "response", None), "data", None)
        if isinstance(data, dict) and isinstance(data.get("error"), str):
            return data["error"]
        code: Any = getattr(each, "code", None)
        if isinstance(code, str):
            return str(getattr(code, "value", code))
    return ""


def _root(error: BaseException) -> BaseException:
    return next((each for each in _chain(error) if getattr(each, "response", None) is not None), error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__
