"""The address of a bucket or of an object in it, and how keys stand in uris."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

__all__ = ["SCHEMES", "Address", "is_below"]

# scheme → the kind of service; what speaks for it is chosen by that.
SCHEMES = {
    "s3": "s3",
    "gs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "oss": "oss",
    "cos": "cos",
    "obs": "obs",
    "webdav": "webdav",
    "webdavs": "webdav",
    "webhdfs": "webhdfs",
    "hdfs": "hdfs",
}
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>[^/?#]+)(?:/(?P<prefix>.*))?", re.DOTALL)
# `#` begins the id of a row and `?` a query, `%` is what quotes them; control characters are in no uri.
_QUOTED = re.compile(r"[%#?\x00-\x1f\x7f]")
_KEYLESS = {"", ".", ".."}


@dataclass(slots=True, frozen=True)
class Address:
    """A bucket, and the folder of it that is meant.

    Attributes:
        scheme: as it was written.
        place: bucket, or host with port.
        prefix: of keys; empty, or a path that ends with `/`.
    """

    scheme: str
    place: str
    prefix: str

    @classmethod
    def read(cls, text: str) -> Address:
        """Take an address apart; ValueError with a sentence."""
        found = _ADDRESS.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no address of a bucket; it looks like s3://bucket/folder")
        scheme, prefix = found["scheme"].lower(), (found["prefix"] or "").strip("/")
        if scheme == "sftp":
            raise ValueError(
                "sftp:// is not in opendal's wheels; mount it (sshfs, rclone mount), and use `type: files`"
            )
        if scheme not in SCHEMES:
            raise ValueError(f"{scheme}:// is unknown; known are {', '.join(f'{each}://' for each in SCHEMES)}")
        if prefix and not _KEYLESS.isdisjoint(prefix.split("/")):
            raise ValueError(f"{text!r} has an empty part, . or .. in its folder; correct it")
        return cls(scheme, found["place"], f"{prefix}/" if prefix else "")

    @property
    def kind(self) -> str:
        """The kind of service."""
        return SCHEMES[self.scheme]

    def uri(self, key: str) -> str:
        """Name an object by its whole key. The uri has no `#`, so none is taken for a row of a table."""
        return f"{self.scheme}://{self.place}/{_QUOTED.sub(_quote, key)}"

    def key(self, uri: str) -> str:
        """Return the key of an object, or of the table that has a row; empty for what is not below this address."""
        head = f"{self.scheme}://{self.place}/"
        if not uri.startswith(head):
            return ""
        key = unquote(uri[len(head) :].partition("#")[0], errors="surrogateescape")
        below = key.startswith(self.prefix) and len(key) > len(self.prefix)
        return key if below and not is_odd(key) else ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}/{self.prefix}".rstrip("/")


def is_odd(key: str) -> bool:
    """Whether libraries cannot address a key: they take empty parts, `.` and `..` for steps of a path."""
    return (not key.isprintable() and any(map(_is_control, key))) or not _KEYLESS.isdisjoint(key.split("/"))


def is_below(uri: str, folder: str) -> bool:
    """Whether an address is a folder's, or below it."""
    return uri == folder or uri.startswith(folder.rstrip("/") + "/")


def _quote(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _is_control(letter: str) -> bool:
    return letter < " " or letter == "\x7f"
