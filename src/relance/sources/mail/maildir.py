"""A Maildir: a file a message, whose name begins with what never changes and ends with flags."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path

from relance.documents import Ignored
from relance.errors import ConfigurationError, SourceError
from relance.sources.mail.mailbox import GoneMessageError, Mailbox, Message, chosen, none_chosen
from relance.sources.mail.spec import MailSpec

__all__ = ["MaildirBox"]

_SCANS = 5
_SIZE = re.compile(r",S=(\d{1,12})(?:,|$)")
_ARRIVED = re.compile(r"\d{9,11}(?=\.)")


class MaildirBox(Mailbox):
    """Folders as Maildir++ has them (`.Archive.2024`), or one within the other."""

    def __init__(self, root: Path, spec: MailSpec) -> None:
        self._root, self._spec = root, spec
        self._since = datetime.combine(spec.since, time(), UTC).timestamp() if spec.since else 0.0
        self._here: tuple[str, dict[str, str]] = ("", {})  # of the folder that was looked at last

    def messages(self) -> Iterator[Message | Ignored]:
        """Stream the messages of the folders that are read."""
        if not self._root.is_dir():
            raise ConfigurationError(f"the Maildir {self._root} does not exist; is it mounted, is `maildir` right?")
        folders = self._folders()
        if not folders:
            raise ConfigurationError(f"{self._root} is no Maildir: there is no folder `cur` in it, nor below it")
        reasons = {folder: chosen(folder, self._spec) for folder in folders}
        if all(reasons.values()):
            raise none_chosen(str(self._root), list(folders))
        for folder in sorted(folders):
            if reason := reasons[folder]:
                yield Ignored(folder, reason)
                continue
            found = self._scan(folders[folder])
            self._here = folder, found
            for name in sorted(found):
                path = found[name]
                if not self._since or self._arrived(name, path) >= self._since:
                    size = _SIZE.search(path.rpartition("/")[2].partition(":")[0])
                    yield Message(folder, name, name, int(size[1]) if size else 0)

    def read(self, folder: str, name: str, marker: str, limit: int) -> tuple[bytes, int]:  # noqa: ARG002  # a name is never used twice
        """Read a message, whatever its flags are by now."""
        here, known = self._here
        for fresh in (False, True):  # its flags, and with them its name, may have changed
            if fresh or here != folder:
                place = self._folders().get(folder)
                if place is None:
                    break
                known = self._scan(place)
                self._here = folder, known
            if name not in known:
                continue
            try:
                with Path(known[name]).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    return (file.read(limit + 1), size) if size <= limit else (b"", size)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise GoneMessageError(f"it cannot be read: {(error.strerror or str(error)).lower()}") from None
        raise GoneMessageError("there is no such message (any more)")

    def _folders(self) -> dict[str, Path]:
        """Find the folders by name."""
        found: dict[str, Path] = {}
        try:
            for place, names, _ in os.walk(self._root, onerror=_refuse):
                path = Path(place)
                if "cur" in names:
                    levels = path.relative_to(self._root).parts
                    parts = [
                        part for level in levels for part in (level[1:].split(".") if level[0] == "." else [level])
                    ]
                    found["/".join(parts) or "INBOX"] = path
                names[:] = sorted(name for name in names if name not in {"cur", "new", "tmp"})
        except OSError as error:
            raise SourceError(
                f"the Maildir {self._root} cannot be listed: {(error.strerror or str(error)).lower()}"
            ) from None
        return found

    def _scan(self, folder: Path) -> dict[str, str]:
        """Find the messages of a folder: their unchanging names, and where they are.

        Mail programs rename files while we look, and then the system may show us neither name. Looking again until
        nothing has changed meanwhile, and putting together what was seen, misses none that was there all the time.
        """
        found: dict[str, str] = {}
        places = [folder / "new", folder / "cur"]  # in this order messages move
        try:
            for _ in range(_SCANS):
                before = [_changed(place) for place in places]
                for place in places:
                    if not place.is_dir():
                        continue
                    with os.scandir(place) as entries:
                        found |= {entry.name.partition(":")[0]: entry.path for entry in entries if entry.name[0] != "."}
                if before == [_changed(place) for place in places]:
                    break
        except OSError as error:
            raise SourceError(
                f"the folder {folder} cannot be listed: {(error.strerror or str(error)).lower()}"
            ) from None
        return {name: path for name, path in found.items() if name.isprintable() and "/" not in name}

    def _arrived(self, name: str, path: str) -> float:
        if said := _ARRIVED.match(name):
            return float(said[0])
        try:
            return Path(path).stat().st_mtime
        except OSError:
            return float("inf")  # reading it says more


def _changed(place: Path) -> int:
    try:
        return place.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _refuse(error: OSError) -> None:
    raise error
