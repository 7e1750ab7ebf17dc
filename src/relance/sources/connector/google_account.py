"""What Google lets a request through by: the key of a service account, or a token of a person."""

from __future__ import annotations

from typing import Any, NamedTuple

from relance.errors import ConfigurationError, MissingExtraError
from relance.http.client import open_blocking
from relance.sources.connector.json_api import Token, checked_answer, transient
from relance.sources.connector.patience import patiently

__all__ = ["google_token"]

_SCOPE = "https://www.googleapis.com/auth/drive.readonly"
_TIMEOUT_S = 30.0
_HOUR = 3600.0


def google_token(access: Any) -> Token:
    """Get a token that may read Drive.

    Args:
        access: access config of unstructured-ingest.

    Raises:
        ConfigurationError: the key cannot be read or is none.
        ApiError: Google refuses it.
    """
    if access.oauth_token:
        return Token(access.oauth_token, _HOUR)
    try:
        from google.oauth2.service_account import Credentials
    except ImportError:
        raise MissingExtraError("the service google-drive", "google-drive") from None
    try:
        credentials = Credentials.from_service_account_info(access.get_service_account_key(), scopes=[_SCOPE])
    except OSError as error:
        raise ConfigurationError(f"secrets.service_account_key_path: {error.strerror or 'cannot be read'}") from None
    except Exception:  # its parts are in the messages of libraries
        msg = "secrets.service_account_key: is not the JSON file that Google Cloud gives for a service account"
        raise ConfigurationError(msg) from None
    credentials.refresh(_ask)
    return Token(str(credentials.token), _HOUR)


class _Answer(NamedTuple):
    """What google-auth wants of an answer."""

    status: int
    headers: Any
    data: bytes


def _ask(url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> _Answer:
    """Send what google-auth wants to send, with our proxies, certificates and patience."""
    with open_blocking(url, timeout_s=_TIMEOUT_S, headers=headers or {}) as client:
        answer = patiently(lambda: checked_answer(client.request(method, url, content=body)), transient)
    return _Answer(answer.status_code, answer.headers, answer.content)
