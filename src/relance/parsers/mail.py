"""Mails (EML, MSG, MBOX): each is a document, and so is each attachment."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from relance.config.sources import RowsSpec
from relance.documents import digest
from relance.errors import DocumentError, EmptyError
from relance.parsers.decoding import clean
from relance.parsers.html import Html
from relance.parsers.mail_message import Attachment, read_mail
from relance.parsers.mail_message import Mail as Message
from relance.parsers.mailbox import mails_in
from relance.parsers.media_types import MAIL, MBOX, MSG
from relance.parsers.outlook_message import read_outlook
from relance.parsers.parser import Collection, Parsed, Parser, Raw
from relance.parsers.rows import Row

__all__ = ["Mail"]

# What an attachment says of the mail it came with.
_SHARED = ("from", "date", "subject", "message_id")


class Mail(Parser):
    """Mails, with their headers as metadata; attachments are read by the parsers of their types.

    The mail of a file is `FILE#message`, an attachment `FILE#NAME`; in a mailbox a mail is called by its Message-ID.
    """

    version = "mail-1"
    media_types = (MAIL, MSG, MBOX)
    nests = True

    def parse(self, raw: Raw) -> Parsed:
        """Read the first mail alone; says what is attached."""
        collection = Collection(io.BytesIO(raw.data), raw.uri, raw.media_type, max_row=max(1, len(raw.data)))
        first = next(self.rows(collection), None)
        if first is None:
            raise DocumentError(raw.uri, "no mail in it")
        if isinstance(first, DocumentError):
            raise DocumentError(raw.uri, first.reason)
        return Parsed(first.text, first.title, first.syntax, first.metadata, warnings=first.warnings)

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:  # noqa: ARG002  # what is attached is one
        """Whatever the source says, a mail may have attachments."""
        return True

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the mails, each before its attachments."""
        if collection.media:
            return
        if collection.media_type == MBOX:
            yield from self._mailbox(collection)
            return
        data = collection.read()
        read = read_outlook if collection.media_type == MSG else read_mail
        yield from _Documents(collection, "").of(read(data, collection.uri), "message")

    def _mailbox(self, collection: Collection) -> Iterator[Row | DocumentError]:
        names: Counter[str] = Counter()
        found = False
        for line, data in mails_in(collection.stream, collection.max_row):
            found = True
            uri = f"{collection.uri}#line-{line}"
            if not data.strip():
                yield DocumentError(uri, f"the mail is empty, or longer than max_size ({collection.max_row:,} bytes)")
                continue
            try:
                message = read_mail(data, uri)
            except DocumentError as error:
                yield error
                continue
            name = message.metadata.get("message_id") or digest("mail", data, size=8)
            names[name] += 1
            name = name if names[name] == 1 else f"{name}-{names[name]}"
            yield from _Documents(collection, f"{name}/").of(message, name)
        if not found:
            raise DocumentError(collection.uri, "no mailbox: no line in it begins with `From `")


class _Documents:
    """The documents of one mail and of those forwarded in it, whose names begin alike."""

    def __init__(self, collection: Collection, prefix: str) -> None:
        self.collection, self.prefix = collection, prefix
        self.names: Counter[str] = Counter()

    def of(self, message: Message, name: str) -> Iterator[Row | DocumentError]:
        """Stream the mail, then what is attached."""
        self.names[name.removeprefix(self.prefix)] += 1
        warnings = list(message.warnings)
        read = [each for each in message.attachments if each.mail or self._is_read(each)]
        unread = [each.name for each in message.attachments if each not in read]
        if unread:
            warnings.append(f"{len(unread)} attached without a parser for their type: {', '.join(unread[:10])}")
        inside: list[Row | DocumentError] = []
        empty: list[str] = []
        for each in read:
            try:
                inside.extend(self._attached(message, each))
            except EmptyError:
                empty.append(each.name)
        if empty:
            warnings.append(f"{len(empty)} attached without text: {', '.join(empty[:10])}")
        said = self._message(message, name, warnings)
        if isinstance(said, Row) or not inside:  # one that only brings files says nothing itself
            yield said
        yield from inside

    def _message(self, message: Message, name: str, warnings: list[str]) -> Row | DocumentError:
        uri = f"{self.collection.uri}#{name}"
        metadata: dict[str, Any] = message.metadata
        if message.attachments:
            metadata = metadata | {"attachments": [clean(each.name) for each in message.attachments]}
        text, syntax = clean(message.text), "text"
        if not text.strip() and message.html.strip():
            try:
                page = self._parse(Raw(message.html.encode("utf-8", "replace"), uri, "text/html", "utf-8"))
            except DocumentError as error:
                warnings.append(f"its page is not in the text: {error.reason}")
            else:
                text, syntax = page.text, page.syntax
        text = text if text.strip() else clean(message.subject)  # many have nothing but a subject and a file
        if not text.strip():
            return DocumentError(uri, "no text in it")
        return Row(name, text, message.subject or self._title(name), metadata, syntax=syntax, warnings=tuple(warnings))

    def _title(self, name: str) -> str:
        return PurePosixPath(self.collection.uri).stem if name == "message" else name

    def _attached(self, message: Message, attachment: Attachment) -> Iterator[Row | DocumentError]:
        name = self._free(clean(attachment.name).strip() or "attachment")
        if attachment.mail is not None:
            inner = _Documents(self.collection, f"{name}/")
            yield from inner.of(attachment.mail, name)
            return
        uri = f"{self.collection.uri}#{name}"
        kind = self._media_type(attachment)
        inner = self.collection.inner
        try:
            if inner is not None and inner.collector(kind, None) is not None:
                yield from self._collection(attachment, name, kind)
                return
            parsed = self._parse(Raw(attachment.data, uri, kind))
        except EmptyError:
            raise
        except DocumentError as error:
            yield DocumentError(uri, error.reason)
            return
        shared = {key: message.metadata[key] for key in _SHARED if key in message.metadata}
        title = parsed.title if parsed.title != PurePosixPath(uri).stem else attachment.name
        yield Row(
            name, parsed.text, title, shared | parsed.metadata,
            syntax=parsed.syntax, pages=parsed.pages, media_type=kind, warnings=parsed.warnings,
        )  # fmt: skip

    def _collection(self, attachment: Attachment, name: str, kind: str) -> Iterator[Row | DocumentError]:
        """Read a mailbox, a calendar or the like that is attached."""
        outer = self.collection
        assert outer.inner is not None  # noqa: S101  # it has said that this is a collection
        if outer.depth >= 5:
            raise DocumentError(outer.uri, "collections are attached to each other more than 5 deep")
        opened = Collection(
            io.BytesIO(attachment.data), f"{outer.uri}#{name}", kind, max_row=outer.max_row, depth=outer.depth + 1
        )
        for row in outer.inner.rows(opened):
            if isinstance(row, Row):
                row.name = f"{name}/{row.name}"
                row.media_type = row.media_type or kind
            yield row

    def _is_read(self, attachment: Attachment) -> bool:
        inner = self.collection.inner
        return inner is not None and bool(attachment.data) and inner.knows(self._media_type(attachment))

    def _media_type(self, attachment: Attachment) -> str:
        """Name the type by the file's name, as everywhere; by what the mail says where the name has nothing to say."""
        inner = self.collection.inner
        by_name = inner.media_type_of(attachment.name) if inner is not None else ""
        return by_name if inner is not None and inner.knows(by_name) else attachment.media_type.lower()

    def _parse(self, raw: Raw) -> Parsed:
        inner = self.collection.inner
        return inner.parse(raw) if inner is not None else Html().parse(raw)

    def _free(self, name: str) -> str:
        """Choose a name that no other document of this mail has."""
        self.names[name] += 1
        if self.names[name] > 1:
            stem, dot, suffix = name.rpartition(".")
            number = self.names[name]
            return self._free(f"{stem} ({number}).{suffix}" if dot else f"{name} ({number})")
        return f"{self.prefix}{name}"
