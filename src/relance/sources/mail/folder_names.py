"""Names of IMAP folders: as the server lists them, and in its form of UTF-7 (RFC 3501, 5.1.3)."""

from __future__ import annotations

import binascii
import re

__all__ = ["decoded", "encoded", "listed"]

_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?P<between>NIL|"\\?.") (?P<name>.*)\Z', re.DOTALL)
_SHIFTED = re.compile(r"&([^-]*)-")
_OTHERS = re.compile(r"[^\x20-\x7e]+")


def listed(line: bytes | tuple[bytes, bytes]) -> tuple[str, str, list[str]] | None:
    """Read an answer to LIST: the name on the server, what separates levels, and flags; None for what is none."""
    head, literal = line if isinstance(line, tuple) else (line, None)
    found = _LISTED.match(head)
    if found is None:
        return None
    name = literal if literal is not None else found["name"].strip()
    if literal is None and name[:1] == b'"':
        name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
    between = "" if found["between"] == b"NIL" else found["between"].decode()[-2]
    return name.decode("latin-1"), between, found["flags"].decode("latin-1").split()


def decoded(name: str) -> str:
    """Read a name; one that is not encoded rightly as it is."""
    try:
        return _SHIFTED.sub(lambda match: _plain(match[1]) if match[1] else "&", name)
    except (binascii.Error, UnicodeDecodeError):
        return name


def encoded(name: str) -> str:
    """Write a name for the server, quoted."""
    written = _OTHERS.sub(_shifted, name.replace("&", "&-"))
    return '"' + written.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(letters: str) -> str:
    data = letters.replace(",", "/")
    return binascii.a2b_base64(data + "=" * (-len(data) % 4)).decode("utf-16-be")


def _shifted(match: re.Match[str]) -> str:
    data = binascii.b2a_base64(match[0].encode("utf-16-be"), newline=False).decode()
    return f"&{data.rstrip('=').replace('/', ',')}-"
