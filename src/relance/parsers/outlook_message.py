"""Messages of Outlook (MSG): MAPI properties in an OLE file."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime, timedelta
from email import message_from_string
from typing import Any

from relance.errors import DocumentError
from relance.parsers.decoding import codec, decode
from relance.parsers.mail_headers import header_metadata
from relance.parsers.mail_message import Attachment, Mail
from relance.parsers.media_types import MAIL

__all__ = ["read_outlook"]

_DEEPEST, _MOST = 10, 10_000
# What olefile may raise over a damaged file.
_DAMAGE = (OSError, ValueError, TypeError, IndexError, KeyError, struct.error, AttributeError, RecursionError)
_SUBJECT, _BODY, _HTML, _HEADERS = 0x0037, 0x1000, 0x1013, 0x007D
_MESSAGE_ID, _IN_REPLY_TO = 0x1035, 0x1042
_SENDER, _SENDER_ADDRESS, _SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
_SUBMITTED, _DELIVERED = 0x0039, 0x0E06
_CODE_PAGES = (0x3FDE, 0x3FFD)
_NAME, _ADDRESS, _SMTP, _KIND = 0x3001, 0x3003, 0x39FE, 0x0C15
_LONG_NAME, _SHORT_NAME, _MEDIA_TYPE, _DATA = 0x3707, 0x3704, 0x370E, 0x3701
_RECIPIENTS = {1: "to", 2: "cc", 3: "bcc"}
_PAGES = {65001: "utf-8", 20127: "ascii", 28591: "iso8859-1", 50220: "iso2022_jp", 51932: "euc_jp", 20866: "koi8-r"}


def read_outlook(data: bytes, uri: str) -> Mail:
    """Read a message; raises DocumentError for what is none."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            parts = {tuple(path): None for path in file.listdir(streams=True, storages=False)}
            if ("__properties_version1.0",) not in parts:
                raise DocumentError(uri, "no message of Outlook, but another file of its kind (OLE)")
            return _Storage(file, (), list(parts), uri).mail()
    except (
        OSError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        struct.error,
        AttributeError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:100]
        raise DocumentError(uri, f"truncated or damaged: not a readable message of Outlook ({reason})") from None


class _Storage:
    """One folder of the file: a message, a recipient or an attachment."""

    def __init__(self, file: Any, path: tuple[str, ...], streams: list[tuple[str, ...]], uri: str) -> None:
        self.file, self.path, self.streams, self.uri = file, path, streams, uri
        self.own = {each[-1].lower(): each for each in streams if each[:-1] == path}
        self.fixed = self._fixed()

    def mail(self) -> Mail:
        """Read the message here."""
        headers = self.text(_HEADERS)
        metadata, warnings = header_metadata(message_from_string(headers)) if headers else ({}, [])
        mail = Mail({**self._own_metadata(), **metadata}, warnings=warnings)
        mail.text = self.text(_BODY).replace("\r\n", "\n").strip()
        if not mail.text:
            page = self.data(_HTML)
            mail.html = decode(page, self.uri) if page else self.text(_HTML)
        for folder in self._folders("__attach_version1.0_"):
            self._attach(mail, folder)
        return mail

    def text(self, tag: int) -> str:
        """Read a property that is text; empty where there is none."""
        if (data := self._stream(tag, 0x001F)) is not None:
            return data.decode("utf-16-le", "replace").rstrip("\0")
        if (data := self._stream(tag, 0x001E)) is not None:
            page = next((page for tag in _CODE_PAGES if (page := self.number(tag))), 0)
            try:
                return data.decode(codec(_PAGES.get(page, f"cp{page or 1252}"))).rstrip("\0")
            except (LookupError, ValueError):
                return decode(data.rstrip(b"\0"), self.uri)
        return ""

    def data(self, tag: int) -> bytes:
        """Read a property that is bytes."""
        return self._stream(tag, 0x0102) or b""

    def number(self, tag: int) -> int:
        """Read a property that is a number; 0 where there is none."""
        return int.from_bytes(self.fixed.get(tag, b"")[:4], "little")

    def _own_metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if sender := _person(self.text(_SENDER), self.text(_SENDER_SMTP) or self.text(_SENDER_ADDRESS)):
            found["from"] = sender
        for folder in self._folders("__recip_version1.0_"):
            kind = _RECIPIENTS.get(folder.number(_KIND), "to")
            if person := _person(folder.text(_NAME), folder.text(_SMTP) or folder.text(_ADDRESS)):
                found.setdefault(kind, []).append(person)
        if ticks := next((self.fixed[tag] for tag in (_SUBMITTED, _DELIVERED) if tag in self.fixed), b""):
            moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(ticks, "little") // 10)
            found["date"] = moment.isoformat(timespec="seconds")
        for name, tag in (("subject", _SUBJECT), ("message_id", _MESSAGE_ID), ("in_reply_to", _IN_REPLY_TO)):
            if value := self.text(tag).strip():
                found[name] = value if tag == _SUBJECT else value.strip("<>")
        return found

    def _attach(self, mail: Mail, folder: _Storage) -> None:
        name = folder.text(_LONG_NAME) or folder.text(_SHORT_NAME) or folder.text(_NAME)
        name = name.replace("\\", "/").rpartition("/")[2]
        inner = (*folder.path, "__substg1.0_3701000D")
        if any(each[: len(inner)] == inner for each in folder.streams):
            if len(inner) > 2 * _DEEPEST:
                raise DocumentError(self.uri, f"its messages are nested more than {_DEEPEST} deep")
            streams = [each for each in folder.streams if each[: len(inner)] == inner]
            if (*inner, "__properties_version1.0") in streams:
                forwarded = _Storage(self.file, inner, streams, self.uri).mail()
                name = name or f"{forwarded.subject or 'message'}.msg"
                mail.attachments.append(Attachment(name, MAIL, mail=forwarded))
                return
        mail.attachments.append(Attachment(name or "attachment.bin", folder.text(_MEDIA_TYPE), folder.data(_DATA)))

    def _folders(self, prefix: str) -> list[_Storage]:
        at = len(self.path)
        groups: dict[str, list[tuple[str, ...]]] = {}
        for each in self.streams:
            if len(each) > at + 1 and each[at].startswith(prefix):
                groups.setdefault(each[at], []).append(each)
        if len(groups) > _MOST:
            raise DocumentError(self.uri, f"it has more than {_MOST:,} attachments or recipients")
        return [_Storage(self.file, (*self.path, name), groups[name], self.uri) for name in sorted(groups)]

    def _stream(self, tag: int, kind: int) -> bytes | None:
        path = self.own.get(f"__substg1.0_{tag:04x}{kind:04x}")
        if path is None:
            return None
        with self.file.openstream(list(path)) as stream:
            return stream.read()

    def _fixed(self) -> dict[int, bytes]:
        """Read the properties of a fixed size, by their tag."""
        path = self.own.get("__properties_version1.0")
        if path is None:
            return {}
        with self.file.openstream(list(path)) as stream:
            data = stream.read()
        last = self.path[-1] if self.path else ""
        start = 32 if not last else 24 if last.endswith("000D") else 8
        rows = (data[at : at + 16] for at in range(start, len(data) - 15, 16))
        return {int.from_bytes(row[2:4], "little"): row[8:] for row in rows}


def _person(name: str, address: str) -> str:
    name, address = name.strip(), address.strip()
    return f"{name} <{address}>" if name and address and name != address else name or address
