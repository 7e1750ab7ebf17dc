"""How long a service is waited for: what is transient is asked again, as slowly as the service says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import requests

__all__ = ["AGAIN", "LONGEST_RETRY_AFTER_S", "be_patient", "patiently"]

ATTEMPTS = 5
FIRST_S = 0.5
LONGEST_S = 60.0
LONGEST_RETRY_AFTER_S = 600
AGAIN = frozenset({429, 500, 502, 503, 504})

T = TypeVar("T")


def be_patient(session: requests.Session) -> None:
    """Let a session of requests ask again after 429, 5xx and broken connections, honouring Retry-After.

    The client of Atlassian asks once more after a 429 that says when, and never after anything else.
    """
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    retry = Retry(
        total=ATTEMPTS,
        connect=2,
        status_forcelist=AGAIN,
        allowed_methods=None,
        backoff_factor=FIRST_S,
        backoff_max=LONGEST_S,
        retry_after_max=LONGEST_RETRY_AFTER_S,
        raise_on_status=False,  # the last answer says more than urllib3 does
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))


def patiently(call: Callable[[], T], transient: Callable[[Exception], bool | float]) -> T:
    """Call until it succeeds, for clients that do not ask again themselves; `transient` may say how long to wait."""
    import stamina

    attempts: Any = stamina.retry_context(
        on=transient, attempts=ATTEMPTS, timeout=None, wait_initial=FIRST_S, wait_jitter=FIRST_S, wait_max=LONGEST_S
    )
    for attempt in attempts:
        with attempt:
            return call()
    raise AssertionError("unreachable")  # pragma: no cover  # the last attempt raises
