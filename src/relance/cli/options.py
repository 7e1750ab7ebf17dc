"""What commands share: exit codes, and the arguments several of them take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token
from cyclopts.validators import Number

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["CHANGES", "DONE", "FAILED", "HERE", "USAGE", "WITH_FAILURES", "As", "AsJson", "AsOwner", "Host", "Level",
           "Port", "SearchMode", "Spec", "Specs", "index_as", "named", "without_effect"]  # fmt: skip

DONE, FAILED, USAGE, WITH_FAILURES, CHANGES = 0, 1, 2, 3, 4  # docs/exit-codes.md

HERE = Path()  # what SPEC is where none is given
Spec = Annotated[Path, Parameter(help="The index file, or the folder with an index.yaml.")]
Specs = Annotated[
    list[Path],
    Parameter(help="Index files, or folders with an index.yaml; none: this folder.", negative="", show_default=False),
]
Level = Literal["documents", "chunks", "media"]
Host = Annotated[str, Parameter(help="Address to listen on.")]
Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535), help="Port to listen on; 0 takes a free one.")]
As = Annotated[
    list[str] | None,
    Parameter(name="--as", negative="", help="Read as this principal: what is not for it is not there. Repeatable."),
]
AsOwner = Annotated[
    bool, Parameter(name="--as-owner", negative="", help="Read as who runs the index, and sees every document.")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]


def _mode(_: type, tokens: Sequence[Token]) -> str:
    """Read a mode; InputError with the new name for one that was renamed."""
    from relance.search.mode import check_mode

    return check_mode(tokens[0].value)


SearchMode = Annotated[Literal["hybrid", "dense", "full-text", "sparse"], Parameter(converter=_mode)]


def index_as(spec: Path, principals: Sequence[str] | None, *, owner: bool) -> Index:
    """Open an index for who reads: principals, its owner, or nobody in particular."""
    from relance.errors import InputError
    from relance.index import Index
    from relance.store.principals import OWNER

    if owner and principals:
        msg = "--as-owner sees everything; leave --as out, or --as-owner"
        raise InputError(msg)
    return Index(spec, principals=OWNER if owner else principals)


def named(specs: list[Path]) -> list[Path]:
    """Return the index files that were named; this folder where none was."""
    return specs or [HERE]


def without_effect(given: Mapping[str, Any], where: str) -> None:
    """Raise InputError for options that were given where they do nothing, such as `with --text`."""
    from relance.errors import InputError

    if idle := [name for name, value in given.items() if value]:
        msg = f"{' and '.join(idle)} would have no effect {where}; leave out what is not meant"
        raise InputError(msg)
