"""The ways to search."""

from __future__ import annotations

from typing import Literal, get_args

from relance.errors import InputError

__all__ = ["COLUMNS", "Mode", "check_mode"]

Mode = Literal["dense", "full-text", "sparse", "hybrid"]

# The column that each list is made from; `hybrid` merges the lists.
COLUMNS = {"dense": "vector", "full-text": "words", "sparse": "sparse"}
_EARLIER = {"vector": "dense", "text": "full-text"}


def check_mode(name: str, *others: str) -> Mode:
    """Return the mode of this name; InputError if there is none, with the new name of one that was renamed.

    `others` are names that the caller accepts besides.
    """
    for mode in get_args(Mode):
        if name == mode:
            return mode
    if name in _EARLIER:
        msg = f"mode {name}: it is called {_EARLIER[name]} now"
        raise InputError(msg)
    msg = f"mode {name}: there is no such mode; there are {', '.join([*get_args(Mode), *others])}"
    raise InputError(msg)
