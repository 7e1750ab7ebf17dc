"""Why a request was not answered: one sentence, and the error that tells the caller what to do."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx

from relance.errors import ConfigurationError, RelanceError, RetryableError, UnreachableError
from relance.http.proxies import proxy_for

__all__ = ["unanswered"]

_ADVICE = "Check that the address is right, and that the service runs and is reached from this machine."


def unanswered(error: httpx.HTTPError, name: str, url: str, *, timeout_s: float,
               clean: Callable[[str], str] = str) -> RelanceError:  # fmt: skip
    """Turn what httpx raised for a request into ours.

    Args:
        error: as raised.
        name: of the service, for the message.
        url: that was called; not shown.
        timeout_s: how long it was waited for, in seconds.
        clean: takes what is secret out of words of others.
    """
    found: RelanceError | None = _tls(error, name)
    if found is not None:
        return found
    proxy = proxy_for(url)
    by = f" through {proxy}" if proxy else ""
    why = clean(str(error)).rstrip(".")
    match error:
        case httpx.ProxyError() if why.startswith("407"):
            found = ConfigurationError(f"Cannot reach {name}: {proxy} wants another user or password.")
        case httpx.ProxyError():
            found = UnreachableError(f"Cannot reach {name}{by}: {why or 'it refuses'}.")
        case httpx.ConnectTimeout():
            found = UnreachableError(
                f"Cannot reach {name}{by}: no connection within {min(10.0, timeout_s):g} s. {_ADVICE}"
            )
        case httpx.TimeoutException():
            found = RetryableError(f"{name} did not answer{by} within {timeout_s:g} s.")
        case httpx.ConnectError():
            found = UnreachableError(f"Cannot reach {name}{by}: {why or 'connection failed'}. {_ADVICE}")
        case _:
            found = RetryableError(f"The connection to {name}{by} broke: {why or type(error).__name__}.")
    return found


def _tls(error: BaseException, name: str) -> ConfigurationError | None:
    """Say what is wrong with a certificate or with TLS; waiting does not cure that."""
    cause = _ssl_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        hint = ""
        if "self" in cause.verify_message or "issuer" in cause.verify_message:
            hint = " If it is one of your own, name the file of its authority: SSL_CERT_FILE=/path/to/ca.pem"
        return ConfigurationError(f"{name} is not trusted: {cause.verify_message.rstrip('.')}.{hint}")
    if isinstance(cause, ssl.SSLError) and cause.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return ConfigurationError(f"{name} does not speak TLS; should the address begin with http:// ?")
    return None


def _ssl_error(error: BaseException | None) -> ssl.SSLError | None:
    """Find the error of TLS behind one of httpx, which keeps it as a cause, context or argument."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, ssl.SSLError):
            return each
        waiting += [each.__cause__, each.__context__, *(part for part in each.args if isinstance(part, BaseException))]
    return None
