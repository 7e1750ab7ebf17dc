"""Prefect's API, as far as change events need it. Importing Prefect would take five seconds."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit
from uuid import uuid4

from relance.errors import ConfigurationError, RateLimitedError, RetryableError
from relance.events.change import Change
from relance.events.registered import PREFIX, index_of, variable_of
from relance.events.settings import ServerSettings, read_server_settings

if TYPE_CHECKING:
    import ssl

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
        from relance.http.client import open_blocking

        settings = settings or read_server_settings()
        self.address = _checked(settings.api_url)
        self._client = open_blocking(
            settings.api_url.rstrip("/"),
            timeout_s=timeout_s,
            headers=_credentials(settings),
            verify=_certificates(settings.certificates),
        )
        self._timeout_s = timeout_s
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

    def spec_of(self, index: str) -> str | None:
        """Return where the spec of a deployed index is, on the machine it was deployed from; None if none is."""
        answer = self._ask("GET", f"/variables/name/{quote(variable_of(index), safe='')}", missing=True)
        value = answer.get("value") if isinstance(answer, dict) else None
        return value["spec"] if isinstance(value, dict) and isinstance(value.get("spec"), str) else None

    def indexes(self) -> list[str]:
        """List the names of the deployed indexes, 200 at most."""
        query = {"variables": {"name": {"like_": PREFIX}}, "limit": 200}
        answer = self._ask("POST", "/variables/filter", json=query)
        names = [each.get("name", "") for each in answer or () if isinstance(each, dict)]
        return sorted(filter(None, map(index_of, names)))

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
            from relance.http.unanswered import unanswered

            found = unanswered(error, "it", self.address, timeout_s=self._timeout_s)
            if isinstance(found, ConfigurationError):
                raise ConfigurationError(f"the Prefect server at {self.address}: {found}") from None
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


def _certificates(certificates: str) -> ssl.SSLContext | None:
    import ssl

    if not certificates:
        return None
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        msg = f"PREFECT_API_SSL_CERT_FILE: {certificates} cannot be read: {error.strerror or error}"
        raise ConfigurationError(msg) from None
