"""API tokens: who they name, what these may see, and how often they may ask. Digests are stored, never tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from relance.errors import ConfigurationError, InputError
from relance.store.principals import OWNER, Principals, Reader

__all__ = ["Caller", "Tokens", "digest_of", "new_token"]

_VARIABLE = "RELANCE_SERVE_TOKENS"


@dataclass(slots=True, frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: of the token, for the audit log; `local` where there are no tokens.
        principals: who reads; None with `given`: as each index was opened.
        given: whether the principals come from a token.
        per_minute: requests; 0: as many as there are.
        indexes: that may be used; empty: all.
    """

    name: str = "local"
    principals: Principals = None
    given: bool = False
    per_minute: int = 0
    indexes: frozenset[str] = frozenset()

    def may_use(self, index: str) -> bool:
        """Whether an index is there for this caller."""
        return not self.indexes or index in self.indexes


class _Token(BaseModel):
    """An entry of the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@:+-]+$")
    sha256: SecretStr
    principals: list[str] | None = None
    owner: bool = False
    per_minute: int = Field(default=600, ge=1, le=1_000_000)
    indexes: list[str] = []

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        digest = self.sha256.get_secret_value()
        if len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
            msg = "sha256 is the SHA-256 digest of the token, 64 hexadecimal digits; never the token itself"
            raise ValueError(msg)
        if self.owner and self.principals is not None:
            msg = "an owner sees everything; leave out owner, or principals"
            raise ValueError(msg)
        try:
            Reader.of(self.principals)
        except InputError as error:
            raise ValueError(str(error)) from None
        return self


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tokens: list[_Token] = Field(min_length=1)


class Tokens:
    """Tokens by their digests."""

    def __init__(self, entries: Sequence[tuple[SecretStr, Caller]] = ()) -> None:
        self._entries = [(bytes.fromhex(digest.get_secret_value()), caller) for digest, caller in entries]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Caller]:
        return (caller for _, caller in self._entries)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML file; ConfigurationError says what is wrong in it, without any value."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"the tokens in {path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
            raise ConfigurationError(msg) from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, where: str = _VARIABLE) -> Self:
        """Read the text of such a file."""
        try:
            said: Any = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f":{mark.line + 1}" if mark else ""
            msg = f"{where}{place}: this is no YAML"
            raise ConfigurationError(msg) from None
        try:
            entries = _File.model_validate(said).tokens
        except ValidationError as error:
            lines = [
                f"{where}: {'.'.join(map(str, each['loc'])) or 'tokens'}: {_said(each)}" for each in error.errors()
            ]
            raise ConfigurationError("\n".join(lines)) from None
        names = {each.name for each in entries}
        digests = {each.sha256.get_secret_value().lower() for each in entries}
        if min(len(names), len(digests)) < len(entries):
            msg = f"{where}: two tokens have the same {'name' if len(names) < len(entries) else 'sha256'}"
            raise ConfigurationError(msg)
        return cls([(each.sha256, _caller(each)) for each in entries])

    def find(self, token: str) -> Caller | None:
        """Return whose token it is; takes as long for one that is nobody's."""
        given, found = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest(), None
        for digest, caller in self._entries:
            if hmac.compare_digest(digest, given):
                found = caller
        return found


def new_token() -> SecretStr:
    """Make a token of 256 random bits."""
    return SecretStr(f"rel_{secrets.token_urlsafe(32)}")


def digest_of(token: SecretStr) -> str:
    """Return what the file says of a token."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()


def _caller(entry: _Token) -> Caller:
    who: Principals = OWNER if entry.owner else entry.principals
    return Caller(entry.name, who, given=True, per_minute=entry.per_minute, indexes=frozenset(entry.indexes))


def _said(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key; there are name, sha256, principals, owner, per_minute, indexes"
    if error["type"] == "missing":
        return "is missing"
    if error["type"] in {"model_type", "dict_type", "list_type"}:
        return "expected a file of `tokens:` with a list below; `relance serve --new-token NAME` prints an entry"
    return str(error["msg"]).removeprefix("Value error, ")
