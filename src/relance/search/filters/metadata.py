"""A metadata value as SQL, and what it can be asked.

What LanceDB's functions over JSON do, measured with 0.40: `json_get_string`, `json_get_int` and `json_get_float` end
the whole query where one row holds a list or an object under the key, and take true for 1. So values are taken as JSON
text (`json_extract`), whose first character tells their type. `coalesce` does not evaluate what it does not need, `AND`
does, and there is no CASE.

That takes 25 CPU-ms at 100,000 rows, `json_get_float` 7. Nearly all keys have values of one kind only: where that is
known of a table (`holds_only`; 6-10 ms, once a version), the fast function says the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from relance.search.filters.literals import quoted, real

__all__ = ["Kind", "MetadataValue", "Only", "holds_only"]

Kind = Literal["text", "number", "truth", "list"]
Only = Callable[[Sequence[str], Kind], bool]

# `json_get` returns JSONB, whose first bytes tell the kind; they are in this order.
_NULL, _TEXT, _NUMBER = "X'2000000000000000'", "X'2000000010'", "X'2000000020'"
_FALSE, _TRUE, _AFTER_TRUE = "X'2000000030000000'", "X'2000000040000000'", "X'2000000050'"
_LIST = "X'80000000'"
_OTHERS = {
    "text": f"{{0}} >= {_NUMBER}",
    "number": f"{{0}} >= {_TEXT} AND ({{0}} < {_NUMBER} OR {{0}} >= {_FALSE})",
    "truth": f"{{0}} >= {_TEXT} AND ({{0}} < {_FALSE} OR {{0}} >= {_AFTER_TRUE})",
    "list": f"{{0}} >= {_TEXT} AND {{0}} < {_LIST}",
}


def holds_only(table: Any, path: Sequence[str], kind: Kind) -> bool:
    """Whether the values of a metadata key are all of one kind in a version of a table; null and none are of any."""
    others, whole = _OTHERS[kind].format(_get(path)), table.whole
    return whole.once(("holds only", kind, *path), lambda: whole.count_rows(others) == 0)


class MetadataValue:
    """The value of a metadata key, or of a nested one.

    Attributes:
        json: its JSON text: `"pump"`, `5`, `["a","b"]`, `null`; NULL where there is none.
    """

    def __init__(self, path: Sequence[str], only: Only | None = None) -> None:
        """Address a value; `only`, if given, says whether all values of a path are of one kind in the table."""
        inside = _get(path[:-1])
        self._path = path
        self._only = only
        self._value = _get(path)
        self._string = f"json_get_string({inside}, {quoted(path[-1])})"
        self._float = f"json_get_float({inside}, {quoted(path[-1])})"
        self.json = f"json_extract({self._value}, '$')"

    def exists(self) -> str:
        """There is a value, and it is not null."""
        return f"{self._value} <> {_NULL}"

    def is_truth(self, value: bool) -> str:
        """True or false, or the word in a table that knows nothing but text."""
        if self._is_only("truth"):
            return f"{self._value} = {_TRUE if value else _FALSE}"
        return f"lower(btrim({self.json}, '\"')) = {quoted(str(value).lower())}"

    def as_text(self, test: str) -> str:
        """A text for which a test, such as `>= 'm'`, holds."""
        if self._is_only("text"):
            return f"{self._string} {test}"
        text = f"coalesce(nullif(left({self.json}, 1), '\"'), {self._string})"
        return f"(starts_with({self.json}, '\"') AND {text} {test})"

    def as_number(self, operator: str, number: float) -> str:
        """A number, or a text that is one, on this side of another.

        Texts such as `nan` and `inf` are numbers to LanceDB, larger than all others; they are taken out.
        """
        held, infinite = self._number(), "-inf" if operator.startswith("<") else "inf"
        for word in (infinite, "nan"):
            held = f"nullif({held}, CAST('{word}' AS DOUBLE))"
        return f"{held} {operator} {real(number)}"

    def equals(self, texts: Sequence[str], numbers: Sequence[float]) -> list[str]:
        """One of these, or a list that holds one of these; the parts of an OR."""
        if texts and not numbers and self._is_only("text"):
            return [f"{self._string} IN ({', '.join(map(quoted, texts))})"]
        if numbers and not texts and self._is_only("number"):
            return [f"{self._float} IN ({', '.join(map(real, numbers))})"]
        asked = [quoted(_json(each)) for each in (*texts, *numbers)]
        members = [f"json_array_contains({self._value}, '$', {each})" for each in asked]
        if asked and self._is_only("list"):
            return members
        parts = [f"{self.json} IN ({', '.join(asked[: len(texts)])})"] if texts else []
        parts += [f"{self._number()} IN ({', '.join(map(real, numbers))})"] if numbers else []
        return parts + members

    def _number(self) -> str:
        # Tables in CSV know nothing but text: `"2020"` is a number, too.
        return self._float if self._is_only("number") else f"TRY_CAST(btrim({self.json}, '\"') AS DOUBLE)"

    def _is_only(self, kind: Kind) -> bool:
        return self._only is not None and self._only(self._path, kind)


def _get(path: Sequence[str]) -> str:
    inside = "metadata"
    for key in path:
        inside = f"json_get({inside}, {quoted(key)})"
    return inside


def _json(value: str | float) -> str:
    return json.dumps(value, ensure_ascii=False)
