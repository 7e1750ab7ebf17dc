"""What a refusal by an OpenAI-compatible service means for the caller; services differ, so this is by experience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relance.errors import (
    AccountError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
)

if TYPE_CHECKING:
    from relance.http import Response

__all__ = ["Refusal", "error_for", "refusal"]


@dataclass(slots=True, frozen=True)
class Refusal:
    """A service's no.

    Attributes:
        status: HTTP status, or the one an error in a reply of status 200 stands for.
        message: the service's own words.
        code: its short names for the error (`code` and `type`), lower case.
        retry_after_s: how long it asks to wait, if it does.
    """

    status: int
    message: str
    code: str = ""
    retry_after_s: float | None = None


def refusal(response: Response) -> Refusal | None:
    """Read a response's error, or None if it is none."""
    from pydantic_core import from_json

    from relance.http import retry_after_s

    ok = response.is_success
    # A long success is no error, and parsing it twice would double the cost of a reply.
    if ok and b'"error"' not in response.content[:2000]:
        return None
    try:
        body = from_json(response.content)
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) and not body.get("data") else None
    if ok and not error:
        return None
    message, code = _words(body)
    status = _status_of(error, code) if ok else response.status_code
    if not message:
        html = "html" in response.headers.get("content-type", "")
        message = "a web page instead of JSON" if html else response.text.strip() or response.reason_phrase
        message = " ".join(message.split())
    if response.is_redirect:
        message = f"a redirect to {response.headers.get('location', 'somewhere else')}"
    return Refusal(status, message, code, retry_after_s(response.headers))


def error_for(no: Refusal, name: str, *, openai: bool) -> RelanceError:
    """Turn a refusal into the error that tells the caller what to do.

    Args:
        no: the refusal, its message fit to be shown.
        name: model and address.
        openai: whether it is OpenAI's own service, where `insufficient_quota` means an empty account; others use
            the word for rates.
    """
    said = f"{name} said ({no.status}): {no.message}"
    empty = "arrearage" in no.code or (openai and "insufficient_quota" in no.code)
    key = no.status in {401, 402, 403} or "invalid_api_key" in no.code or "api key not valid" in no.message.lower()
    error: RelanceError
    if empty or key:
        error = AccountError(f"{said} Check the key (OPENAI_API_KEY or embedding.api_key) and the account.")
    elif no.status == 404 or "model_not_found" in no.code:
        error = ConfigurationError(f"{said} Check embedding.model and embedding.base_url (it usually ends in /v1).")
    elif no.status in {400, 413, 422}:
        error = InputError(said)
    elif no.status == 429 or (no.status >= 500 and no.retry_after_s is not None):  # a 503 may say when to come back
        error = RateLimitedError(said, retry_after_s=no.retry_after_s)
    elif no.status in {408, 409, 425} or no.status >= 500:
        error = RetryableError(said)
    else:
        error = ConfigurationError(f"{said} Check embedding.base_url.")
    return error


def _words(body: Any) -> tuple[str, str]:
    """Find message and codes; FastAPI, vLLM, TEI and Ollama each put them elsewhere."""
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error") or body
    if not isinstance(error, dict):
        return str(error), str(body.get("error_type", "")).lower()
    message = error.get("message") or error.get("detail") or ""
    return str(message), f"{error.get('code') or ''} {error.get('type') or ''}".lower()


def _status_of(error: Any, code: str) -> int:
    """Say which status an error that came with 200 stands for."""
    for number in (error.get("code"), error.get("status")) if isinstance(error, dict) else ():
        if isinstance(number, int) and 400 <= number < 600:
            return number
    names = {"rate_limit": 429, "insufficient_quota": 429, "invalid_request": 400, "authentication": 401}
    return next((status for name, status in names.items() if name in code), 500)
