"""What a notification says, whoever sent it, and reading it out of untrusted JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from relance.errors import InputError

__all__ = ["Notification", "Push", "field", "items", "naming", "paths_of", "read_json"]

T = TypeVar("T")

_WORDS: dict[type, str] = {str: "text", list: "a list", dict: "an object", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Push:
    """A branch of a repository that was pushed to.

    Attributes:
        addresses: of the repository, all that the body names.
        branch: without `refs/heads/`.
        is_default: whether it is the default branch, or may be.
    """

    addresses: tuple[str, ...]
    branch: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Notification:
    """Keys of objects, oldest first: which there are, with new content, and which are gone.

    Attributes:
        objects: pairs of key and whether the object is there now; the last one of a key counts.
        source: bucket or repository, for people.
        everything: whether it says that something changed, but not what.
        ignored: why it concerns no document; empty if it does.
        at: when it was made, in seconds since 1970, where the body says so.
        push: of a push, what it went to.
        reply: what a sender that sets itself up wants to hear; it is no change then.
    """

    objects: Sequence[tuple[str, bool]] = ()
    source: str = ""
    everything: bool = False
    ignored: str = ""
    at: int | None = None
    push: Push | None = None
    reply: dict[str, str] | None = None


def read_json(body: bytes) -> Any:
    """Read JSON; InputError for what is none, is too deep, or holds text that is no Unicode."""
    from pydantic_core import from_json

    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        msg = f"the body is not JSON: {str(error)[:100]}"
        raise InputError(msg) from None


def field(data: Any, path: str, kind: type[T]) -> T:
    """Return what is at a dotted path; InputError that names the path if it is missing or of another kind."""
    value = data
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, kind):
        found = "missing" if value is None else f"of the wrong kind, expected {_WORDS[kind]}"
        msg = f"{path}: {found}"
        raise InputError(msg)
    return value


def items(data: Any, name: str, most: int = 10_000) -> Iterable[tuple[str, Any]]:
    """Stream the entries of a list with what to call them in an error."""
    entries = field(data, name, list)
    if len(entries) > most:
        msg = f"{name}: more than {most:,} entries"
        raise InputError(msg)
    return ((f"{name}[{number}]", entry) for number, entry in enumerate(entries))


def naming(where: str, error: InputError) -> InputError:
    """Say where in a list something is wrong."""
    return InputError(f"{where}.{error}")


def paths_of(commit: Any, where: str, name: str) -> list[str]:
    """Return the paths that a commit lists under a name; InputError that says where something is wrong."""
    try:
        paths = field(commit, name, list)
    except InputError as error:
        raise naming(where, error) from None
    if not all(isinstance(path, str) for path in paths):
        msg = f"{where}.{name}: expected paths"
        raise InputError(msg)
    return paths
