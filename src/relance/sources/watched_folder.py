"""A folder whose changes are watched: from paths that changed to the uris of documents."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from relance.config.sources import FilesSource
from relance.parsers.media_types import is_media
from relance.sources.ignore import Rules
from relance.sources.walk import VERSION_CONTROL, inside, is_table

__all__ = ["WatchedFolder"]

Identity = tuple[int, int]


class WatchedFolder:
    """The paths below a folder: which of them are documents, and where the folder is right now.

    What `Files.list` would list has a uri here (a test compares them), without listing it: the rules of its folders
    are read and nothing else. They are remembered until `refresh`.

    Attributes:
        root: the folder with links resolved; paths are below it.
        identity: device and inode of the folder, None while it is away; another folder in its place has another one.
        folders: folders that are listed, as absolute paths: once one is gone, nothing else tells it from a file.
    """

    def __init__(
        self,
        section: FilesSource,
        place: Path,
        prefix: str,
        wanted: Callable[[str], bool],
        media_type_of: Callable[[str], str],
        *,
        own: Sequence[Path] = (),
        shown: bool = False,
    ) -> None:
        """Look where the folder is.

        Args:
            section: of the spec, whose patterns and policies hold.
            place: the folder, absolute.
            prefix: what uris begin with: empty, or a path that ends with `/`.
            wanted: whether a path below the folder is a document if no rule takes it out.
            media_type_of: names the media type of a path.
            own: files and folders of the index itself, absolute; they are no documents.
            shown: whether documents may show images and videos of this folder.
        """
        self._section, self._place, self._prefix = section, place, prefix
        self._wanted, self._media_type_of = wanted, media_type_of
        self._exclude = Rules(section.exclude, strict=True)
        self._shown = shown
        self._own = {os.path.realpath(path) for path in own}
        self.root, self.identity = "", None
        self.folders: set[str] = set()
        self._rules = lru_cache(maxsize=4096)(self._read_rules)
        self._is_link = lru_cache(maxsize=4096)(os.path.islink)
        self.locate()

    @property
    def name(self) -> str:
        """How the spec's folder sees this one, e.g. `docs`; empty for itself."""
        return self._prefix.rstrip("/")

    @property
    def place(self) -> Path:
        """Where the spec says that the folder is."""
        return self._place

    def locate(self) -> bool:
        """Look where the folder is now; returns whether it is another one than before, or none."""
        before = self.identity
        try:
            status = self._place.stat()
            self.identity = (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
        except OSError:
            self.identity = None
        self.root = os.path.realpath(self._place)
        return self.identity != before

    def is_empty(self) -> bool:
        """Whether nothing is in the folder, as in a mount point without its mount."""
        try:
            with os.scandir(self.root) as entries:
                return next(entries, None) is None
        except OSError:
            return True

    def refresh(self) -> None:
        """Forget the rules that were read."""
        self._rules.cache_clear()
        self._is_link.cache_clear()

    def holds(self, path: str) -> bool:
        """Whether a path is below the folder."""
        return path != self.root and inside(path, self.root)

    def is_vague(self, path: str) -> bool:
        """Whether a change of this path may concern documents with other names, so that all have to be looked at."""
        folder, _, name = path.rpartition(os.sep)
        if name in self._section.ignore_files:
            return self.enters(folder)
        if not (self._section.follow_symlinks or (self._shown and is_media(self._media_type_of(path)))):
            return False
        return VERSION_CONTROL.isdisjoint(self._relative(path).split("/"))

    def uri(self, path: str) -> str:
        """Return the uri of a file below the folder, whether it is there or not; empty if it is no document."""
        relative = self._relative(path)
        if not relative or not self._passes(relative) or not self._wanted(relative):
            return ""
        if not self._passes(relative + "/") and not os.path.lexists(path):
            return ""  # gone, and perhaps a folder that was ignored: a name without a suffix does not tell
        return (self._prefix + relative).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def enters(self, path: str) -> bool:
        """Whether documents may be below a folder."""
        relative = self._relative(path)
        return not relative or self._passes(relative + "/")

    def below(self, folder: str) -> Iterator[str]:
        """Stream the documents below a folder as they are now, and learn its folders."""
        for place, files in self._walk(folder):
            yield from filter(None, (self.uri(f"{place}{os.sep}{name}") for name in files))

    def learn_folders(self) -> None:
        """Find the folders there are."""
        self.folders.clear()
        for _ in self._walk(self.root):
            pass

    def _walk(self, folder: str) -> Iterator[tuple[str, list[str]]]:
        for place, names, files in os.walk(folder):
            self.folders.add(place)
            names[:] = [name for name in sorted(names) if self.enters(f"{place}{os.sep}{name}")]
            yield place, sorted(files)

    def _relative(self, path: str) -> str:
        return path[len(self.root.rstrip(os.sep)) + 1 :].replace(os.sep, "/")

    def _passes(self, path: str) -> bool:
        """Whether the walk from the root gets as far as a path, which ends with `/` if it is a folder."""
        start, length = 0, len(path)
        while start < length:
            slash = path.find("/", start)
            end = length if slash < 0 else slash
            name, here = path[start:end], path[: end + 1]
            if not name or (name[0] == "." and not self._section.hidden) or name in VERSION_CONTROL:
                return False
            if f"{self.root}/{path[:end]}" in self._own or (slash >= 0 and is_table(name)):
                return False
            if (self._exclude and self._exclude.verdict(here)) or self._ignored(here, path[:start]):
                return False
            if not self._section.follow_symlinks and self._is_link(f"{self.root}/{path[:end]}"):
                return False
            start = end + 1
        return True

    def _ignored(self, path: str, folder: str) -> bool:
        while True:  # the deepest folder has the last word
            verdict = self._rules(folder).verdict(path)
            if verdict is not None:
                return verdict
            if not folder:
                return False
            folder = folder[: folder.rstrip("/").rfind("/") + 1]

    def _read_rules(self, folder: str) -> _FolderRules:
        return _FolderRules(self.root, folder, self._section.ignore_files)


class _FolderRules:
    """The ignore files of one folder; the last of them that has an opinion counts."""

    def __init__(self, root: str, folder: str, names: list[str]) -> None:
        self._rules: list[Rules] = []
        for name in names:
            try:
                text = Path(root, folder, name).read_text(encoding="utf-8-sig", errors="surrogateescape")
            except OSError:
                continue  # none there; or the run says why it cannot be read
            self._rules.append(Rules(text.splitlines(), folder))

    def verdict(self, path: str) -> bool | None:
        for rules in reversed(self._rules):
            verdict = rules.verdict(path)
            if verdict is not None:
                return verdict
        return None
