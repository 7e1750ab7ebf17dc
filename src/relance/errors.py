"""What can go wrong, sorted by what the caller does next.

RelanceError
├── RetryableError            wait, then do the same again
│   ├── RateLimitedError      … after `retry_after_s`, if the provider said so
│   ├── SuspectInputError     … and if that does not help, it is one of the inputs
│   ├── UnreachableError      … when it is there: nothing was sent
│   └── IndexBusyError        … when the other run has ended
├── InputError                one document or text is at fault: it becomes a failure, the rest goes on
│   ├── GoneError             … it is no longer where it was
│   ├── UnfetchedError        … the service could not fetch it from its address
│   └── DocumentError         … with the uri it came from
│       ├── GoneDocumentError … what it is of is no longer at its address
│       └── EmptyError        … it can be read, and has no text
├── ConfigurationError        fix the spec, the environment or the installation
│   ├── SpecError             … with file, line and field
│   ├── MissingKeyError       … with the variable that holds the key
│   └── MissingExtraError     … with the command that installs it
├── SourceError               a source was not listed to its end: what is indexed of it stays, other sources go on
├── StoreError                the disk or the object store has to change, or a table of the store is hurt
├── AccountError              bad key, unpaid bill, wrong region: every further call fails too, so the run stops
│   └── DeniedError           … unless something else goes through: then it is what was sent
├── BudgetError               the work would cost more than `limits` allow
├── ApprovalNeededError       a person has to agree first: much money, or much of the index gone
├── RejectedError             a person was asked, and said no
└── StoppedError              somebody asked the run to stop; the next one goes on from here
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from relance.safe_text import redact

__all__ = [
    "AccountError",
    "ApprovalNeededError",
    "BudgetError",
    "ConfigurationError",
    "DeniedError",
    "DocumentError",
    "EmptyError",
    "GoneDocumentError",
    "GoneError",
    "IndexBusyError",
    "InputError",
    "MissingExtraError",
    "MissingKeyError",
    "RateLimitedError",
    "RejectedError",
    "RelanceError",
    "RetryableError",
    "SourceError",
    "SpecError",
    "StoppedError",
    "StoreError",
    "SuspectInputError",
    "UnfetchedError",
    "UnreachableError",
    "install_command",
    "whole_text",
]


class RelanceError(Exception):
    """Anything relance raises on purpose; its text is meant for the user, without the passwords of addresses."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(redact(each) if isinstance(each, str) else each for each in args))


def whole_text(error: Exception) -> str:
    """Return the text of an error with its notes, which say what can be done without what failed."""
    notes = getattr(error, "__notes__", ())
    return " ".join([f"{str(error).rstrip('.')}.", *notes]) if notes else str(error)


class RetryableError(RelanceError):
    """The same call may succeed later."""


class RateLimitedError(RetryableError):
    """The provider asked for fewer requests."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SuspectInputError(RetryableError):
    """The service fell over while it worked on this input; if it does so again and again, it is the input."""


class UnreachableError(RetryableError):
    """There was no connection: the service, or the way to it, is not there."""


class SourceError(RelanceError):
    """A source could not be listed to its end: it is away, refuses us, or broke off."""


class IndexBusyError(RetryableError):
    """Another run holds this index."""


class InputError(RelanceError):
    """The input itself is refused; sending it again is no use."""


class GoneError(InputError):
    """There is nothing at the address, and the server says so (404 or 410)."""


class UnfetchedError(InputError):
    """A service could not fetch what it was given the address of; it may take the content itself."""


class DocumentError(InputError):
    """A document cannot be indexed; `reason` is one plain sentence."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}")
        self.uri = uri
        self.reason = redact(reason)

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, str]]:
        return type(self), (self.uri, self.reason)


class GoneDocumentError(DocumentError, GoneError):
    """What a document is of is no longer at its address."""


class EmptyError(DocumentError):
    """A document has no text in it, which is no failure: it is indexed as a document without chunks."""


class ConfigurationError(RelanceError):
    """The spec, the environment or the installation has to change."""


class MissingKeyError(ConfigurationError):
    """A model has no key; nothing can be sent to it, but what it would cost can be counted."""


class SpecError(ConfigurationError):
    """An index file is wrong; the text lists every problem as `file:line: field: what, and what to do`."""

    def __init__(self, file: Path | str, problems: list[tuple[int | None, str, str]]) -> None:
        lines = []
        for line, field, message in problems:
            where = f"{file}:{line}" if line else str(file)
            lines.append(f"{where}: {field}: {message}" if field else f"{where}: {message}")
        super().__init__("\n".join(lines))
        self.problems = problems


class MissingExtraError(ConfigurationError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: {install_command(extra)}")
        self.what = what
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.what, self.extra)


def install_command(*extras: str) -> str:
    """Say how extras are added to relance the way it was installed: by uv or pip, from a registry or a wheel file."""
    import json
    import tomllib
    from importlib.metadata import PackageNotFoundError, distribution

    wanted, address, how = set(extras), "", "pip install"
    with contextlib.suppress(PackageNotFoundError, OSError, ValueError, KeyError, IndexError):
        installed = distribution("relance")
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        if "archive_info" in origin:  # no registry has it by its name alone
            address = f" @ {origin['url']}"
            how = "uv pip install" if (installed.read_text("INSTALLER") or "").strip() == "uv" else how
            receipt = Path(sys.prefix, "uv-receipt.toml")
            if receipt.exists():
                how = "uv tool install"
                # It installs what is named, and removes the rest.
                wanted |= set(tomllib.loads(receipt.read_text())["tool"]["requirements"][0].get("extras", ()))
    return f"{how} 'relance[{','.join(sorted(wanted))}]{address}'"


class StoreError(RelanceError):
    """The store cannot be read or written.

    Attributes:
        doing: what was done, and to which table: `writing notes__0f6a1c2d`.
        cause: the innermost one that is known.
        remedy: what to do.
    """

    def __init__(self, doing: str, cause: str, remedy: str) -> None:
        super().__init__(f"the store failed while {doing}: {cause}; {remedy}")
        self.doing = doing
        self.cause = cause
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[StoreError], tuple[str, str, str]]:
        return type(self), (self.doing, self.cause, self.remedy)


class AccountError(RelanceError):
    """The provider refuses this account; nothing else will succeed either."""


class DeniedError(AccountError):
    """A request was forbidden without a reason: the account has no right, or a firewall dislikes what was sent."""


class BudgetError(RelanceError):
    """The work would cost more than the spec allows."""


class RejectedError(RelanceError):
    """A person was asked whether the run may go on, and said no."""


class ApprovalNeededError(RelanceError):
    """A person has to agree first; `reasons` say to what, in numbers."""

    def __init__(self, index: str, reasons: Sequence[str]) -> None:
        super().__init__(
            f"{index}: this run {', and '.join(reasons)}. Nothing was removed. Look at it with `relance plan`, then "
            "approve it (`relance ingest --yes`, or in the Prefect UI), or change `limits` in the spec"
        )
        self.index = index
        self.reasons = list(reasons)

    def __reduce__(self) -> tuple[type[ApprovalNeededError], tuple[str, list[str]]]:
        return type(self), (self.index, self.reasons)


class StoppedError(RelanceError):
    """The run was asked to stop."""
