"""What Microsoft lets a request through by: the secret of an app, the password of a person too, or a ready token."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from relance.errors import ConfigurationError
from relance.http.client import open_blocking
from relance.sources.connector.json_api import Token, checked_answer, transient
from relance.sources.connector.patience import patiently
from relance.sources.connector.problems import MalformedError

__all__ = ["microsoft_token"]

_TIMEOUT_S = 30.0
_HOUR = 3600.0


def microsoft_token(connection: Any, base_url: str) -> Token:
    """Get a token for Microsoft Graph: one form, for which MSAL would be 18 MB.

    Args:
        connection: connection config of unstructured-ingest.
        base_url: of Graph; those of national clouds have tokens of their own.

    Raises:
        ConfigurationError: the authority is no address.
        ApiError: Microsoft refuses it.
    """
    access = connection.access_config.get_secret_value()
    if access.oauth_token:
        return Token(access.oauth_token, _HOUR)
    authority = str(connection.authority_url or "").rstrip("/")
    if not authority.startswith(("https://", "http://")):
        raise ConfigurationError("connection.authority_url: expected an address that begins with https://")
    form = {
        "client_id": connection.client_id,
        "client_secret": access.client_cred,
        "scope": f"{base_url.rstrip('/')}/.default",
    }
    if access.password:
        form |= {"grant_type": "password", "username": connection.user_pname or "", "password": access.password}
    else:
        form |= {"grant_type": "client_credentials"}
    with open_blocking(authority, timeout_s=_TIMEOUT_S, headers={}) as client:
        path = f"/{quote(connection.tenant, safe='')}/oauth2/v2.0/token"
        answer = patiently(lambda: checked_answer(client.post(path, data=form)), transient)
    try:
        found = answer.json()
        return Token(str(found["access_token"]), float(found.get("expires_in") or _HOUR))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise MalformedError("an answer without a token") from None
