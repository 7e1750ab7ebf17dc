"""Zip archives of strangers: checked before a parser unpacks them."""

from __future__ import annotations

import io
import zipfile
import zlib

from relance.errors import DocumentError

__all__ = ["open_archive"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_ENCRYPTED = 0x1
_MIB = 1 << 20
# Deflate cannot do better than about 1,030 to 1; texts reach 20 to 1.
_RATIO = 200
_RATIO_FROM = 16 * _MIB
_CHUNK = 1 << 18


def open_archive(data: bytes, uri: str, *, max_unpacked: int) -> zipfile.ZipFile:
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
    # Sizes may lie: reading checks them and the checksums, and never unpacks more than was declared.
    for entry in entries:
        try:
            with archive.open(entry) as stream:
                while stream.read(_CHUNK):
                    pass
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
            raise DocumentError(uri, f"truncated or damaged: cannot unpack {entry.filename}") from None
    if "META-INF/rights.xml" in archive.NameToInfo:
        raise DocumentError(uri, "encrypted: this book is protected by DRM")
    return archive
