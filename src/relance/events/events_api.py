"""Prefect's API, as far as change events need it. Importing Prefect would take five seconds."""

from __future__ import annotations

import base64
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit
from uuid import uuid4

from relance.errors import ConfigurationError, RateLimitedError, RetryableError
from relance.events.change import Change
from relance.events.settings import ServerSettings, read_server_settings

if TYPE_CHECKING:
    import httpx

__all__ = ["FLOW", "EventsApi"]

# The flow whose deployment, named after the index, handles the index's events.
FLOW = "ingest-on-change"
_REMEMBERED_S = 30.0


class EventsApi:
    """Sends change events to a Prefect server; usable from several threads, to be closed or used in `with`.

    Every call raises RetryableError where the server is away, overloaded or broken, ConfigurationError where the
    address or the credentials are wrong. `timeout_s` bounds each wait for the server, in seconds; `clock` gives the
    time in seconds.
    """

    def __init__(self, settings: ServerSettings | None = None, *, timeout_s: float = 5.0,
                 clock: Callable[[], float] = time.monotonic) -> None:  # fmt: skip
        """Prepare to call the server of the settings, or of the environment; nothing is sent yet."""
        import httpx

        # It logs a line per request, and sends headers that hold secrets at DEBUG.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        settings = settings or read_server_settings()
        self.address = _checked(settings.api_url)
        self._client = httpx.Client(
            base_url=settings.api_url.rstrip("/"),
            headers=_credentials(settings),
            timeout=timeout_s,
            verify=_trusted(settings.certificates),
        )
        self._clock = clock
        self._csrf_client = str(uuid4())
        self._deployed: dict[str, tuple[bool, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def emit(self, change: Change) -> None:
        """Hand the server an event; when this returns, the server has it."""
        own = self.is_deployed(change.index)
        event = change.as_event(own=own, id=uuid4(), occurred=datetime.now(UTC))
        self._ask("POST", "/events", json=[event])

    def is_deployed(self, index: str) -> bool:
        """Whether the index has an on-change deployment of its own; remembered for 30 seconds."""
        known, at = self._deployed.get(index, (False, float("-inf")))
        if self._clock() - at < _REMEMBERED_S:
            return known
        answer = self._ask("GET", f"/deployments/name/{FLOW}/{quote(index, safe='')}", missing=True)
        found = answer is not None
        if found and not (isinstance(answer, dict) and answer.get("id")):
            msg = f"{self.address} is not the API of a Prefect server; PREFECT_API_URL has to end with /api"
            raise ConfigurationError(msg)
        self._deployed[index] = found, self._clock()
        return found

    def health(self) -> bool:
        """Whether the server answers and is well; never raises for a server that is away."""
        try:
            return self._ask("GET", "/health") is True
        except RetryableError:
            return False

    def _ask(self, method: str, path: str, *, missing: bool = False, **options: Any) -> Any:
        """Make a request; returns what its JSON says, or None for what may be `missing`."""
        response = self._send(method, path, **options)
        if response.status_code == 403 and "CSRF token" in response.text:  # the server wants one, or another one
            self._renew_csrf_token()
            response = self._send(method, path, **options)
        if response.status_code == 404 and missing:
            return None
        if error := self._problem(response):
            raise error
        with contextlib.suppress(ValueError):
            return response.json() if response.content else None
        return ""  # a page, not the API

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        import httpx

        try:
            return self._client.request(method, path, **options)
        except httpx.TransportError as error:
            why = str(error) or type(error).__name__
            msg = f"the Prefect server at {self.address} does not answer ({why}); is it running?"
            raise RetryableError(msg) from None

    def _renew_csrf_token(self) -> None:
        answer = self._ask("GET", f"/csrf-token?client={self._csrf_client}")
        token = answer.get("token") if isinstance(answer, dict) else None
        if isinstance(token, str):
            self._client.headers.update({"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": self._csrf_client})

    def _problem(self, response: httpx.Response) -> ConfigurationError | RetryableError | None:
        status = response.status_code
        if status < 300:
            return None
        if status in {401, 403}:
            msg = f"the Prefect server at {self.address} refuses us ({status}): "
            return ConfigurationError(
                msg + "check PREFECT_API_AUTH_STRING (your own server) or PREFECT_API_KEY (Cloud)"
            )
        if status == 429:
            from relance.http.client import retry_after_s

            msg = f"the Prefect server at {self.address} asks for fewer requests"
            return RateLimitedError(msg, retry_after_s=retry_after_s(response.headers))
        if status == 408 or status >= 500:
            return RetryableError(f"the Prefect server at {self.address} is in trouble ({status}); try again later")
        if status == 422:
            return ConfigurationError(f"the Prefect server at {self.address} refuses the event: {response.text[:200]}")
        msg = f"{self.address} is not the API of a Prefect server ({status}); PREFECT_API_URL has to end with /api"
        return ConfigurationError(msg)


def _checked(url: str) -> str:
    """Return the address for messages, without what may be secret in it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "PREFECT_API_URL is no http address; expected one such as http://127.0.0.1:4200/api"
        raise ConfigurationError(msg)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")


def _credentials(settings: ServerSettings) -> dict[str, str]:
    if text := settings.auth_string.get_secret_value():
        return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}
    if key := settings.api_key.get_secret_value():
        return {"authorization": f"Bearer {key}"}
    return {}


def _trusted(certificates: str) -> Any:
    import ssl

    if not certificates:
        return True
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        msg = f"PREFECT_API_SSL_CERT_FILE: {certificates} cannot be read: {error.strerror or error}"
        raise ConfigurationError(msg) from None
