"""Where the Prefect server is, found without importing Prefect, which takes seconds."""

from __future__ import annotations

import urllib.request

from relance.errors import ConfigurationError
from relance.events.settings import read_server_settings

__all__ = ["LOCAL_API", "configured_api", "find_api", "is_healthy"]

LOCAL_API = "http://127.0.0.1:4200/api"


def find_api() -> str:
    """Return the address of the server's API: as configured, or of one on this machine.

    Raises ConfigurationError if none is configured and none listens where `relance up` puts it.
    """
    address = configured_api()
    if address:
        return address
    if is_healthy(LOCAL_API):
        return LOCAL_API
    msg = "no Prefect server is configured, and none listens on 127.0.0.1:4200"
    raise ConfigurationError(f"{msg}; start one with `relance up`, or set PREFECT_API_URL")


def configured_api() -> str:
    """Return PREFECT_API_URL from the environment, else from the active profile; empty where neither says."""
    try:
        return read_server_settings().api_url.rstrip("/")
    except ConfigurationError:
        return ""


def is_healthy(address: str, *, timeout_s: float = 2.0) -> bool:
    """Whether a Prefect server answers at this address."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=timeout_s) as reply:  # noqa: S310  # as configured
            return reply.status == 200 and reply.read(16).strip() == b"true"
    except (OSError, ValueError):
        return False
