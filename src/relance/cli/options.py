"""What commands share: exit codes, and the arguments several of them take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token
from cyclopts.validators import Number

__all__ = ["DONE", "FAILED", "USAGE", "WITH_FAILURES", "AsJson", "Host", "Level", "Port", "SearchMode", "Spec", "Specs",
           "without_effect"]  # fmt: skip

DONE, FAILED, USAGE, WITH_FAILURES = 0, 1, 2, 3

Spec = Annotated[Path, Parameter(help="The index file, or the folder with an index.yaml.")]
Specs = Annotated[list[Path], Parameter(help="Index files, or folders with an index.yaml.", negative="")]
Level = Literal["documents", "chunks", "media"]
Host = Annotated[str, Parameter(help="Address to listen on.")]
Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535), help="Port to listen on; 0 takes a free one.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]


def _mode(_: type, tokens: Sequence[Token]) -> str:
    """Read a mode; InputError with the new name for one that was renamed."""
    from relance.search.mode import check_mode

    return check_mode(tokens[0].value)


SearchMode = Annotated[Literal["hybrid", "dense", "full-text", "sparse"], Parameter(converter=_mode)]


def without_effect(given: Mapping[str, Any], where: str) -> None:
    """Raise InputError for options that were given where they do nothing, such as `with --text`."""
    from relance.errors import InputError

    if idle := [name for name, value in given.items() if value]:
        msg = f"{' and '.join(idle)} would have no effect {where}; leave out what is not meant"
        raise InputError(msg)
