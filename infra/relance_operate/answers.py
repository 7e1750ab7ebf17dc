"""What a Prefect server that is away, or lets nobody in, means for who works with it: one sentence, no traceback."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from relance.errors import ConfigurationError, RetryableError, UnreachableError
from relance.safe_text import redact

__all__ = ["answered"]

P = ParamSpec("P")
T = TypeVar("T")
_SHUT = {401, 403}


def answered(work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Raise UnreachableError, ConfigurationError or RetryableError where Prefect's client raises one of its own."""

    @functools.wraps(work)
    async def run(*args: P.args, **options: P.kwargs) -> T:
        try:
            return await work(*args, **options)
        except httpx.TransportError as error:
            server, why = _server(), str(error) or "no answer in time"
            msg = f"{server} does not answer ({why}); is it running? (`relance up` starts one)"
            raise UnreachableError(msg) from error
        except PrefectHTTPStatusError as error:
            status = error.response.status_code
            if status in _SHUT:
                keys = "PREFECT_API_AUTH_STRING (your own server) or PREFECT_API_KEY (Cloud)"
                msg = f"{_server()} refuses these credentials ({status}); check {keys}"
                raise ConfigurationError(msg) from error
            if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                msg = f"{_server()} has a fault ({status}); see its log, then try again"
                raise RetryableError(msg) from error
            raise

    return run


def _server() -> str:
    return f"the Prefect server at {redact(str(PREFECT_API_URL.value() or 'no address'))}"
