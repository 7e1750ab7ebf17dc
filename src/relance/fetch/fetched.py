"""What a fetch gives, and how it can fail beside the errors everybody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relance.errors import InputError, RateLimitedError, RelanceError, RetryableError

__all__ = ["BusyError", "Fetched", "NoAnswerError", "RefusedBodyError", "copied"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL gave.

    Attributes:
        url: where it was found in the end, after redirects.
        data: the body, unpacked; empty if unchanged.
        size: bytes of `data`.
        content_hash: as the `files` source makes it; empty if unchanged.
        media_type: as declared, lower case without parameters, e.g. `image/png`; it may be a lie.
        etag: validator for the next fetch, or empty.
        last_modified: the same, an HTTP date as sent.
        unchanged: whether the server still has what the given validators stand for.
        fresh_until: seconds since 1970 until which nobody need ask again; 0 if nothing was promised.
        headers: what else the server said of it, names lower case; of all headers those that say what a page is.
    """

    url: str
    data: bytes
    size: int
    content_hash: str
    media_type: str
    etag: str
    last_modified: str
    unchanged: bool = False
    fresh_until: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


class RefusedBodyError(InputError):
    """What is there is no use to us, and was not read to its end; `found` says what to ask by the next time."""

    def __init__(self, message: str, found: Fetched) -> None:
        super().__init__(message)
        self.found = found


class NoAnswerError(RetryableError):
    """The host gave no answer, or one of a server in trouble; `silent` where that took a whole timeout."""

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


class BusyError(RetryableError):
    """The host asks for fewer requests; `pause_s` as it said, None where it did not."""

    def __init__(self, message: str, *, status: int, pause_s: float | None) -> None:
        super().__init__(message)
        self.status = status
        self.pause_s = pause_s


def copied(error: RelanceError, message: str = "") -> RelanceError:
    """Copy an error, with another message if one is given: one that many raise would collect all their tracebacks."""
    message = message or str(error)
    if isinstance(error, RateLimitedError):
        return RateLimitedError(message, retry_after_s=error.retry_after_s)
    if isinstance(error, RefusedBodyError):
        return RefusedBodyError(message, error.found)
    if isinstance(error, BusyError):
        return RetryableError(message)
    return type(error)(message)
