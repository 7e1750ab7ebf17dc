"""The section of a `mail` source."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, model_validator

from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV

__all__ = ["MailSpec"]


class MailSpec(SourceSpec, title="Mail"):
    """Messages of an IMAP account or of a Maildir, each with what is attached to it."""

    type: Literal["mail"] = Field(title="Type", examples=["mail"])
    """What kind of source this is; `mail` reads the folders of a mailbox."""
    maildir: Path | None = Field(default=None, title="Maildir", json_schema_extra=ENV, examples=["~/Maildir"])
    """Folder with `cur` and `new`, and other folders below it; relative to the spec file. Without it `host` is read."""
    host: str = Field(default="", title="IMAP server", json_schema_extra=ENV, examples=["imap.example.com"])
    """Name of the IMAP server."""
    port: int = Field(default=0, title="Port", ge=0, le=65535)
    """Its port; 0: 993 with TLS, else 143."""
    security: Literal["tls", "starttls", "none"] = Field(default="tls", title="Encryption")
    """How the connection is encrypted; `none` is for servers on this machine."""
    username: str = Field(default="", title="User", json_schema_extra=ENV, examples=["${MAIL_USER}"])
    """Name of the account."""
    password: SecretStr = Field(
        default=SecretStr(""), title="Password", json_schema_extra=ENV, examples=["${MAIL_KEY}"]
    )
    """Password of the account; for most providers one that was made for this application."""
    folders: list[str] = Field(default=["*"], title="Folders", min_length=1, examples=[["INBOX", "Archive/*"]])
    """Patterns that the name of a folder must match one of; `*` stands for anything, `/` is between levels."""
    exclude: list[str] = Field(
        default=["Trash", "Deleted*", "Junk*", "Spam", "Drafts"], title="Excluded folders", examples=[["Lists/*"]]
    )
    """Patterns that take folders out again, by the whole name or its last part."""
    since: date | None = Field(default=None, title="Since", examples=["2025-01-01"])
    """Day from which on messages that arrived are read; empty: all."""
    timeout_s: int = Field(default=60, title="Time limit", ge=1)
    """Seconds to wait for an answer of the server."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Take `imaps://USER:PASSWORD@HOST`; `imap://` begins in the clear and turns to TLS."""
        parts = urlsplit(address)
        if parts.scheme not in {"imap", "imaps"} or not parts.hostname:
            return None
        section: dict[str, Any] = {"type": "mail", "host": parts.hostname, "username": unquote(parts.username or "")}
        section |= {"port": parts.port} if parts.port else {}
        section |= {} if parts.scheme == "imaps" else {"security": "starttls"}
        return section | ({"password": parts.password} if parts.password else {})

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.maildir is None) == (not self.host.strip()):
            msg = "name one place: `maildir` for a folder, or `host` for an IMAP server"
            raise ValueError(msg)
        if self.maildir is not None and not str(self.maildir).strip(" ."):
            msg = "maildir: name the folder of the mailbox itself"
            raise ValueError(msg)
        if self.host and not self.username:
            msg = "username: missing; an IMAP server has accounts"
            raise ValueError(msg)
        return self
