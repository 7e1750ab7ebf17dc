"""A service's no: read from whatever it answered with, and turned into the error that tells the caller what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from relance.errors import (
    AccountError,
    ConfigurationError,
    DeniedError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
    SuspectInputError,
    UnfetchedError,
)

if TYPE_CHECKING:
    from relance.http.client import Response

__all__ = ["KINDS", "Kind", "Refusal", "error_of", "kind_of", "read_refusal", "refusal"]

# What the caller does next: try again, do so later and less, do so and then blame the input, let the input go, change
# the settings, see to the bill, do that unless other inputs go through; `fetch`: send the file instead of its address.
Kind = Literal["retry", "rate", "suspect", "input", "fetch", "configuration", "account", "denied"]

# Short names by which services that answer with status 200 say what went wrong.
STATUS_OF = {"rate_limit": 429, "insufficient_quota": 429, "invalid_request": 400, "authentication": 401}


@dataclass(slots=True, frozen=True)
class Refusal:
    """A service's no.

    Attributes:
        status: HTTP status, or the one an error in a reply of status 200 stands for.
        message: the service's own words.
        codes: its short names for the error (`code` and `type`), as it spells them.
        retry_after_s: how long it asks to wait, if it does.
        request_id: its name for the request, which its support asks for.
    """

    status: int
    message: str
    codes: tuple[str, ...] = ()
    retry_after_s: float | None = None
    request_id: str = ""

    def has(self, part: str) -> bool:
        """Tell whether one of the codes contains some lower-case letters."""
        return any(part in code.lower() for code in self.codes)


def refusal(response: Response) -> Refusal | None:
    """Read a response's error, or None if it is none."""
    from pydantic_core import from_json

    ok = response.is_success
    # A long success is no error, and parsing it twice would double the cost of a reply.
    if ok and not any(word in response.content[:2000] for word in (b'"error"', b'"code"')):
        return None
    try:
        body = from_json(response.content)
    except ValueError:
        body = None
    if ok and not (isinstance(body, dict) and (body.get("error") or body.get("code")) and not body.get("data")):
        return None
    return read_refusal(response, body)


def read_refusal(response: Response, body: Any) -> Refusal:
    """Read the error of a response that is known to be one; `body` is its JSON, or None."""
    from relance.http.client import retry_after_s

    message, codes = _words(body)
    if not message:
        html = "html" in response.headers.get("content-type", "")
        message = "a web page instead of JSON" if html else response.text.strip() or response.reason_phrase
        message = " ".join(message.split())
    if response.is_redirect:
        message = f"a redirect to {response.headers.get('location', 'somewhere else')}"
    status = response.status_code if not response.is_success else _status_of(body, codes) or response.status_code
    named = body.get("request_id") if isinstance(body, dict) else None
    request_id = named or response.headers.get("x-request-id", "")
    return Refusal(status, message, codes, retry_after_s(response.headers), str(request_id))


def kind_of(no: Refusal) -> Kind:
    """Say what a refusal means by its status alone."""
    status = no.status
    if status in {401, 402}:
        return "account"
    if status == 403:
        return "denied"
    if status == 429 or (status >= 500 and no.retry_after_s is not None):  # a 503 may say when to come back
        return "rate"
    if status in {200, 408, 409, 424, 425} or status >= 500:
        return "retry"
    # Firewalls refuse texts with 405, 406 and others; where it is the request, every text is refused.
    return "configuration" if status < 400 or status in {404, 407} else "input"


def error_of(kind: Kind, text: str, no: Refusal) -> RelanceError:
    """Make the error of a kind."""
    if kind == "rate":
        return RateLimitedError(text, retry_after_s=no.retry_after_s)
    return KINDS[kind](text)


KINDS: dict[Kind, type[RelanceError]] = {
    "account": AccountError,
    "configuration": ConfigurationError,
    "denied": DeniedError,
    "fetch": UnfetchedError,
    "input": InputError,
    "rate": RateLimitedError,
    "retry": RetryableError,
    "suspect": SuspectInputError,
}


def _words(body: Any) -> tuple[str, tuple[str, ...]]:
    """Find message and codes; FastAPI, vLLM, TEI, Ollama and DashScope each put them elsewhere."""
    if not isinstance(body, dict):
        return "", ()
    error = body.get("error") or body
    if not isinstance(error, dict):
        message, codes = error, (body.get("error_type"),)
    else:
        message, codes = error.get("message") or error.get("detail") or "", (error.get("code"), error.get("type"))
    return str(message), tuple(str(code) for code in dict.fromkeys(codes) if code)


def _status_of(body: Any, codes: tuple[str, ...]) -> int:
    """Say which status an error that came with 200 stands for; 0 where it does not tell."""
    error = body.get("error") if isinstance(body, dict) else None
    for number in (error.get("code"), error.get("status")) if isinstance(error, dict) else ():
        if isinstance(number, int) and 400 <= number < 600:
            return number
    names = " ".join(codes).lower()
    return next((status for name, status in STATUS_OF.items() if name in names), 0)
