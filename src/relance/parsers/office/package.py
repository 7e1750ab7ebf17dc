"""The package of DOCX, PPTX and XLSX: parts, and the relations by which they name each other."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from relance.errors import DocumentError
from relance.parsers.archive import Archive
from relance.parsers.office.properties import dublin_core
from relance.parsers.office.xml import Element, parse_xml, stream_xml

__all__ = ["Package", "Part", "Relation"]

_MAIN = ("officeDocument",)


@dataclass(slots=True, frozen=True)
class Relation:
    """What a part names: the last word of its type, and the name of the other part or an address."""

    kind: str
    target: str
    external: bool


class Part:
    """One XML part with its relations, read when they are asked for."""

    def __init__(self, package: Package, name: str) -> None:
        self.package = package
        self.name = name
        self._relations: dict[str, Relation] | None = None

    @property
    def relations(self) -> dict[str, Relation]:
        """What the part names, by the identifier it uses."""
        if self._relations is None:
            self._relations = self.package.relations(self.name)
        return self._relations

    def exists(self) -> bool:
        """Whether the archive has it."""
        return self.name in self.package.archive

    def root(self) -> Element:
        """Parse it."""
        return self.package.tree(self.name)

    def stream(self, *tags: str) -> Iterator[Element]:
        """Parse it element by element."""
        with self.package.archive.open(self.name) as stream:
            yield from stream_xml(stream, self.package.uri, self.name, tags)

    def related(self, identifier: str | None) -> Part | None:
        """Open the part that an identifier stands for; None where the file lacks it."""
        relation = self.relations.get(identifier or "")
        return self.package.part(relation.target) if relation and not relation.external else None

    def first(self, kind: str) -> Part | None:
        """Open the first part of a kind, such as `styles`; None where there is none."""
        return next(self.all(kind), None)

    def all(self, kind: str) -> Iterator[Part]:
        """Open all parts of a kind that the archive has."""
        for relation in self.relations.values():
            if relation.kind == kind and not relation.external and (part := self.package.part(relation.target)):
                yield part


class Package:
    """An archive of parts."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.uri = archive.uri

    def main(self) -> Part:
        """Open the part that everything begins with; raises DocumentError where there is none."""
        for relation in self.relations("").values():
            if relation.kind in _MAIN and (part := self.part(relation.target)):
                return part
        raise DocumentError(self.uri, "damaged: an archive without a document, workbook or presentation in it")

    def part(self, name: str) -> Part | None:
        """Open a part; None where the archive has none of that name."""
        return Part(self, name) if name in self.archive else None

    def tree(self, name: str) -> Element:
        """Parse a part that the document must have."""
        if name not in self.archive:
            raise DocumentError(self.uri, f"damaged: {name} is missing")
        return parse_xml(self.archive.read(name), self.uri, name)

    def relations(self, name: str) -> dict[str, Relation]:
        """Read what a part names; the package itself is the part without a name."""
        folder, _, base = name.rpartition("/")
        known = posixpath.join(folder, "_rels", f"{base}.rels")
        if known not in self.archive:
            return {}
        found = {}
        for element in parse_xml(self.archive.read(known), self.uri, known).iterchildren("{*}Relationship"):
            target, external = element.get("Target", ""), element.get("TargetMode") == "External"
            if not external:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target.replace("\\", "/")))).lstrip("/")
            kind = element.get("Type", "").rpartition("/")[2]
            found[element.get("Id", "")] = Relation(kind, target, external)
        return found

    def properties(self) -> dict[str, Any]:
        """Read title, author, dates and keywords of the file."""
        for relation in self.relations("").values():
            if relation.kind == "core-properties" and relation.target in self.archive:
                return dublin_core(parse_xml(self.archive.read(relation.target), self.uri, relation.target))
        return {}
