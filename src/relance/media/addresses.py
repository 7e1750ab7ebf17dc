"""Where a document's references lead: an address, a path, or the bytes themselves."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit

from relance.errors import InputError
from relance.parsers.references import tidy

__all__ = ["data_url", "resolve", "separator_in"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://[^/]*/", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUOTED = str.maketrans({"%": "%25", "#": "%23", "?": "%3F"})  # as sources of objects write keys
_LONGEST_DATA_URL = 10_485_760  # characters; what DashScope takes of one, see MediaRules.max_data_uri


def resolve(url: str, document_uri: str, root: str = "", *, prefix: str = "") -> str:
    """Make a document's reference usable: an http(s) address, a path relative to the spec folder, or `data:image/…`.

    Args:
        url: as a document has it; `//host/…` becomes https, query and fragment of a path are dropped.
        document_uri: path of the document relative to the spec folder, or its address.
        root: the folder a path may not leave, relative to the spec folder, which it is by default; `/…` begins there.
        prefix: an address that relative ones begin with, in place of where the document is.

    Returns:
        Empty for what cannot be fetched or must not be: other schemes, paths that lead out of `root`.
    """
    url = "" if _CONTROL.search(url := tidy(url)) else url
    scheme = _SCHEME.match(url)
    remote = _REMOTE.match(document_uri)  # such as s3://bucket/page.md: a path below the bucket
    if scheme:
        fetched = scheme[1].lower() in {"http", "https"} or url[:11].lower() == "data:image/"
        # An object of the same bucket is as good: its source says whether it may be read.
        return url if fetched or (remote and url.startswith(remote[0])) else ""
    try:
        if url.startswith("//"):
            return urljoin("https:", url) if urlsplit(url).hostname else ""
        if prefix:
            return prefix + "/" * (prefix[-1] not in "/=") + url.lstrip("/") if url.strip("/") else ""
        if document_uri.lower().startswith(("http://", "https://")):
            return urljoin(document_uri, url) if url else ""
    except ValueError:  # an unfinished IPv6 address
        return ""
    return _in_bucket(url, remote[0], document_uri[remote.end() :]) if remote else _below(url, document_uri, root)


def _in_bucket(url: str, place: str, document: str) -> str:
    """Resolve a path against the key of a document, which is quoted in its uri, as what comes back is."""
    path = _below(url, unquote(document), "")
    return place + path.translate(_QUOTED) if path else ""


def _below(url: str, document: str, root: str) -> str:
    """Resolve a path against the document's; empty for what leads out of the root, and for folders."""
    path = unquote(re.split("[?#]", url, maxsplit=1)[0]).replace("\\", "/")
    if path.rpartition("/")[2] in {"", ".", ".."} or _CONTROL.search(path):  # a folder is no picture
        return ""
    folder = root if path.startswith("/") else posixpath.dirname(document)
    path = posixpath.normpath(posixpath.join(folder, path.lstrip("/")))
    root = posixpath.normpath(root)
    inside = path.split("/")[0] != ".." if root == "." else path.startswith(f"{root}/")
    return path if inside else ""


def data_url(url: str, max_length: int = _LONGEST_DATA_URL) -> bytes:
    """Decode a `data:` URL; InputError if it is none, damaged, or longer than so many characters."""
    head, comma, payload = url.partition(",")
    if not head[:5].lower() == "data:" or not comma:
        raise InputError("a data: URL has the form data:TYPE;base64,CONTENT; correct it")
    if len(url) > max_length:
        raise InputError(f"a data: URL of {len(url):,} characters, more than {max_length:,}; use a file or an address")
    data = unquote_to_bytes(payload)
    if not head.lower().rstrip().endswith(";base64"):
        return data
    data = b"".join(data.split()).rstrip(b"=")  # padding is optional in browsers
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("a data: URL whose Base64 is damaged; write the content again") from None


_SEPARATORS = ("|", ";", ",", " ")
_ONE = re.compile(r"https?://\S+|\S[^|;,]*\.[a-z0-9]{3,4}(?:\?\S*)?", re.IGNORECASE)


def separator_in(place: str) -> str:
    """Say what seems to stand between several addresses in what should be one; empty where it looks like one."""
    for separator in _SEPARATORS:
        parts = [part.strip() for part in place.split(separator)]
        if len(parts) > 1 and all(map(_ONE.fullmatch, filter(None, parts))):
            return separator
    return ""
