"""Which media type bytes have, by what they begin with; neither a name nor a header is believed."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["sniff"]

_HEAD = 4096

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),  # BigTIFF
    (b"MM\0+", "image/tiff"),
    (b"icns", "image/icns"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),  # program stream
    (b"\0\0\x01\xb3", "video/mpeg"),  # elementary stream
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", "video/x-ms-wmv"),
    (b"%PDF-", "application/pdf"),
)
# The type of an ISO media file is its major brand; a generic one defers to the compatible brands.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), "audio/mp4"),
    b"qt  ": "video/quicktime",
}
_GENERIC_BRANDS = frozenset((b"mif1", b"msf1", b"miaf"))
# QuickTime files from before `ftyp` begin with any of these.
_ATOMS = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_BITMAP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
_BITMAP_DEPTHS = frozenset((1, 4, 8, 16, 24, 32))

# Markup. Quantifiers are possessive or bounded by the 4 KB that are looked at.
_PROLOG = re.compile(
    rb"(?:\s++|<\?[^>]*+>|<!--.*?-->|<!doctype\s[^>\[]*+(?:\[.*?\]\s*)?>)*+", re.DOTALL | re.IGNORECASE
)
_ROOT = re.compile(rb"<(?:[\w.-]+:)?([a-z][\w.-]*)", re.IGNORECASE)
_HTML_DOCTYPE = re.compile(rb"<!doctype\s+html", re.IGNORECASE)
_HTML_ROOTS = frozenset(
    b"html head body title meta link script style iframe div p a b br h1 h2 h3 center font table span".split()
)
_JSON = re.compile(rb'\s*(?:\{\s*(?:"|\})|\[\s*(?:[\[{"\]\d-]|true\b|false\b|null\b))')


def sniff(data: bytes) -> str:
    """Name the media type of content; empty if it is none of those known here.

    Images: jpeg png gif bmp x-dib (a bitmap without file header) webp tiff x-icon icns avif heic sgi. Videos: mp4 3gpp
    quicktime x-msvideo x-matroska webm x-flv mpeg mp2t x-ms-wmv. Besides `audio/mp4`, `text/html`, `image/svg+xml`,
    `application/xml`, `application/json` and `application/pdf`, so that a lie can be called what it is.
    """
    head = bytes(data[:_HEAD])
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    return next((found for look in _LOOKS if (found := look(head))), "")


def _iso(head: bytes) -> str:
    kind, brand = head[4:8], head[8:12]
    if kind in _ATOMS and head[:1] < b" ":  # a size; in a text that happens to say `free` it would be a letter
        return "video/quicktime"
    if kind != b"ftyp" or len(brand) < 4:
        return ""
    if brand in _GENERIC_BRANDS:
        box = head[16 : int.from_bytes(head[:4])]
        compatible = [box[at : at + 4] for at in range(0, len(box), 4)]
        return next((found for name in compatible if (found := _BRANDS.get(name))), "image/heic")
    return "video/3gpp" if brand[:2] == b"3g" else _BRANDS.get(brand, "video/mp4")


def _riff(head: bytes) -> str:
    forms = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
    return forms.get(head[8:12], "") if head.startswith(b"RIFF") else ""


def _matroska(head: bytes) -> str:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return ""
    at = head.find(b"\x42\x82")  # the DocType element; a webm is a matroska with fewer codecs
    name = head[at + 3 : at + 11] if at > 0 else b""
    return "video/webm" if name.startswith(b"webm") else "video/x-matroska" if name.startswith(b"matroska") else ""


def _bitmap(head: bytes) -> str:
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return "image/bmp"
    at = 8 if head[:4] == b"\x0c\0\0\0" else 12  # the oldest header has sides of two bytes
    planes, depth = (int.from_bytes(head[i : i + 2], "little") for i in (at, at + 2))
    known = int.from_bytes(head[:4], "little") in _BITMAP_HEADERS
    return "image/x-dib" if known and planes == 1 and depth in _BITMAP_DEPTHS else ""


def _icon(head: bytes) -> str:
    # Type 1, at least one picture, and the byte reserved in its entry.
    return "image/x-icon" if head.startswith(b"\0\0\x01\0") and head[4:6] > b"\0\0" and head[9:10] == b"\0" else ""


def _sgi(head: bytes) -> str:
    plausible = head[2:3] in (b"\0", b"\1") and head[3:4] in (b"\1", b"\2") and head[4:6] in (b"\0\1", b"\0\2", b"\0\3")
    return "image/sgi" if head.startswith(b"\x01\xda") and plausible else ""


def _transport_stream(head: bytes) -> str:
    # A sync byte every 188 bytes, or every 192 where each packet has a time stamp before it.
    for start, step in ((0, 188), (4, 192)):
        sync = head[start::step]
        if len(sync) >= 3 and sync.count(b"\x47") == len(sync):
            return "video/mp2t"
    return ""


def _markup(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"<"):
        return ""
    prolog = _PROLOG.match(text)
    start = prolog.end() if prolog else 0
    root = _ROOT.match(text, start)
    name = root[1].lower() if root else b""
    if name == b"svg":
        return "image/svg+xml"
    if name in _HTML_ROOTS or _HTML_DOCTYPE.search(text, 0, start or len(text)):
        return "text/html"
    return "application/xml" if text.startswith(b"<?xml") else ""


def _json(head: bytes) -> str:
    return "application/json" if _JSON.match(head.removeprefix(b"\xef\xbb\xbf")) else ""


_LOOKS: tuple[Callable[[bytes], str], ...] = (
    *(_iso, _riff, _matroska, _bitmap, _icon, _sgi, _transport_stream),
    *(_markup, _json),
)
