"""XML of strangers: no network, no entities, bounded depth and size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from relance.errors import DocumentError

__all__ = ["Element", "local", "parse_xml", "stream_xml", "whole"]

Element = Any  # lxml is compiled, without types

# A tree takes ten times the bytes of its XML; Word's own limit is 32 MB of text without markup.
_LARGEST = 96 << 20
# ISO's strict files differ from everybody's in the names of their namespaces only.
_STRICT = b"http://purl.oclc.org/ooxml/"
_NAMESPACES = (
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships",
     b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main",
     b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"http://purl.oclc.org/ooxml/spreadsheetml/main", b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (b"http://purl.oclc.org/ooxml/presentationml/main", b"http://schemas.openxmlformats.org/presentationml/2006/main"),
    (b"http://purl.oclc.org/ooxml/drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
)  # fmt: skip
_OPTIONS = {"resolve_entities": False, "no_network": True, "load_dtd": False, "remove_comments": True,
            "remove_pis": True,
            "huge_tree": False, "collect_ids": False}  # fmt: skip


def parse_xml(data: bytes, uri: str, name: str) -> Element:
    """Parse a part of a document; raises DocumentError if it is not well formed or a bomb."""
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    if len(data) > _LARGEST:
        raise DocumentError(uri, f"{name} is larger than {_LARGEST >> 20} MiB; split the document")
    if _STRICT in data:
        for strict, usual in _NAMESPACES:
            data = data.replace(strict, usual)
    try:
        root = etree.fromstring(data, etree.XMLParser(**_OPTIONS))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _damaged(uri, name, error) from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and next(dtd.iterentities(), None) is not None:
        raise DocumentError(uri, f"damaged: {name} declares entities, which no office program writes")
    return root


def stream_xml(stream: IO[bytes], uri: str, name: str, tags: tuple[str, ...]) -> Iterator[Element]:
    """Yield the elements called so, in any namespace, each forgotten when the next is asked for."""
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    try:
        for _, element in etree.iterparse(stream, events=("end",), tag=[f"{{*}}{tag}" for tag in tags], **_OPTIONS):
            yield element
            element.clear(keep_tail=False)
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _damaged(uri, name, error) from None


def local(element: Element) -> str:
    """Name an element without its namespace; empty for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def whole(text: str | None, default: int = 0) -> int:
    """Read an attribute as a whole number between a million and minus a million; `default` for anything else."""
    try:
        return max(-1_000_000, min(int(text or ""), 1_000_000))
    except ValueError:
        return default


def _damaged(uri: str, name: str, error: Exception) -> DocumentError:
    return DocumentError(
        uri, f"truncated or damaged: {name} is not well-formed XML ({' '.join(str(error).split())[:120]})"
    )
