"""Where the Prefect server is and what opens it, and the secret of webhooks: from the environment, without Prefect."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from relance.errors import ConfigurationError
from relance.events.signatures import Secrets

__all__ = ["ServerSettings", "read_server_settings", "read_webhook_secrets"]


class ServerSettings(BaseSettings):
    """How to reach a Prefect server, by the names Prefect has for it.

    Attributes:
        api_url: PREFECT_API_URL; ends with `/api`, or with the workspace on Prefect Cloud.
        auth_string: PREFECT_API_AUTH_STRING, `user:password` of a server of one's own.
        api_key: PREFECT_API_KEY of Prefect Cloud; not sent where there is an auth string.
        certificates: PREFECT_API_SSL_CERT_FILE, authorities to trust besides the usual ones' place.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True,
        populate_by_name=True,
    )  # fmt: skip

    api_url: str = Field(default="", validation_alias="prefect_api_url")
    auth_string: SecretStr = Field(default=SecretStr(""), validation_alias="prefect_api_auth_string")
    api_key: SecretStr = Field(default=SecretStr(""), validation_alias="prefect_api_key")
    certificates: str = Field(default="", validation_alias="prefect_api_ssl_cert_file")


class _WebhookSettings(BaseSettings):
    """What `relance webhook` knows its senders by.

    Attributes:
        secret: RELANCE_WEBHOOK_SECRET, what the secrets of all routes are derived from; 16 characters or more.
        routes: RELANCE_WEBHOOK_ROUTES, secrets that senders bring along: `s3/handbook=SECRET`, separated by commas.
    """

    model_config = ServerSettings.model_config

    secret: SecretStr = Field(default=SecretStr(""), validation_alias="relance_webhook_secret")
    routes: SecretStr = Field(default=SecretStr(""), validation_alias="relance_webhook_routes")


def read_server_settings() -> ServerSettings:
    """Read the environment, then what it leaves open from Prefect's active profile.

    Raises ConfigurationError where neither names a server.
    """
    settings = ServerSettings()
    if not settings.api_url:
        profile = {name.lower(): value for name, value in _profile().items() if isinstance(value, str)}
        settings = ServerSettings.model_validate(profile | {f"prefect_api_{name}": value for name, value in {
            "auth_string": settings.auth_string.get_secret_value(), "key": settings.api_key.get_secret_value(),
            "ssl_cert_file": settings.certificates}.items() if value})  # fmt: skip
    if not settings.api_url:
        msg = (
            "no Prefect server is named: set PREFECT_API_URL, e.g. to http://127.0.0.1:4200/api (relance up says which)"
        )
        raise ConfigurationError(msg)
    return settings


def read_webhook_secrets() -> Secrets:
    """Read RELANCE_WEBHOOK_SECRET and RELANCE_WEBHOOK_ROUTES; ConfigurationError where they are missing or wrong."""
    settings = _WebhookSettings()
    secret = settings.secret
    if not secret.get_secret_value().strip():
        msg = (
            "RELANCE_WEBHOOK_SECRET is not set; make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
        raise ConfigurationError(msg)
    return Secrets(secret, settings.routes)


def _profile() -> dict[str, Any]:
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    name = os.environ.get("PREFECT_PROFILE") or data.get("active")
    profiles = data.get("profiles")
    profile = profiles.get(name) if isinstance(profiles, dict) else None
    return profile if isinstance(profile, dict) else {}
