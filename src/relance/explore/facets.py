"""Facets: which values the documents of an index have, how many documents have each, and the filter for each.

They are computed from the table as the reader sees it, all of it, once for each of its versions. What is held is a row
number for each value of each document: 4 bytes, of 100,000 documents with eight keys 4.4 MB, made in 0.9 CPU-s.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from relance.explore.type_names import type_name
from relance.explore.vocabulary import any_text, metadata_name, quoted

__all__ = ["Facet", "FacetValue", "Facets"]

MOST_DOCUMENTS = 500_000  # of more, metadata is not looked at: it takes 9 µs a document with eight keys
_MOST_VALUES = 24  # of a key; one with more tells documents apart, and is no facet
_MOST_KEYS = 24
_MOST_NAMES = 300  # keys that are remembered, as what a misspelt one may have meant
_BLOCK = 10_000  # documents whose metadata is copied out of Arrow at once
_EMPTY = (None, "", [], {})
_DEEP = (dict, list)
_LONGEST = 60  # characters of a value
_DATE = re.compile(r"(\d{4})-\d\d-\d\d")
_WHERE = r"^(?P<where>[a-z][a-z0-9+.-]*://[^/#]+|[^/#]+)/"
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
        many: keys and columns with too many values to list.
        whole: whether metadata was looked at; not in an index of more than 500,000 documents.
    """

    def __init__(self, rows: Any) -> None:
        """Read `doc_id`, `uri`, `media_type`, `metadata`, `updated_at`, and `kind` of media: one row a document."""
        self._ids = rows["doc_id"]
        self.total: int = rows.num_rows
        self.whole = self.total <= MOST_DOCUMENTS
        self._columns = {name: _grouped(rows[column], shorten, said) for column, name, shorten, said in _COLUMNS
                         if self.total and column in rows.column_names}  # fmt: skip
        self._metadata: dict[str, dict[tuple[str, str], array[int]]] = {}
        self._dropped: set[str] = set()
        self._names: set[str] = set()
        if self.whole:
            self._read(rows.select(["metadata"]))
        self.keys = sorted(self._names)
        excessive = {column for column, name, *_ in _COLUMNS if self._columns.get(name, {}) is None}
        self.many = sorted(excessive | self._dropped - _NO_FACETS)

    def counted(self, matching: Any | None = None) -> list[Facet]:
        """Count the values among documents, an Arrow array of ids, or among all. What tells none apart is left out."""
        import numpy as np

        mask = np.ones(self.total, bool)
        if matching is not None:
            import pyarrow.compute as pc

            mask = pc.is_in(self._ids, matching).to_numpy()
        found = []
        for name, values in [*self._columns.items(), *self._metadata.items()]:
            if values is None:
                continue
            counts = [FacetValue(label, int(np.count_nonzero(mask[np.frombuffer(rows, np.uint32)])), condition)
                      for (label, condition), rows in values.items()]  # fmt: skip
            most = max((len(rows) for rows in values.values()), default=0)
            if most > 1 and (len(values) > 1 or most < self.total):
                in_order = all(_is_time(each.label) for each in counts)
                counts.sort(key=lambda each: each.label if in_order else (-each.count, each.label), reverse=in_order)
                found.append(Facet(name, [each for each in counts if each.count]))
        return [facet for facet in found if facet.values]

    def _read(self, texts: Any) -> None:
        """Note the rows of each value of each key; what can be no facet is passed over as soon as that is known."""
        row = -1
        for block in texts.to_batches(max_chunksize=_BLOCK):
            for text in block["metadata"].to_pylist():
                row += 1
                for name, value in _parsed(text).items() if text else ():
                    if name in self._dropped or (not value and value in _EMPTY):
                        continue
                    if name not in self._metadata and not self._opened(name):
                        continue
                    for each in value if isinstance(value, list) else (value,):
                        if not self._added(name, each, row):
                            del self._metadata[name]
                            self._dropped.add(name)
                            break

    def _opened(self, name: str) -> bool:
        """Say whether a key that is met for the first time may be a facet; of those after 300 nothing is kept."""
        if len(self._names) >= _MOST_NAMES:
            return False
        self._names.add(name)
        if name in _NO_FACETS or len(self._columns) + len(self._metadata) >= _MOST_KEYS:
            self._dropped.add(name)
            return False
        self._metadata[name] = {}
        return True

    def _added(self, name: str, value: Any, row: int) -> bool:
        """Note that a row has a value; False if its key can be no facet."""
        if isinstance(value, _DEEP) or (said := _said(name, value)) is None:
            return False
        values = self._metadata[name]
        rows = values.get(said)
        if rows is None:
            if len(values) == _MOST_VALUES:
                return False
            rows = values[said] = array("I")
        if not rows or rows[-1] != row:  # a list may hold a value twice
            rows.append(row)
        return True


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
    return _list_in(value) or value, f"{key} = {quoted(value)}"


def _list_in(text: str) -> str:
    """Write a list that a column of a table holds as JSON as people do: `red, blue`; empty for any other text.

    Its members are no values of the filter language, which sees a text.
    """
    if not text.startswith("["):
        return ""
    try:
        members = from_json(text)
    except ValueError:
        return ""
    if any(isinstance(each, _DEEP) for each in members):
        return ""
    return ", ".join(each if isinstance(each, str) else json.dumps(each) for each in members)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return from_json(text)  # half as long as `json.loads`
    except ValueError:  # it reads neither half a surrogate pair nor what is nested 200 deep
        return json.loads(text)


def _grouped(column: Any, shorten: _Shorten, said: _Said) -> dict[tuple[str, str], Any] | None:
    """List the rows of each value of a column, shortened to what a facet shows; None if there are too many values."""
    import numpy as np

    encoded = shorten(column).dictionary_encode().combine_chunks()
    values = [(code, said(value)) for code, value in enumerate(encoded.dictionary.to_pylist()) if value]
    if len(values) > _MOST_VALUES:
        return None
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return {label: np.flatnonzero(codes == code).astype(np.uint32) for code, label in values}


def _source(uris: Any) -> Any:
    """Take the beginning of each uri, which its source gave it: `docs`, or `s3://bucket`."""
    import pyarrow.compute as pc

    return pc.struct_field(pc.extract_regex(uris, _WHERE), "where")


def _month(times: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.floor_temporal(times.cast(pa.timestamp(times.type.unit)), unit="month")


def _of_source(where: str) -> tuple[str, str]:
    return where, f"uri ~ {any_text(where + '/')}"


def _of_month(first: Any) -> tuple[str, str]:
    last = f"{first.year + first.month // 12}-{first.month % 12 + 1:02}-01"
    return f"{first:%Y-%m}", f"updated_at >= {first:%Y-%m}-01 and updated_at < {last}"


def _is_time(label: str) -> bool:
    return re.fullmatch(r"\d{4}(-\d\d)?", label) is not None


_Shorten = Callable[[Any], Any]
_Said = Callable[[Any], tuple[str, str]]

_COLUMNS: tuple[tuple[str, str, _Shorten, _Said], ...] = (
    ("uri", "Source", _source, _of_source),
    ("media_type", "Type", lambda column: column, lambda value: (type_name(value), f"media_type = {quoted(value)}")),
    ("kind", "Kind", lambda column: column, lambda value: (value, f"kind = {quoted(value)}")),
    ("updated_at", "Indexed in", _month, _of_month),
)
