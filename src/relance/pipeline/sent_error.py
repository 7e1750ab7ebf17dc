"""Errors of stages on their way to the coordinator, from whatever process: each arrives, and brings its bill."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from relance.errors import AccountError, BudgetError, ConfigurationError, InputError, RelanceError, RetryableError

if TYPE_CHECKING:
    from relance.pipeline.counts import Ledger

__all__ = ["charged", "sent"]

# What a run does next depends on these.
_KINDS = (AccountError, BudgetError, ConfigurationError, InputError, RetryableError)
_SPENT = "relance_spent"


def sent(error: Exception, spent: Mapping[str, float]) -> Exception:
    """Return an error that can be pickled and read again: itself, or its kind and its words.

    Errors of clients often cannot: they hold a response, or are made from other arguments than they keep. loky takes
    the whole pool for broken then. `spent` is what was bought before it, for `charged`.
    """
    found = error
    if not _is_portable(error):
        kind = next((each for each in _KINDS if isinstance(error, each)), RelanceError)
        found = kind(str(error) if isinstance(error, RelanceError) else f"{type(error).__name__}: {error}")
    vars(found)[_SPENT] = dict(spent)
    return found


@contextlib.contextmanager
def charged(ledger: Ledger) -> Generator[None]:
    """Note what a stage that fails in this block has bought elsewhere, once."""
    try:
        yield
    except Exception as error:
        ledger.add(**vars(error).pop(_SPENT, {}))
        raise


def _is_portable(error: Exception) -> bool:
    with contextlib.suppress(Exception):
        return type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301  # our own bytes
    return False
