"""Zip archives of strangers: checked before a parser unpacks them."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import IO

from relance.errors import DocumentError

__all__ = ["Archive", "open_archive"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_ENCRYPTED = 0x1
_MIB = 1 << 20
# Deflate cannot do better than about 1,030 to 1; texts reach 20 to 1.
_RATIO = 200
_RATIO_FROM = 16 * _MIB
_CHUNK = 1 << 18
# Parts that hold text or say where text is. A damaged picture, sound or font costs no word.
_WORDS = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".vml", "mimetype")
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


class Archive:
    """An archive whose parts with text are whole; the case of a name does not count, as in Office.

    Attributes:
        damaged: parts without text that cannot be unpacked.
    """

    def __init__(self, archive: zipfile.ZipFile, uri: str, *, max_unpacked: int) -> None:
        self.uri = uri
        self.damaged: tuple[str, ...] = ()
        self._archive = archive
        self._parts = {_key(entry.filename): entry for entry in archive.infolist()}
        self._left = max_unpacked

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._parts

    def names(self) -> list[str]:
        """List the parts, in the archive's order."""
        return [entry.filename for entry in self._parts.values()]

    def size(self, name: str) -> int:
        """Count the bytes of a part; 0 where there is none."""
        entry = self._parts.get(_key(name))
        return entry.file_size if entry else 0

    def read(self, name: str) -> bytes:
        """Unpack a part; no bytes where there is none."""
        if name not in self:
            return b""
        with self.open(name) as stream:
            return stream.read()

    def open(self, name: str) -> IO[bytes]:
        """Open a part as a stream; the same part again and again is a bomb, too, and is refused."""
        entry = self._parts[_key(name)]
        self._left -= entry.file_size
        if self._left < 0:
            raise DocumentError(self.uri, "names its parts again and again until they are too many bytes; a bomb?")
        return self._archive.open(entry)

    def check(self) -> None:
        """Unpack everything once; raises DocumentError where text is lost."""
        lost = []
        for entry in self._parts.values():
            try:
                with self._archive.open(entry) as stream:
                    while stream.read(_CHUNK):
                        pass
            except _UNREADABLE:
                if entry.filename.lower().endswith(_WORDS):
                    reason = f"truncated or damaged: cannot unpack {entry.filename}"
                    raise DocumentError(self.uri, reason) from None
                lost.append(entry.filename)
        self.damaged = tuple(lost)


def open_archive(data: bytes, uri: str, *, max_unpacked: int) -> Archive:
    """Open an archive that is whole, unencrypted and unpacks to at most `max_unpacked` bytes.

    Raises DocumentError with a plain reason.
    """
    if data.startswith(_OLE):
        if _ENCRYPTED_PACKAGE in data:
            raise DocumentError(uri, "encrypted: this document needs a password")
        raise DocumentError(uri, "an old Office file under a new name; save it in the new format")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise DocumentError(uri, "truncated or damaged: not a readable zip archive") from None
    entries = archive.infolist()
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise DocumentError(uri, "encrypted: this document needs a password")
    total = sum(entry.file_size for entry in entries)
    if total > max_unpacked:
        raise DocumentError(
            uri, f"unpacks to {total // _MIB:,} MiB, more than {max_unpacked // _MIB:,} MiB; a zip bomb?"
        )
    if total > max(_RATIO * len(data), _RATIO_FROM):
        raise DocumentError(uri, f"unpacks to {total // len(data):,} times its size; a zip bomb?")
    opened = Archive(archive, uri, max_unpacked=max_unpacked)
    # Sizes may lie: reading checks them and the checksums, and never unpacks more than was declared.
    opened.check()
    if "META-INF/rights.xml" in opened:
        raise DocumentError(uri, "encrypted: this book is protected by DRM")
    return opened


def _key(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
