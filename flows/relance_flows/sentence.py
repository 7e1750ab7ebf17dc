"""Why a run failed, as a sentence with what to do: the message of its state, in the UI and in notifications.

Prefect itself would say `Flow run encountered an exception: AccountError: …`, with a traceback in the log.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import FlowPauseTimeout, ObjectNotFound
from prefect.states import Failed

from relance.errors import (
    AccountError,
    ApprovalNeededError,
    BudgetError,
    IndexBusyError,
    MissingKeyError,
    RelanceError,
    RetryableError,
    SourceError,
    StoppedError,
    UnreachableError,
)
from relance.safe_text import redact, visible

__all__ = ["readable", "sentence"]

# The first that fits; errors that are not here say themselves what to do.
_ADVICE: dict[type[Exception], str] = {
    MissingKeyError: (
        "A run has the environment of its worker: set the variable there, or make a credentials block in the Prefect "
        "UI under Blocks and name it in the spec (`embedding.credentials`). Then run it again."
    ),
    AccountError: (
        "Put a valid key into the credentials block of the index (`embedding.credentials`) or into the environment of "
        "the worker, then run it again; what was committed stays."
    ),
    BudgetError: (
        "Raise the budget in the form of the run or `limits.max_cost_usd` in the spec, then run it again; what was "
        "committed stays."
    ),
    ApprovalNeededError: (
        "Look at it with Mode: plan only, then run it again: Approval: ask pauses for your answer, given approves it. "
        "`limits` in the spec say what needs approval."
    ),
    IndexBusyError: "Run it again when that run has ended, or fill in Wait (seconds) in the form of the run.",
    UnreachableError: (
        "Check that the service runs and that the worker reaches it, then run it again: it goes on from here."
    ),
    SourceError: "What is indexed of it stays; when the source answers again, run it again.",
    StoppedError: "Run it again: it goes on from here.",
    RetryableError: "It may pass by itself: run it again, and it goes on from here.",
}
_UNANSWERED = (
    "Nobody answered the question whether this run may go on, so it ended and changed nothing. Run it again to answer "
    "it; the variable relance_approval_days says for how many days a question waits."
)
_GONE = "Something that this run needs is no longer on the Prefect server: {}. Was it deleted meanwhile?"
_UNFORESEEN = (
    "This run met an error that relance does not know: {}. The log has the details; run it again, and if it fails "
    "again, report it with the log."
)


def sentence(error: BaseException) -> str:
    """Say what went wrong and what to do, without the names of Python's classes."""
    if isinstance(error, FlowPauseTimeout):
        return _UNANSWERED
    text = redact(visible(" ".join(str(error).split())))
    if isinstance(error, ObjectNotFound):
        return _GONE.format(text.rstrip("."))
    if not isinstance(error, RelanceError):
        return _UNFORESEEN.format(text.rstrip(".") or _in_words(error))
    if isinstance(error, ApprovalNeededError):
        text = f"{error.index}: this run {', and '.join(error.reasons)}, and it may not ask; nothing was changed"
    if isinstance(error, IndexBusyError):
        text = text.partition("; try again")[0]  # what the command line has to say
    advice = next((each for kind, each in _ADVICE.items() if isinstance(error, kind)), "")
    said = f"{text[:1].upper()}{text[1:]}" if text.partition(" ")[0].isalpha() else text
    said = said.rstrip(".") or _in_words(error)
    return f"{said}{'' if said.endswith('?') else '.'} {advice}".strip()


def readable(flow: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Let a flow end with a sentence where it fails; to be put below `@flow`.

    The state keeps the error, so that who calls the flow as a function gets it raised.
    """

    @functools.wraps(flow)
    async def run(*args: Any, **parameters: Any) -> Any:
        try:
            return await flow(*args, **parameters)
        except Exception as error:  # what Prefect itself pauses and cancels with is none
            return failed(error)

    # Prefect looks up what annotations name among the globals of the function it is given: here they are no names.
    run.__signature__ = inspect.signature(flow, eval_str=True)  # ty: ignore[missing-attribute]
    run.__annotations__ = get_type_hints(flow, include_extras=True)
    return run


def failed(error: Exception) -> State[Any]:
    """Make the state of a run that failed, and log why; only what nobody foresaw has a traceback."""
    message = sentence(error)
    foreseen = isinstance(error, RelanceError | FlowPauseTimeout)
    get_run_logger().error("%s", message, exc_info=None if foreseen else error)
    return Failed(message=message, data=error)


def _in_words(error: BaseException) -> str:
    """Name an error that says nothing: `out of memory` for a MemoryError, `key error` for a KeyError."""
    if isinstance(error, MemoryError):
        return "out of memory"
    name = type(error).__name__
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name).strip()
