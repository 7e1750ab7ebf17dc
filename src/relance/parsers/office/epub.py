"""E-books: the chapters in the order of the spine, each under its heading."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote

from relance.errors import DocumentError
from relance.parsers.archive import Archive
from relance.parsers.decoding import decode
from relance.parsers.html import read_page
from relance.parsers.html.parser import declared_encoding
from relance.parsers.markdown import first_heading
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import line
from relance.parsers.office.properties import typed
from relance.parsers.office.xml import Element, local, parse_xml
from relance.parsers.parser import Parsed

__all__ = ["read_epub"]

_DC = "{http://purl.org/dc/elements/1.1/}"
_NAMES = {"title": "title", "creator": "author", "subject": "keywords", "language": "language", "date": "published",
          "publisher": "publisher", "description": "description"}  # fmt: skip
_PAGES = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})


def read_epub(archive: Archive, left_out: LeftOut) -> Parsed:
    """Read a book; raises DocumentError where it is none or protected."""
    package, folder = _package(archive)
    manifest = {item.get("id", ""): item for item in package.iterfind("{*}manifest/{*}item")}
    spine = package.find("{*}spine")
    items = [manifest.get(ref.get("idref", "")) for ref in ([] if spine is None else spine.iterchildren("{*}itemref"))]
    names: dict[str, None] = {}
    for item in items:
        if item is None:
            left_out.other("missing chapter")
        elif "nav" not in item.get("properties", "").split() and item.get("media-type") in _PAGES:
            names[_name(folder, item.get("href", ""))] = None
    _must_be_open(archive, names)
    labels = _labels(archive, folder, [*manifest.values()])
    chapters = []
    for name in names:
        if name not in archive:
            left_out.other("missing chapter")
            continue
        text = _chapter(archive.read(name), name, archive.uri, left_out)
        if text and not first_heading(text) and (label := labels.get(name)):
            text = f"# {label}\n\n{text}"
        chapters.append(text)
    metadata = _metadata(package)
    title = metadata.pop("title", "")
    text = "\n\n".join(filter(None, chapters))
    return Parsed(text, title=title or first_heading(text), syntax="markdown", metadata=metadata)


def _chapter(data: bytes, name: str, uri: str, left_out: LeftOut) -> str:
    """Write one chapter as Markdown; nothing for one without text, such as a cover."""
    if not data.strip():
        return ""
    page = read_page(decode(data, uri, declared=declared_encoding(data)), uri, whole=True)
    for warning in page.warnings:
        left_out.also(f"{name}: {warning}")
    return page.text.strip()


def _package(archive: Archive) -> tuple[Element, str]:
    """Find the file that says what the book is made of, and the folder its names begin at."""
    uri = archive.uri
    if "META-INF/container.xml" not in archive:
        raise DocumentError(uri, "damaged: an archive without META-INF/container.xml in it, which is no e-book")
    container = parse_xml(archive.read("META-INF/container.xml"), uri, "META-INF/container.xml")
    path = next((each.get("full-path", "") for each in container.iter("{*}rootfile")), "")
    if not path or path not in archive:
        raise DocumentError(uri, f"damaged: {path or 'its package file'} is missing")
    return parse_xml(archive.read(path), uri, path), posixpath.dirname(path)


def _must_be_open(archive: Archive, names: dict[str, None]) -> None:
    """Refuse a book whose chapters are encrypted; fonts may be."""
    if "META-INF/encryption.xml" in archive:
        root = parse_xml(archive.read("META-INF/encryption.xml"), archive.uri, "META-INF/encryption.xml")
        if any(_name("", each.get("URI", "")) in names for each in root.iter("{*}CipherReference")):
            raise DocumentError(archive.uri, "encrypted: this book is protected by DRM")


def _labels(archive: Archive, folder: str, items: list[Element]) -> dict[str, str]:
    """Read how the table of contents calls each chapter."""
    labels: dict[str, str] = {}
    for item in items:
        name = _name(folder, item.get("href", ""))
        is_nav = "nav" in item.get("properties", "").split()
        if name not in archive or not (is_nav or item.get("media-type") == "application/x-dtbncx+xml"):
            continue
        try:
            root = parse_xml(archive.read(name), archive.uri, name)
        except DocumentError:  # chapters can do without
            continue
        base = posixpath.dirname(name)
        if is_nav:
            found = [(link.get("href", ""), "".join(link.itertext())) for link in root.iter("{*}a")]
        else:
            points = ((point.find("{*}content"), point.find("{*}navLabel")) for point in root.iter("{*}navPoint"))
            found = [
                (at.get("src", ""), "".join(label.itertext()))
                for at, label in points
                if at is not None and label is not None
            ]
        for target, label in found:
            labels.setdefault(_name(base, target.partition("#")[0]), line(label))
    return labels


def _metadata(package: Element) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for element in package.iterfind("{*}metadata//*"):
        value = line("".join(element.itertext()))[:10_000]
        name = _NAMES.get(local(element), "") if element.tag.startswith(_DC) else ""
        if element.get("property") == "dcterms:modified":
            name = "modified"
        if name and value and len(found.setdefault(name, [])) < 100:
            found[name].append(value)
    return typed(found)


def _name(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
