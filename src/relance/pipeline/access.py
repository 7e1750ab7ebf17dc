"""From what a document's metadata say of its readers to the principals that may see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.config import EVERYONE, AccessSpec, IndexSpec, fingerprint
from relance.config.access import LONGEST, MOST
from relance.documents import Item, digest
from relance.sources.abilities import Remembered

if TYPE_CHECKING:
    from relance.config import SourceSpec

__all__ = ["Permits", "written_access"]

_SHOWN = 60  # characters of a principal that is refused


@dataclass(slots=True, frozen=True)
class Permits:
    """Reads who may see the documents of one source.

    Attributes:
        access: the section of the source; None: everybody sees everything.
        kept: the field is a metadata column as well, because the spec names it there.
    """

    access: AccessSpec | None
    kept: bool = False

    @classmethod
    def of(cls, source: SourceSpec) -> Permits:
        """Read the sections of a source."""
        columns = source.rows.metadata if source.rows is not None else []
        return cls(source.access, source.access is not None and source.access.read_from in columns)

    @property
    def mark(self) -> str:
        """What decides how permissions are read, as a short hash; empty where everybody sees everything.

        It is part of each version, not of the fingerprint: documents that are left as they are while another model is
        on its way (`Fingerprints.spared`) get their permissions all the same.
        """
        return fingerprint(self.access) if self.access is not None else ""

    def dated(self, item: Item) -> Item:
        """Return an item with a version that is another one when its permissions are read otherwise."""
        return replace(item, version=f"{item.version}~{self.mark}") if self.access is not None else item

    def dated_rows(self, items: pa.Table) -> pa.Table:
        """Do the same with the versions of a table of items."""
        if self.access is None:
            return items
        at = items.schema.get_field_index("version")
        dated = pc.binary_join_element_wise(items["version"], self.mark, "~")
        return items.set_column(at, items.schema.field(at), dated)

    def listed(self, item: Item) -> Item:
        """Return an item as its source has listed it."""
        return item if self.access is None else replace(item, version=item.version.removesuffix(f"~{self.mark}"))

    def recalled(self, remembered: Remembered) -> Remembered:
        """Return what a source remembers with the version that it has listed."""
        if self.access is None:
            return remembered
        return remembered._replace(version=remembered.version.removesuffix(f"~{self.mark}"))

    def hashed(self, content_hash: str, metadata: dict[str, Any]) -> str:
        """Return the hash of a content, which is another one when what its source says of its readers changes."""
        if self.access is None:
            return content_hash
        said = json.dumps(metadata.get(self.access.read_from), sort_keys=True)
        return digest("access", content_hash, self.mark, said)

    def take(self, metadata: dict[str, Any]) -> tuple[tuple[str, ...] | None, str]:
        """Take the field out of a document's metadata: who finds a document need not know who else does.

        Returns the principals, and a warning where the field is not there or not readable: then only those see the
        document who see all of the source.
        """
        if self.access is None:
            return None, ""
        always, name = self.access.principals, self.access.read_from
        if not name:
            return _once(always), ""
        value = metadata.get(name) if self.kept else metadata.pop(name, None)
        found, problem = _principals(value, self.access.separator)
        if not problem:
            return _once([*always, *found]), ""
        who = "nobody but the principals of its source sees it" if always else "nobody sees it"
        return _once(always), f"its field {name!r} {problem}: {who}"


def written_access(column: Any, spec: IndexSpec) -> Any:
    """Write NULL, which is everybody, as the principal that everybody is, where any source has permissions.

    An index of principals (LABEL_LIST) finds a list with `*` in 1 ms among 100,000 rows; for NULL all are read (10 ms).
    """
    if not column.null_count or all(source.access is None for source in spec.sources):
        return column
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    both = pa.concat_arrays([values, pa.array([[EVERYONE]], values.type)])
    places = [at if there else len(values) for at, there in enumerate(values.is_valid().to_pylist())]
    return both.take(pa.array(places, pa.int64()))


def _principals(value: Any, separator: str) -> tuple[Sequence[str], str]:
    """Read principals; returns with them what is wrong."""
    if isinstance(value, str) and value:
        value = [each for each in value.split(separator) if each] if separator else [value]
    if not isinstance(value, list):
        wrong = {None: "is not there", "": "is empty"}
        return (), wrong[value] if value in (None, "") else "is neither a text nor a list of texts"
    if len(value) > MOST:
        return (), f"lists {len(value):,} principals; {MOST:,} are read"
    refused = next(filter(None, map(_refusal, value)), "")
    return (() if refused else value), refused and f"lists {refused}"


def _refusal(principal: Any) -> str:
    """Say why something is no principal; empty if it is one."""
    if not isinstance(principal, str):
        return f"{json.dumps(principal)[:_SHOWN]}, which is no text"
    if not 0 < len(principal) <= LONGEST:
        return f"one of {len(principal):,} characters; {LONGEST:,} are read" if principal else "an empty one"
    try:
        principal.encode()
    except UnicodeEncodeError:
        return "a text that is not valid Unicode"
    return ""


def _once(principals: Sequence[str]) -> tuple[str, ...]:
    """Leave out what comes twice; where everybody sees a document, the others need not be named."""
    return (EVERYONE,) if EVERYONE in principals else tuple(dict.fromkeys(principals))
