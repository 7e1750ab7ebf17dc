"""From the tree of a filter to the condition LanceDB is asked with."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

from relance.search.filters.error import FilterError
from relance.search.filters.literals import glob, in_time, iso, quoted, real, timestamp
from relance.search.filters.metadata import MetadataValue, Only
from relance.search.filters.parser import parse_filter
from relance.search.filters.tree import And, Compare, Exists, In, Match, Moment, Name, Node, Not, Or, Value

__all__ = ["compile_filter"]

_HIDDEN = {"access", "active", "metadata", "vector", "sparse"}
_EXAMPLES = {"text": '"text"', "int": "12", "float": "1.5", "bool": "true", "time": "2024-01-31", "list": '"text"'}
_INT = 2**31


def compile_filter(text: str, schema: Any, *, elsewhere: Iterable[str] = (), only: Only | None = None) -> str:
    """Write a filter as a SQL condition on a table with this Arrow schema.

    Nothing of the filter's text reaches the condition but quoted literals and the names of columns that exist. Columns
    of a table that is asked the same, `elsewhere`, are no misspellings here, but what is close to one of them is.
    Where `only` tells that all values of a metadata key are of one kind, the condition is a faster one for these alone.
    Raises FilterError that says what is wrong at which character.
    """
    return _Compiler(text, schema, elsewhere, only).sql(parse_filter(text))


class _Compiler:
    def __init__(self, text: str, schema: Any, elsewhere: Iterable[str], only: Only | None) -> None:
        self._text = text
        self._only = only
        self._columns = {field.name: _kind(field.type) for field in schema if field.name not in _HIDDEN}
        self._names = self._columns.keys() | (set(elsewhere) - _HIDDEN)

    def sql(self, node: Node) -> str:
        match node:
            case And() | Or():
                word = " AND " if isinstance(node, And) else " OR "
                condition = word.join(map(self.sql, node.nodes))
            case Not():
                # Not `NOT x`, which is unknown where the value is missing, and unknown is no hit.
                condition = f"{self.sql(node.node)} IS NOT TRUE"
            case _:
                condition = self._test(node)
        return f"({condition})"

    def _test(self, node: Compare | In | Match | Exists) -> str:
        name = node.name
        kind, held = self._kind(name), MetadataValue(name.path, self._only)
        if isinstance(node, Exists):
            return _column_exists(name.path[0], kind) if kind else held.exists()
        if isinstance(node, Match):
            if kind not in {"", "text"}:
                self._fail(f"{name.path[0]} is no text; patterns are for texts", node.at)
            like = f"LIKE {glob(node.pattern)}"
            return f"{name.path[0]} {like}" if kind else held.as_text(like)
        if isinstance(node, In) or node.operator == "=":
            values = node.values if isinstance(node, In) else (node.value,)
            parts = self._column_is(name, kind, values, node.at) if kind else _metadata_is(held, values)
            return " OR ".join(parts)
        if isinstance(node.value, bool) or kind in {"list", "bool"}:
            self._fail(f"{node.operator} needs something that has an order; use = or !=", node.at)
        return self._column_order(node, kind) if kind else _metadata_order(held, node)

    def _kind(self, name: Name) -> str:
        """Tell what a column holds; empty for a metadata key."""
        if name.metadata or len(name.path) > 1:
            return ""
        word = name.path[0]
        if word not in self._names and (close := get_close_matches(word, sorted(self._names), 1, 0.8)):
            self._fail(f"there is no column {word}; did you mean {close[0]}? A metadata key is meta.{word}", name.at)
        return self._columns.get(word, "")

    def _column_is(self, name: Name, kind: str, values: tuple[Value, ...], at: int) -> list[str]:
        column = name.path[0]
        if kind == "time":
            moments = [self._moment(name, value, at) for value in values]
            return [in_time(moment, "=", lambda test: f"{column} {test}", timestamp) for moment in moments]
        for value in values:
            self._check(name, kind, value, at)
        if kind in {"int", "float"}:
            return [f"CAST({column} AS DOUBLE) IN ({', '.join(real(_number(value)) for value in values)})"]
        if kind == "text":
            return [f"{column} IN ({', '.join(quoted(str(value)) for value in values)})"]
        if kind == "list":
            return [f"array_has({column}, {quoted(str(value))})" for value in values]
        return [f"{column} = {str(value).lower()}" for value in values]

    def _column_order(self, node: Compare, kind: str) -> str:
        name, value, column = node.name, node.value, node.name.path[0]
        if kind == "time":
            moment = self._moment(name, value, node.at)
            return in_time(moment, node.operator, lambda test: f"{column} {test}", timestamp)
        self._check(name, kind, value, node.at)
        if kind == "text":
            return f"{column} {node.operator} {quoted(str(value))}"
        if kind == "int" and isinstance(value, int) and abs(value) < _INT:
            return f"{column} {node.operator} {value}"
        return f"CAST({column} AS DOUBLE) {node.operator} {real(_number(value))}"

    def _moment(self, name: Name, value: Value, at: int) -> Moment:
        if isinstance(value, str):
            try:
                return Moment.read(value)
            except ValueError:
                pass
        if not isinstance(value, Moment):
            self._wrong(name, "time", at)
        return value

    def _check(self, name: Name, kind: str, value: Value, at: int) -> None:
        """Refuse a value that a column of this kind cannot be compared with."""
        if isinstance(value, bool):
            fits = kind == "bool"
        elif isinstance(value, int | float):
            fits = kind in {"int", "float"}
        else:
            fits = isinstance(value, str) and kind in {"text", "list"}
        if not fits:
            self._wrong(name, kind, at)

    def _wrong(self, name: Name, kind: str, at: int) -> NoReturn:
        self._fail(f"{name.path[0]} is not compared with that; write a value such as {_EXAMPLES[kind]}", at)

    def _fail(self, message: str, at: int) -> NoReturn:
        raise FilterError(f"the filter is not understood: {message}", self._text, at)


def _metadata_is(held: MetadataValue, values: tuple[Value, ...]) -> list[str]:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    parts = held.equals(texts, numbers)
    parts += [held.is_truth(value) for value in values if isinstance(value, bool)]
    return parts + [in_time(value, "=", held.as_text, iso) for value in values if isinstance(value, Moment)]


def _metadata_order(held: MetadataValue, node: Compare) -> str:
    if isinstance(node.value, Moment):
        return in_time(node.value, node.operator, held.as_text, iso)
    if isinstance(node.value, str):
        return held.as_text(f"{node.operator} {quoted(node.value)}")
    return held.as_number(node.operator, node.value)


def _column_exists(column: str, kind: str) -> str:
    if kind == "list":
        return f"array_length({column}) > 0"
    return f"{column} <> ''" if kind == "text" else f"{column} IS NOT NULL"


def _number(value: Value) -> float:
    assert isinstance(value, int | float)  # noqa: S101  # checked before
    return value


def _kind(arrow: Any) -> str:
    from pyarrow import types

    tests = {"text": types.is_string, "int": types.is_integer, "float": types.is_floating, "bool": types.is_boolean,
             "time": types.is_timestamp, "list": types.is_list}  # fmt: skip
    return next((kind for kind, test in tests.items() if test(arrow)), "text")
