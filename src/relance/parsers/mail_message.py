"""A mail: its headers, what it says, and what is attached."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from typing import Any

from relance.errors import DocumentError
from relance.parsers.decoding import codec, decode
from relance.parsers.mail_headers import decoded, header_metadata, words_of
from relance.parsers.media_types import MAIL

__all__ = ["Attachment", "Mail", "read_mail"]

# Real mails: forwarded ones have 4 levels each, digests some hundred parts.
_DEEPEST, _MOST = 25, 10_000
# The library takes time by the square of the parameters of a header.
_LONGEST_FIELD, _LONGEST_HEADER = 8 * 1024, 256 * 1024
_KNOWN = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "received",
    "return-path",
    "sender",
    "delivered-to",
    "mime-version",
    "content-type",
)
_SIGNATURES = frozenset(
    ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
)  # fmt: skip
_ENCRYPTED = frozenset(("application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))
_STATUS = "message/delivery-status"
# Text that is a file of its own, whatever the mail says, with the suffix it goes by.
_FILES = {"text/calendar": "ics", "text/vcard": "vcf", "text/x-vcard": "vcf", "text/directory": "vcf"}
_CUT = (CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect)
_QUOTE = re.compile(r">*")


@dataclass(slots=True)
class Attachment:
    """What is attached; `mail` is one that was forwarded whole."""

    name: str
    media_type: str
    data: bytes = b""
    mail: Mail | None = None


@dataclass(slots=True)
class Mail:
    """What a mail has; `html` is what it shows where it has no plain text."""

    metadata: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    html: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.metadata.get("subject", "")


def read_mail(data: bytes, uri: str) -> Mail:
    """Read a mail; raises DocumentError for what is none."""
    try:
        message = BytesParser(_Part, policy=_Bounded()).parsebytes(data)
        if not any(name in message for name in _KNOWN):
            raise DocumentError(uri, "no mail: none of the headers of mails is in it")
        return _Reader(uri).read(message)
    except RecursionError:
        raise DocumentError(uri, f"its parts are nested more than {_DEEPEST} deep") from None
    except _BoundError as error:
        raise DocumentError(uri, str(error)) from None


class _BoundError(Exception):
    """A mail has more parts than any real one."""


class _Bounded(Compat32):
    """The lenient policy, with headers of a bounded length: those of a part's form are read again and again."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[: _LONGEST_FIELD if name.lower().startswith("content-") else _LONGEST_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002  # the policy's
        return value  # bytes that are no ASCII as surrogates: `decoded` knows what to do with them


class _Part(Message):
    """A part of a mail that knows how deep it is; the parser attaches it before it reads it."""

    depth = 0
    root: _Part | None = None
    parts = 0

    def attach(self, payload: Any) -> None:
        payload.depth, payload.root = self.depth + 1, self.root or self
        payload.root.parts += 1
        if payload.depth > _DEEPEST:
            raise _BoundError(f"its parts are nested more than {_DEEPEST} deep")
        if payload.root.parts > _MOST:
            raise _BoundError(f"it has more than {_MOST:,} parts")
        super().attach(payload)


class _Reader:
    """Walks through the parts of one mail."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def read(self, message: Message) -> Mail:
        metadata, warnings = header_metadata(message)
        mail = Mail(metadata, warnings=warnings)
        texts: list[str] = []
        pages: list[str] = []
        self._walk(message, mail, texts, pages)
        mail.text, mail.html = "\n\n".join(filter(None, texts)), "\n<hr>\n".join(pages)
        if any(_is_cut(part) for part in _own_parts(message)):
            mail.warnings.append("its end is missing: a part of it is not closed")
        return mail

    def _walk(self, part: Message, mail: Mail, texts: list[str], pages: list[str]) -> None:
        kind = part.get_content_type()
        if kind == MAIL or (kind.startswith("message/") and kind != _STATUS):
            for inner in _inside(part):
                forwarded = self.read(inner)
                name = _file_name(part) or f"{forwarded.subject or 'message'}.eml"
                mail.attachments.append(Attachment(name, MAIL, mail=forwarded))
        elif kind == _STATUS:
            texts.extend(str(inner).strip() for inner in _inside(part))
        elif kind == "multipart/alternative":
            self._alternatives(part, mail, texts, pages)
        elif part.is_multipart():
            for inner in _inside(part):
                self._walk(inner, mail, texts, pages)
        elif kind in _ENCRYPTED:
            mail.warnings.append("what is encrypted in it is not read")
        elif kind not in _SIGNATURES:
            self._leaf(part, kind, mail, texts, pages)

    def _leaf(self, part: Message, kind: str, mail: Mail, texts: list[str], pages: list[str]) -> None:
        name = _file_name(part)
        shown = part.get_content_disposition() != "attachment" and not (name and kind != "text/html")
        if shown and kind == "text/html":
            pages.append(self._text(part))
        elif kind.startswith("multipart/") or (shown and kind.startswith("text/") and kind not in _FILES):
            texts.append(self._text(part))
        else:
            suffix = (mimetypes.guess_extension(kind) or ".bin")[1:]
            mail.attachments.append(Attachment(name or f"attachment.{_FILES.get(kind, suffix)}", kind, _bytes(part)))

    def _alternatives(self, part: Message, mail: Mail, texts: list[str], pages: list[str]) -> None:
        """Take the plain text of several ways to say the same; where it is blank, the page."""
        plain: list[str] = []
        shown: list[str] = []
        for inner in _inside(part):
            self._walk(inner, mail, plain, shown)
        if any(text.strip() for text in plain):
            texts.extend(plain)
        else:
            pages.extend(shown)

    def _text(self, part: Message) -> str:
        data = _bytes(part)
        charset = part.get_content_charset("")
        try:
            text = data.decode(codec(charset)) if charset else ""
        except (LookupError, ValueError):
            text = ""
        if not text.strip():
            text = decode(data, self.uri) if data.strip() else ""
        if part.get_content_type() == "text/plain" and _parameter(part, "format").lower() == "flowed":
            text = _unflowed(text, joined=_parameter(part, "delsp").lower() == "yes")
        return text.replace("\r\n", "\n").strip()


def _inside(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else []
    return [inner for inner in payload if isinstance(inner, Message)]


def _own_parts(message: Message) -> Iterator[Message]:
    """Stream a part and those in it, but those of a forwarded mail, which says that itself."""
    yield message
    for part in _inside(message) if message.get_content_type() != MAIL else []:
        yield from _own_parts(part)


def _is_cut(part: Message) -> bool:
    return any(
        isinstance(defect, (CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect)) for defect in part.defects
    )


def _bytes(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _file_name(part: Message) -> str:
    """Name the file of a part, whatever way it is encoded (RFC 2231, RFC 2047, as it is)."""
    try:
        name = part.get_filename("") or ""
    except (LookupError, ValueError, TypeError):
        name = words_of(part, "content-description")
    return decoded(name).replace("\\", "/").rpartition("/")[2]


def _parameter(part: Message, name: str) -> str:
    found = part.get_param(name, "")
    return found if isinstance(found, str) else ""


def _unflowed(text: str, *, joined: bool) -> str:
    """Undo the line breaks of `format=flowed`: a line that ends with a blank goes on in the next one."""
    lines: list[list[str]] = []
    depth, flows = "", False
    for line in text.split("\n"):
        quote = _QUOTE.match(line)[0]  # ty: ignore[not-subscriptable]  # it always matches
        words = line[len(quote) :].rstrip("\r")
        words = words.removeprefix(" ")
        goes_on = words.endswith(" ") and words != "-- "
        if flows and quote == depth and words != "-- ":
            lines[-1].append(words[:-1] if goes_on and joined else words)
        else:
            start = f"{quote} " if quote else ""
            lines.append([start, words[:-1] if goes_on and joined else words])
        depth, flows = quote, goes_on
    return "\n".join("".join(line) for line in lines)
