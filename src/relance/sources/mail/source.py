"""Messages in the folders of a mailbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ByteSize

from relance.documents import Content, Ignored, Item
from relance.errors import DocumentError, RelanceError
from relance.parsers.media_types import MAIL
from relance.sources.mail.imap import ImapBox
from relance.sources.mail.mailbox import GoneMessageError, Mailbox, Message
from relance.sources.mail.maildir import MaildirBox
from relance.sources.mail.spec import MailSpec
from relance.sources.source import Location, Source, SourceContext

__all__ = ["Mail"]

_UID = "/;UID="


class Mail(Source):
    """The `mail` source.

    A message never changes: its version is the number that the server gave it with that of its folder, or its name in
    the Maildir. Flags are no part of it. The parser of mails makes the text of it, and documents of what is attached.
    """

    Spec = MailSpec
    version = "mail-1"
    has_pages = False
    spec: MailSpec

    def __init__(self, spec: MailSpec, context: SourceContext) -> None:
        """Prepare to read."""
        super().__init__(spec, context)
        self._root: Path | None = None
        if spec.maildir is not None:
            written = spec.maildir.expanduser()
            self._root = Path(os.path.normpath(context.folder / written))
            shown = (
                self._root.as_posix()
                if written.is_absolute()
                else Path(os.path.relpath(self._root, context.folder)).as_posix()
            )
            shown = shown if shown.startswith(("/", "../")) else f"./{shown}"
            self._base, self._sign = f"maildir://{shown}", "/"
        else:
            port = f":{spec.port}" if spec.port not in (0, 143, 993) else ""
            # No `user@`: that is taken out of what is shown.
            self._base, self._sign = f"imap://{spec.host.lower()}{port}/{spec.username}", _UID
        self._box: Mailbox = MaildirBox(self._root, spec) if self._root is not None else ImapBox(spec)

    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the messages, folder by folder, in the order of their names or numbers."""
        for found in self._box.messages():
            if isinstance(found, Message):
                uri = f"{self._base}/{found.folder}{self._sign}{found.name}"
                yield Item(uri, found.marker, MAIL, found.size, self.context.position)
            else:
                yield Ignored(f"{self._base}/{found.uri}/", found.reason, found.kind)

    def read(self, item: Item) -> Content:
        """Read a message whole, unless it is too large; it is not marked as read."""
        place = self._place(item.uri)
        if place is None:
            raise DocumentError(item.uri, "it is no message of this source")
        limit = self.spec.max_size
        try:
            data, size = self._box.read(*place, item.version, limit)
        except GoneMessageError as error:
            raise DocumentError(item.uri, str(error)) from None
        except RelanceError as error:
            raise DocumentError(item.uri, str(error)) from None
        if size > limit:
            large = ByteSize(size).human_readable()
            reason = f"{large} is more than max_size ({limit.human_readable()}); raise max_size or exclude its folder"
            raise DocumentError(item.uri, reason)
        if not data:
            raise DocumentError(item.uri, "empty message")
        return Content(item, data, metadata={"folder": place[0]})

    def location(self, uri: str = "") -> Location | None:
        """Say where a message is."""
        if not uri:
            return Location(self._base, self._root)
        # Documents are rows of a message: its text, and what is attached.
        known = self._place(uri) or self._place(uri.partition("#")[0])
        return Location(uri) if known is not None else None

    def _place(self, uri: str) -> tuple[str, str] | None:
        """Return the folder and the name of a message; None for a uri that cannot be of this source."""
        path = uri.removeprefix(f"{self._base}/")
        folder, sign, name = path.rpartition(self._sign)
        if path == uri or not folder or not sign or not name or "/" in name or ".." in folder.split("/"):
            return None
        if self._sign == _UID and not (name.isascii() and name.isdigit()):
            return None
        return folder, name
