"""A stage on its errand in another process: what it raises there arrives here."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from relance.errors import AccountError, BudgetError, ConfigurationError, InputError, RelanceError, RetryableError
from relance.pipeline.runtime import runtime_of

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch
    from relance.pipeline.context import Context
    from relance.pipeline.counts import Ledger

__all__ = ["charged", "run"]

_SPENT = "relance_spent"

# What a run does next depends on these.
_KINDS = (AccountError, BudgetError, ConfigurationError, InputError, RetryableError)


def run(stage: Callable[..., Batch], context: Context, /, *values: Any) -> Batch:
    """Run a stage; an error that would not survive the way back is raised as a sentence.

    Each takes along what was bought before it, for `charged`.
    """
    try:
        return stage(context, *values)
    except Exception as error:
        fit = _portable(error)
        with contextlib.suppress(Exception):  # the runtime may be what cannot be opened
            vars(fit)[_SPENT] = runtime_of(context).ledger.take()
        if fit is error:
            raise
        raise fit from None  # the cause would have to travel, too


@contextlib.contextmanager
def charged(ledger: Ledger) -> Generator[None]:
    """Note what a stage that fails in this block has bought elsewhere, once."""
    try:
        yield
    except Exception as error:
        ledger.add(**vars(error).pop(_SPENT, {}))
        raise


def _portable(error: Exception) -> Exception:
    """Return an error that can be pickled and read again: itself, or its kind and its words.

    Errors of clients often cannot: they hold a response, or are made from other arguments than they keep. loky takes
    the whole pool for broken then.
    """
    with contextlib.suppress(Exception):
        if type(pickle.loads(pickle.dumps(error))) is type(error):  # noqa: S301  # our own bytes
            return error
    kind = next((each for each in _KINDS if isinstance(error, each)), RelanceError)
    return kind(str(error) if isinstance(error, RelanceError) else f"{type(error).__name__}: {error}")
