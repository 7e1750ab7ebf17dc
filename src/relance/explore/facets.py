"""Facets: which values the documents of an index have, how many documents have each, and the filter for each.

They are computed from the table as the reader sees it, all of it, once for each of its versions. What is held is a row
number for each value of each document: 4 bytes, of 100,000 documents with eight keys 4.4 MB. Making them takes 5 CPU-s.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from relance.explore.vocabulary import any_text, metadata_name, quoted

__all__ = ["Facet", "FacetValue", "Facets"]

MOST_DOCUMENTS = 500_000  # of more, metadata is not looked at: it takes 50 µs a document with eight keys
_MOST_VALUES = 24  # of a key; one with more tells documents apart, and is no facet
_MOST_KEYS = 24
_MOST_NAMES = 300  # keys that are remembered, as what a misspelt one may have meant
_LONGEST = 60  # characters of a value
_DATE = re.compile(r"(\d{4})-\d\d-\d\d")
_WHERE = re.compile(r"([a-z][a-z0-9+.-]*://[^/#]+|[^/#]+)/")
_NO_FACETS = frozenset({"media_type", "path"})  # the columns `media_type` and `uri` say the same


@dataclass(slots=True, frozen=True)
class FacetValue:
    """A value of a facet.

    Attributes:
        count: documents that have it, among those that pass the filters.
        condition: the filter that leaves those.
    """

    label: str
    count: int
    condition: str


@dataclass(slots=True, frozen=True)
class Facet:
    """A column or metadata key with few values.

    Attributes:
        values: most frequent first; years and months in their order, newest first.
    """

    name: str
    values: list[FacetValue]


class Facets:
    """Counts of one version of a table.

    Attributes:
        total: documents.
        keys: names of all metadata keys that a document has, sorted, at most 300.
        many: keys with too many values to list.
        whole: whether metadata was looked at; not in an index of more than 500,000 documents.
    """

    def __init__(self, rows: Any) -> None:
        """Read `doc_id`, `uri`, `media_type`, `metadata`, `updated_at`, and `kind` of media: one row a document."""
        self._ids = rows["doc_id"]
        self.total: int = rows.num_rows
        self.whole = self.total <= MOST_DOCUMENTS
        self._postings: dict[str, dict[tuple[str, str], array[int]]] = {}
        self._dropped: set[str] = set()
        self._names: set[str] = set()
        for column, read in _COLUMNS.items():
            if column[0] in rows.column_names:
                for row, value in enumerate(rows[column[0]].to_pylist()):
                    for each in read(value):
                        self._add(column[1], each, row)
        if self.whole:
            for row, said in enumerate(rows["metadata"].to_pylist()):
                self._read(row, json.loads(said or "{}"))
        self.keys = sorted(self._names)
        self.many = sorted(self._dropped - _NO_FACETS)

    def counted(self, matching: Any | None = None) -> list[Facet]:
        """Count the values among documents, an Arrow array of ids, or among all. What tells none apart is left out."""
        import numpy as np

        mask = np.ones(self.total, bool)
        if matching is not None:
            import pyarrow.compute as pc

            mask = pc.is_in(self._ids, matching).to_numpy()
        found = []
        for name, values in self._postings.items():
            counts = [FacetValue(label, int(mask[np.frombuffer(rows, np.uint32)].sum()), condition)
                      for (label, condition), rows in values.items()]  # fmt: skip
            most = max((len(rows) for rows in values.values()), default=0)
            if most > 1 and (len(values) > 1 or most < self.total):
                in_order = all(_is_time(each.label) for each in counts)
                counts.sort(key=lambda each: each.label if in_order else (-each.count, each.label), reverse=in_order)
                found.append(Facet(name, [each for each in counts if each.count]))
        return [facet for facet in found if facet.values]

    def _read(self, row: int, metadata: dict[str, Any]) -> None:
        for name, value in metadata.items():
            if value in (None, "", [], {}):
                continue
            if name in self._names or len(self._names) < _MOST_NAMES:
                self._names.add(name)
            if name in _NO_FACETS or name in self._dropped:
                continue
            if name not in self._postings and len(self._postings) >= _MOST_KEYS:
                self._dropped.add(name)
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict | list) or (said := _said(name, each)) is None:
                    self._drop(name)
                    break
                self._add(name, said, row)

    def _add(self, name: str, said: tuple[str, str], row: int) -> None:
        values = self._postings.setdefault(name, {})
        rows = values.setdefault(said, array("I"))
        if not rows or rows[-1] != row:  # a list may hold a value twice
            rows.append(row)
        if len(values) > _MOST_VALUES:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._postings.pop(name, None)
        self._dropped.add(name)


@lru_cache(maxsize=8192, typed=True)  # a facet has few values, each of many documents
def _said(name: str, value: Any) -> tuple[str, str] | None:
    """Name a value of metadata, and write the filter for it; None for what is no value of a facet."""
    key = metadata_name(name)
    if isinstance(value, bool):
        return str(value).lower(), f"{key} = {str(value).lower()}"
    if isinstance(value, int | float):
        return f"{value:g}" if abs(value) < 1e6 else str(value), f"{key} = {value}"
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    if date := _DATE.match(value):
        return date[1], f"{key} ~ {any_text(date[1])}"
    return value, f"{key} = {quoted(value)}"


def _of_type(value: str | None) -> Iterator[tuple[str, str]]:
    if value:
        yield value, f"media_type = {quoted(value)}"


def _of_kind(value: str | None) -> Iterator[tuple[str, str]]:
    if value:
        yield value, f"kind = {quoted(value)}"


def _of_source(uri: str) -> Iterator[tuple[str, str]]:
    """Take the beginning of a uri, which its source gave it: `docs`, or `s3://bucket`."""
    if found := _WHERE.match(uri):
        yield found[1], f"uri ~ {any_text(found[0])}"


def _of_month(value: Any) -> Iterator[tuple[str, str]]:
    if value is not None:
        last = f"{value.year + value.month // 12}-{value.month % 12 + 1:02}-01"
        yield f"{value:%Y-%m}", f"updated_at >= {value:%Y-%m}-01 and updated_at < {last}"


def _is_time(label: str) -> bool:
    return re.fullmatch(r"\d{4}(-\d\d)?", label) is not None


_COLUMNS = {("uri", "Source"): _of_source, ("media_type", "Type"): _of_type, ("kind", "Kind"): _of_kind,
            ("updated_at", "Indexed in"): _of_month}  # fmt: skip
