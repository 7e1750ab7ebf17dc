"""Where the Prefect server is, found without importing Prefect, which takes seconds."""

from __future__ import annotations

import re
import ssl
import time
import urllib.error
import urllib.request

from relance.errors import ConfigurationError, UnreachableError
from relance.events.settings import read_server_settings

__all__ = ["LOCAL_API", "configured_api", "find_api", "is_healthy", "reach"]

_WAITS_S = (1.0, 3.0)
_ANSWER_S = 10.0  # a server on SQLite may be busy with a burst
_PLACE = re.compile(r"/api(/accounts/.*)?$")  # of a server, and of Prefect Cloud
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


def reach() -> None:
    """Raise UnreachableError where a server is configured and does not answer: Prefect would try for minutes.

    ConfigurationError for an address that lacks the path of the API.
    """
    address = configured_api()
    if not address:
        return
    for wait_s in (*_WAITS_S, None):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=_ANSWER_S):  # noqa: S310  # as configured
                return
        except urllib.error.HTTPError as error:
            if error.code == 404 and not _PLACE.search(address):
                raise ConfigurationError(f"PREFECT_API_URL is {address}, where no API is; it ends with /api") from None
            return  # it is there; what it refuses is Prefect's to say
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLError):
                return  # it is there; which certificates are trusted is a setting of Prefect's
            if wait_s is None:
                msg = (
                    f"the Prefect server at {address} does not answer ({reason}); start it, or set PREFECT_API_URL to "
                    "the one that runs (`relance ingest --direct` runs without a server)"
                )
                raise UnreachableError(msg) from None
            time.sleep(wait_s)  # it may be starting again


def is_healthy(address: str, *, timeout_s: float = 2.0) -> bool:
    """Whether a Prefect server answers at this address."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=timeout_s) as reply:  # noqa: S310  # as configured
            return reply.status == 200 and reply.read(16).strip() == b"true"
    except (OSError, ValueError):
        return False
