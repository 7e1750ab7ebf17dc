"""What came of the addresses of a thing, and what is remembered of that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relance.errors import DocumentError, GoneDocumentError, GoneError, InputError, MissingExtraError, RelanceError
from relance.fetch import RefusedBodyError
from relance.media.request import MediaRequest, Validators, is_address

if TYPE_CHECKING:
    from relance.fetch import Fetched

__all__ = ["Outcomes", "all_there", "is_same", "refusal", "renewed", "validators"]

# What came of each address that was asked: what it gave, or why that is nothing.
Outcomes = dict[str, "Fetched | RelanceError"]
# Seconds: a promise that is longer by less is not worth a commit.
_WORTH_WRITING_S = 3600


def validators(outcome: Fetched | RelanceError | None) -> Validators:
    """Return what to ask an address by the next time; empty where it gave nothing."""
    if isinstance(outcome, RefusedBodyError):
        outcome = outcome.found
    if outcome is None or isinstance(outcome, RelanceError):
        return Validators()
    return Validators(
        outcome.etag, outcome.last_modified, outcome.size, outcome.content_hash, fresh_until=outcome.fresh_until
    )


def all_there(outcomes: Outcomes) -> bool:
    """Whether there was something at all addresses, be it of no use."""
    there = [isinstance(each, RefusedBodyError) or not isinstance(each, RelanceError) for each in outcomes.values()]
    return bool(there) and all(there)


def renewed(request: MediaRequest, outcomes: Outcomes) -> MediaRequest:
    """Note until when addresses that have not changed need not be asked, where that is worth writing down."""
    known = dict(request.known)
    gained = 0
    for place, outcome in outcomes.items():
        was = known[request.identity(place)]
        if not isinstance(outcome, RelanceError) and outcome.fresh_until:
            gained = max(gained, outcome.fresh_until - was.fresh_until)
            known[request.identity(place)] = replace(was, fresh_until=outcome.fresh_until)
    return replace(request, known=known) if gained >= _WORTH_WRITING_S else request


def is_same(outcome: Fetched | RelanceError, was: Validators) -> bool:
    """Whether an address still has what it had, be it nothing that is of use."""
    if isinstance(outcome, RelanceError):
        return bool(was.left_out) and not was.content_hash
    return outcome.unchanged or validators(outcome) == replace(was, left_out="")


def refusal(request: MediaRequest, place: str, error: InputError | MissingExtraError) -> DocumentError:
    """Say which file is at fault where that is not the thing itself."""
    from relance.fetch.urls import shown

    reason = error.reason if isinstance(error, DocumentError) else str(error)
    itself = place == request.uri or place.startswith("data:")
    where = shown(place) if is_address(place) and not itself else place
    for named in (shown(request.uri), where):  # none of them need be named twice
        reason = reason.removeprefix(f"{named}: ")
    kind = GoneDocumentError if isinstance(error, GoneError) else DocumentError
    return kind(request.uri, reason if itself else f"{where}: {reason}")
