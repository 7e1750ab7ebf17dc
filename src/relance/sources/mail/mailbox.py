"""What a mailbox is to the source, wherever it is: folders with messages that never change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from relance.documents import Ignored
from relance.errors import ConfigurationError
from relance.sources.mail.spec import MailSpec

__all__ = ["GoneMessageError", "Mailbox", "Message", "chosen"]


class Message(NamedTuple):
    """A message of a folder; `name` is its place in the folder, `marker` changes if another one takes it."""

    folder: str
    name: str
    marker: str
    size: int


class GoneMessageError(Exception):
    """A message is not there (any more); its text says why."""


class Mailbox(ABC):
    """Folders with messages."""

    @abstractmethod
    def messages(self) -> Iterator[Message | Ignored]:
        """Stream the messages of the folders that are read, folder by folder; `Ignored` has the name of a folder.

        Raises ConfigurationError where there is no such mailbox, SourceError where it cannot be listed to its end.
        """

    @abstractmethod
    def read(self, folder: str, name: str, marker: str, limit: int) -> tuple[bytes, int]:
        """Return a message and its size; nothing of one that is larger than the limit.

        Raises GoneMessageError, or SourceError where nobody knows.
        """


def chosen(folder: str, spec: MailSpec, uses: Sequence[str] = ()) -> str:
    r"""Say why a folder is not read; empty if it is.

    Args:
        folder: its name, with `/` between levels.
        spec: the section.
        uses: what the server says that it is for, such as `\Trash`.
    """
    if not any(fnmatchcase(folder, pattern) for pattern in spec.folders):
        return "not in folders"
    last = folder.rpartition("/")[2]
    if any(fnmatchcase(folder, each) or fnmatchcase(last, each) for each in spec.exclude):
        return "in exclude"
    if folder not in spec.folders and {"\\trash", "\\junk", "\\drafts", "\\all"} & {each.lower() for each in uses}:
        return "trash, junk, drafts or all mail"
    return ""


def none_chosen(place: str, folders: Sequence[str]) -> ConfigurationError:
    """Return the error for patterns that no folder matches."""
    known = ", ".join(sorted(folders)[:8]) + (", …" if len(folders) > 8 else "")
    return ConfigurationError(f"{place}: no folder matches `folders`; there are {known or 'none'}")
