"""An IMAP account, read without leaving a trace: folders are examined, messages are peeked at."""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
import threading
import weakref
from array import array
from collections.abc import Generator, Iterator
from datetime import UTC, date, datetime

from relance.documents import Ignored
from relance.errors import SourceError
from relance.safe_text import visible
from relance.sources.mail.folder_names import decoded, encoded, listed
from relance.sources.mail.mailbox import GoneMessageError, Mailbox, Message, chosen, none_chosen
from relance.sources.mail.spec import MailSpec

__all__ = ["ImapBox"]

_BLOCK = 2000  # messages in one request
_TRIES = 3
_FACTS = re.compile(rb"\bUID (\d+)|\bRFC822\.SIZE (\d+)|\bINTERNALDATE \"([^\"]*)\"")


class ImapBox(Mailbox):
    """The folders of an account. One connection lists, another one reads; nothing is written on either."""

    def __init__(self, spec: MailSpec) -> None:
        self._spec = spec
        self._place = f"imap://{spec.host}"
        self._lock = threading.Lock()
        self._reading: imaplib.IMAP4 | None = None
        self._folder: tuple[str, str] = ("", "")  # that the reading connection has open, and its UIDVALIDITY
        self._names: dict[str, str] = {}

    def messages(self) -> Iterator[Message | Ignored]:
        """List all folders, then stream what they have: 8 bytes a message, and the server is not kept waiting."""
        found: list[tuple[str, str, str, array[int], array[int]]] = []
        with self._asking(), self._connected() as server:
            folders = self._folders(server)
            for folder, (name, flags) in sorted(folders.items()):
                reason = chosen(folder, self._spec, flags)
                validity, uids, sizes = ("", array("L"), array("L")) if reason else self._listed(server, folder, name)
                found.append((folder, reason, validity, uids, sizes))
        if all(reason for _, reason, *_ in found):
            raise none_chosen(self._place, list(folders))
        for folder, reason, validity, uids, sizes in found:
            if reason:
                yield Ignored(folder, reason)
            for uid, size in zip(uids, sizes, strict=True):
                yield Message(folder, str(uid), f"{validity}.{uid}", size)

    def read(self, folder: str, name: str, marker: str, limit: int) -> tuple[bytes, int]:
        """Fetch a message; a connection that was lost is opened again, once."""
        with self._lock, self._asking():
            for last in (False, True):
                try:
                    return self._fetched(folder, name, marker, limit)
                except (imaplib.IMAP4.abort, OSError):
                    self._drop()
                    if last:
                        raise
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    # -- details -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _asking(self) -> Generator[None]:
        """Turn what the library raises into what a run understands."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise SourceError(f"{self._place} has a certificate that is not trusted ({error.verify_message})") from None
        except socket.gaierror:
            raise SourceError(f"{self._place} cannot be reached now: its name is not known") from None
        except OSError as error:
            raise SourceError(
                f"{self._place} cannot be reached now ({(error.strerror or str(error)).lower()})"
            ) from None
        except imaplib.IMAP4.error as error:
            raise SourceError(f"{self._place} could not be listed to its end: {_words(error)}") from None

    @contextlib.contextmanager
    def _connected(self) -> Generator[imaplib.IMAP4]:
        server = self._open()
        try:
            yield server
        finally:
            _leave(server)

    def _open(self) -> imaplib.IMAP4:
        spec = self._spec
        port = spec.port or (993 if spec.security == "tls" else 143)
        if spec.security == "tls":
            server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                spec.host, port, ssl_context=ssl.create_default_context(), timeout=spec.timeout_s
            )
        else:
            server = imaplib.IMAP4(spec.host, port, timeout=spec.timeout_s)
        try:
            if spec.security == "starttls":
                server.starttls(ssl.create_default_context())
            try:
                server.login(spec.username, spec.password.get_secret_value())
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, UnicodeEncodeError) as error:
                words = "not ASCII" if isinstance(error, UnicodeEncodeError) else _words(error)
                msg = (
                    f"{self._place} refuses the credentials of {spec.username!r}; check username and password ({words})"
                )
                raise SourceError(msg) from None
        except BaseException:
            _leave(server)
            raise
        return server

    def _folders(self, server: imaplib.IMAP4) -> dict[str, tuple[str, list[str]]]:
        """Find the folders that hold messages: the name on the server, and flags, by the name for people."""
        _, lines = server.list()
        found: dict[str, tuple[str, list[str]]] = {}
        for line in lines:
            if line in (None, b"", b")") or (read := listed(line)) is None:
                continue
            name, between, flags = read
            if not {"\\noselect", "\\nonexistent"} & {flag.lower() for flag in flags}:
                shown = decoded(name)
                found["/".join(shown.split(between)) if between else shown] = name, flags
        self._names = {folder: name for folder, (name, _) in found.items()}
        return found

    def _examine(self, server: imaplib.IMAP4, name: str) -> tuple[str, int]:
        """Open a folder for reading alone; returns its UIDVALIDITY, and how many messages it has."""
        status, data = server.select(encoded(decoded(name)), readonly=True)
        if status != "OK":
            raise imaplib.IMAP4.error(f"folder {decoded(name)!r} cannot be opened: {_words(data)}")
        _, validity = server.response("UIDVALIDITY")
        return (validity[0] or b"0").decode(), int(data[0] or 0)

    def _listed(self, server: imaplib.IMAP4, folder: str, name: str) -> tuple[str, array[int], array[int]]:
        """List a folder by the numbers of its messages, which stay the same while nothing but this is asked.

        Another client may have removed some all the same, and a server then leaves them out: the folder is opened anew.
        """
        for _ in range(_TRIES):
            validity, count = self._examine(server, name)
            uids, sizes = array("L"), array("L")
            seen = 0
            for first in range(1, count + 1, _BLOCK):
                last = min(count, first + _BLOCK - 1)
                status, lines = server.fetch(f"{first}:{last}", "(UID RFC822.SIZE INTERNALDATE)")
                if status != "OK":
                    break
                for line in lines:
                    facts = _facts(line)
                    if facts is None:
                        continue
                    uid, size, arrived = facts
                    seen += 1
                    if self._spec.since is None or arrived is None or arrived >= self._spec.since:
                        uids.append(uid)
                        sizes.append(size)
            if seen == count:
                return validity, uids, sizes
        raise imaplib.IMAP4.error(f"folder {folder!r} has {count} messages, and {seen} of them were listed")

    def _fetched(self, folder: str, name: str, marker: str, limit: int) -> tuple[bytes, int]:
        if self._reading is None:
            self._reading = server = self._open()
            weakref.finalize(self, _leave, server)
        server = self._reading
        if folder not in self._names:
            self._folders(server)
        if folder not in self._names:
            raise GoneMessageError("there is no such folder (any more)")
        if self._folder[0] != folder:
            self._folder = folder, self._examine(server, self._names[folder])[0]
        if marker and marker.partition(".")[0] != self._folder[1]:
            raise GoneMessageError("the server has numbered the folder anew; the next run lists it again")
        _, lines = server.uid("FETCH", name, "(UID RFC822.SIZE)")
        facts = next((found for line in lines if (found := _facts(line)) and found[0] == int(name)), None)
        if facts is None:
            raise GoneMessageError("there is no such message (any more)")
        if facts[1] > limit:
            return b"", facts[1]
        _, lines = server.uid("FETCH", name, "(UID BODY.PEEK[])")
        data = next((line[1] for line in lines if isinstance(line, tuple) and b"BODY[]" in line[0]), None)
        if data is None:
            raise GoneMessageError("there is no such message (any more)")
        return data, len(data)

    def _drop(self) -> None:
        if self._reading is not None:
            _leave(self._reading)
        self._reading, self._folder = None, ("", "")


def _facts(line: bytes | tuple[bytes, bytes] | None) -> tuple[int, int, date | None] | None:
    """Read number, size and day of a message out of an answer to FETCH; None for an answer about something else."""
    text = b"".join(line) if isinstance(line, tuple) else line or b""
    uid = size = arrived = None
    for found in _FACTS.finditer(text):
        uid, size = (int(found[1]) if found[1] else uid), (int(found[2]) if found[2] else size)
        if found[3]:
            with contextlib.suppress(ValueError):
                arrived = (
                    datetime.strptime(found[3].decode("latin-1").strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC).date()
                )
    return None if uid is None or size is None else (uid, size, arrived)


def _leave(server: imaplib.IMAP4) -> None:
    """End a connection, whatever state it is in."""
    with contextlib.suppress(imaplib.IMAP4.error, OSError):
        server.shutdown()


def _words(what: object) -> str:
    """Return what a server says, safe to show."""
    first = what.args[0] if isinstance(what, Exception) and what.args else what
    first = first[0] if isinstance(first, list) and first else first
    text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return visible(text, line=True)[:200]
