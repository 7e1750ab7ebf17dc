"""Rows on their way from cells to documents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from relance.config.row_template import row_template
from relance.documents import digests
from relance.errors import DocumentError
from relance.parsers.cells import (
    RefusedCellError,
    addresses_in,
    id_of,
    is_blank,
    json_cell,
    objects,
    strings,
    text_of,
)
from relance.parsers.decoding import clean_all
from relance.parsers.first_seen import FirstSeen
from relance.parsers.records import Records, require
from relance.parsers.rows import Rows
from relance.parsers.wanted_columns import Wanted, columns_of

__all__ = ["Names", "RowBlock"]

T = TypeVar("T")


class Names:
    """The names that rows have had, in one sheet after the other."""

    def __init__(self) -> None:
        self.sheet = ""
        self.seen = FirstSeen()
        self.repeats: Counter[int] = Counter()
        self.by_content: bool | None = None

    def enter(self, sheet: str) -> None:
        """Begin again where another sheet begins."""
        if sheet != self.sheet:
            self.__init__()
            self.sheet = sheet


class RowBlock:
    """Some rows on their way from cells to documents; what one cannot be is kept at its position."""

    def __init__(self, records: Records, wanted: Wanted, uri: str, identity: Callable[[str], str] = str) -> None:
        self.records, self.wanted, self.spec, self.uri = records, wanted, wanted.spec, uri
        self.identity = identity
        self.prefix = f"{records.sheet}/" if records.sheet else ""
        self.errors: dict[int, DocumentError] = {}
        self.blank: set[int] = set()  # rows that are left out without a word
        self.names: list[str] = []

    def rows(self, known: Names) -> Rows:
        """Make documents of those that can be."""
        numbers, media = self.records.numbers, self.wanted.media
        known.enter(self.records.sheet)
        column = self._id_column(known)
        self.names = self._names(column, known.seen) if column else [f"row-{number}" for number in numbers]
        urls: list[tuple[str, ...]] = self._urls() if media else [()] * len(numbers)
        texts = self._captions() if media else self._texts()
        titles = [" ".join(each.split()) for each in self._written(self.wanted.title, ", ")]
        metadata, canonical = self._metadata()
        if not column:
            self._name_by_content(known, texts, titles, canonical, urls)
        names = [f"{self.prefix}{name}" for name in self.names] if self.prefix else self.names
        columns: list[list[Any]] = [names, texts, titles, metadata, canonical, urls]
        if self.errors or self.blank:
            kept = [at for at in range(len(numbers)) if at not in self.errors and at not in self.blank]
            columns = [[column[at] for at in kept] for column in columns]
        problems = {number: DocumentError(f"{self.uri}#line-{self.prefix}{number}", problem)
                    for number, problem in self.records.problems.items()}  # fmt: skip
        problems |= {numbers[at]: error for at, error in self.errors.items()}
        return Rows(*columns, errors=[problems[number] for number in sorted(problems)])

    def _id_column(self, known: Names) -> str:
        """Name the column of ids; empty where rows are named by their content."""
        column = self.wanted.default_id
        if not column:
            return self.wanted.own_id
        if known.by_content is None and self.records.numbers:
            known.by_content = all(cell is None for cell in self.records.columns.get(column, ()))
            names = list(self.records.names(0))
            if known.by_content and any(name.strip("_ ").lower() == column for name in names):
                require(self.uri, [column], names)  # `_id` is one that the spec should name
        return "" if known.by_content else column

    def _names(self, column: str, seen: FirstSeen) -> list[str]:
        """Read the ids: text or whole numbers, each of them once."""
        numbers = self.records.numbers
        cells = self._column(column)
        names = strings(cells)
        if names is None or not all(names):
            names = self._each(cells, lambda value: id_of(value, column), line=True)
        good = [at for at in range(len(names)) if at not in self.errors]
        keys = np.fromiter((hash(names[at]) for at in good), np.int64, len(good)).view(np.uint64)
        lines = np.array([numbers[at] for at in good], dtype=np.uint32)
        firsts = seen.first(keys, lines)
        for place in np.flatnonzero(firsts != lines).tolist():
            # Not at `path#id`: that is the first row's, which is in order.
            at, first = good[place], int(firsts[place])
            self._refuse(at, f"the id {names[at]!r} was already used in line {first}", line=True)
        return names

    def _name_by_content(
        self, known: Names, texts: list[str], titles: list[str], canonical: list[str], urls: list[tuple[str, ...]]
    ) -> None:
        """Hash what is kept of each row; of equal ones the second ends in -2."""
        good = [at for at in range(len(texts)) if at not in self.errors and at not in self.blank]
        if not good:
            return
        parts = [[column[at] for at in good] for column in (texts, titles, canonical)]
        hashed = digests("row by content", *parts, ["\0".join(map(self.identity, urls[at])) for at in good], size=8)
        keys, lines = np.frombuffer(hashed, np.uint64), np.array([self.records.numbers[at] for at in good], np.uint32)
        firsts = known.seen.first(keys, lines)
        for place, at in enumerate(good):
            name = hashed[8 * place : 8 * place + 8].hex()
            if firsts[place] != lines[place]:
                known.repeats[int(keys[place])] += 1
                name += f"-{known.repeats[int(keys[place])] + 1}"
            self.names[at] = name

    def _texts(self) -> list[str]:
        columns = self.spec.text
        parts = [self._labelled(column) if self.spec.labels else self._written(column) for column in columns]
        texts: list[str] = parts[0]
        if len(parts) > 1:
            texts = [
                ("\n" if self.spec.labels else "\n\n").join(filter(None, each)) for each in zip(*parts, strict=True)
            ]
        for at, text in enumerate(texts):
            if not text:
                have = list(self.records.names(at))
                named = ", ".join(columns)
                known = any(
                    name in have or self._column(name)[at] is not None
                    for column in columns
                    for name in columns_of(column)
                )
                rest = f"no text column {named}; this row has: {', '.join(have[:20])}"
                self._refuse(at, f"no text in {named}" if known else rest)
        return texts

    def _captions(self) -> list[str]:
        """Join the columns of the caption, a line each."""
        parts = [self._written(column) for column in self.spec.caption]
        if len(parts) < 2:
            return parts[0] if parts else [""] * len(self.records.numbers)
        return ["\n".join(dict.fromkeys(filter(None, each))) for each in zip(*parts, strict=True)]

    def _labelled(self, column: str) -> list[str]:
        cells = self._written(column, ", ")
        return cells if row_template(column) else [f"{column}: {cell}" if cell else "" for cell in cells]

    def _written(self, text: str, between: str = "\n") -> list[str]:
        """Fill in a template, or read a column; empty where none of its cells has anything."""
        parts = row_template(text) if "{" in text or "}" in text else None
        if parts is None:
            return self._cells(text, between)
        cells = [self._cells(column, ", ") for _, column in parts if column]
        literals = [literal for literal, _ in parts]
        filled = []
        for each in zip(*cells, strict=True):
            words = "".join(map("".join, zip(literals, each, strict=False))) + literals[-1]
            filled.append(words.strip() if any(each) else "")
        return filled

    def _urls(self) -> list[tuple[str, ...]]:
        """Read addresses; where rows have texts as well, one without a picture is left out."""
        column = self.spec.url
        cells = self._column(column)
        if "text" in self.spec.model_fields_set:
            self.blank = {at for at, value in enumerate(cells) if is_blank(value)}
        return self._each(cells, lambda value: addresses_in(value, column, self.spec.url_separator), empty=())

    def _metadata(self) -> tuple[list[str], list[str]]:
        """Write metadata as JSON, with keys as the spec has them and sorted."""
        columns = {column: self._json_cells(column) for column in self.spec.metadata}
        rows = len(self.records.numbers)
        plain = objects({column: cells for column, (cells, _) in columns.items()}, rows)
        if list(columns) == sorted(columns) and all(cells is canonical for cells, canonical in columns.values()):
            return plain, plain
        return plain, objects({column: columns[column][1] for column in sorted(columns)}, rows)

    def _json_cells(self, column: str) -> tuple[list[str], list[str]]:
        cells = self._column(column)
        kinds = set(map(type, cells))
        if kinds <= {str}:
            found = list(map(json.dumps, clean_all(list(cells))))
            return found, found
        if kinds <= {int}:
            found = list(map(str, cells))
            return found, found
        values = self._each(cells, lambda value: json_cell(value, column), empty=None)
        found = list(map(json.dumps, values))
        nested = not kinds <= {str, int, float, bool, type(None)}
        return found, [json.dumps(value, sort_keys=True) for value in values] if nested else found

    def _cells(self, column: str, between: str) -> list[str]:
        """Read cells as text, empty where there is none, and where there is no such column."""
        if not column:
            return [""] * len(self.records.numbers)
        cells = self._column(column)
        found = strings(cells)
        return self._each(cells, lambda value: text_of(value, column, between)) if found is None else found

    def _column(self, column: str) -> Sequence[Any]:
        return self.records.columns.get(column) or [None] * len(self.records.numbers)

    def _each(self, cells: Sequence[Any], read: Callable[[Any], T], *, empty: Any = "", line: bool = False) -> list[T]:
        found = []
        for at, value in enumerate(cells):
            try:
                found.append(read(value))
            except RefusedCellError as refused:
                self._refuse(at, str(refused), line=line)
                found.append(empty)
        return found

    def _refuse(self, at: int, reason: str, *, line: bool = False) -> None:
        """Make an error of a row, unless it is one; at its line where it has no name of its own."""
        if at not in self.errors and at not in self.blank:
            name = f"line-{self.records.numbers[at]}" if line else self.names[at]
            self.errors[at] = DocumentError(f"{self.uri}#{name}", reason)
