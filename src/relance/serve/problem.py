"""What is answered when something cannot be: a problem by RFC 9457, never a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from relance.errors import (
    AccountError,
    BudgetError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
    StoreError,
    whole_text,
)

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = [
    "BusyError",
    "ForbiddenError",
    "MissingError",
    "Problem",
    "TooLongError",
    "known",
    "problem",
    "problem_of",
]

log = logging.getLogger(__name__)

_TITLES = {
    400: "The request cannot be answered as it is", 401: "A token is needed", 403: "This token may not do that",
    404: "Not found", 405: "This address takes another method", 408: "The request came too slowly",
    409: "The index cannot do that as it is declared", 413: "The request is too large",
    415: "The body has to be JSON", 421: "This server answers to another name", 422: "A value is wrong",
    429: "Too many requests", 500: "An error in relance", 502: "A service behind this one refused",
    503: "Not now", 504: "The answer took too long",
}  # fmt: skip
_OURS_FAILED = "the store cannot be read now; the log of the server says why"


class WrongValue(BaseModel):
    """A value of a request that is wrong."""

    field: str = Field(description="Where it is, such as `k`.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(default="about:blank", description="Always about:blank: the status says what it is.")
    title: str = Field(description="The kind of problem, the same for a status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong here, and what to do.")
    errors: list[WrongValue] = Field(default=[], description="The wrong values, with status 422.")


class MissingError(InputError):
    """There is no such index or document, or not for this caller, which is the same."""


class ForbiddenError(InputError):
    """The caller may not do that."""


class BusyError(RetryableError):
    """Too many requests wait already."""


class TooLongError(RetryableError):
    """The answer was given up."""


def problem(status: int, detail: str, *, errors: Sequence[Mapping[str, str]] = (),
            headers: Mapping[str, str] | None = None) -> Response:  # fmt: skip
    """Make the answer."""
    from starlette.responses import Response

    body: dict[str, Any] = {"type": "about:blank", "title": _TITLES.get(status, "The request failed"), "status": status,
                            "detail": detail} | ({"errors": list(errors)} if errors else {})  # fmt: skip
    sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(sent, status, dict(headers or {}), media_type="application/problem+json")


def status_of(error: RelanceError) -> int:
    """Say which status an error has."""
    from relance.search.similar import NoSuchDocumentError

    kinds: list[tuple[type[RelanceError] | tuple[type[RelanceError], ...], int]] = [
        ((MissingError, NoSuchDocumentError), 404), (ForbiddenError, 403), (TooLongError, 504), (InputError, 400),
        (ConfigurationError, 409), (AccountError, 502), (BudgetError, 409), (RelanceError, 503),
    ]  # fmt: skip
    return next(status for kind, status in kinds if isinstance(error, kind))


def problem_of(error: Exception) -> Response:
    """Answer with what relance says of an error; what strangers need not know of the store goes to the log."""
    error = known(error)
    status = status_of(error)
    if isinstance(error, StoreError):
        log.error("%s", error)
        return problem(status, _OURS_FAILED, headers={"retry-after": "5"})
    headers = {}
    if isinstance(error, RetryableError) and status == 503:
        wait = error.retry_after_s if isinstance(error, RateLimitedError) else None
        headers = {"retry-after": str(max(1, round(wait or 1)))}
    return problem(status, whole_text(error), headers=headers)


def known(error: Exception) -> RelanceError:
    """Take an error for one of relance's; raises what is none of them and nothing that a store does."""
    if isinstance(error, RelanceError):
        return error
    from relance.store.faults import is_of_lance, store_error

    if isinstance(error, OSError) or is_of_lance(error):
        return store_error(error, "reading a table")
    raise error
