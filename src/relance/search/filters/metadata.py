"""A metadata value as SQL, and what it can be asked.

What LanceDB's functions over JSON do, measured with 0.40: `json_get_string` and `json_get_int` end the whole query
where one row holds a list, an object or a fraction under the key. So values are taken as JSON text (`json_extract`),
whose first character tells their type. `coalesce` does not evaluate what it does not need, `AND` does, and there is no
CASE.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from relance.search.filters.literals import quoted, real

__all__ = ["MetadataValue"]


class MetadataValue:
    """The value of a metadata key, or of a nested one.

    Attributes:
        json: its JSON text: `"pump"`, `5`, `["a","b"]`, `null`; NULL where there is none.
    """

    def __init__(self, path: Sequence[str]) -> None:
        inside = "metadata"
        for key in path[:-1]:
            inside = f"json_get({inside}, {quoted(key)})"
        self._value = f"json_get({inside}, {quoted(path[-1])})"
        self._string = f"json_get_string({inside}, {quoted(path[-1])})"
        self.json = f"json_extract({self._value}, '$')"
        # Tables in CSV know nothing but text: `"2020"` is a number, too.
        self._number = f"TRY_CAST(btrim({self.json}, '\"') AS DOUBLE)"

    def exists(self) -> str:
        """There is a value, and it is not null."""
        return f"{self.json} <> 'null'"

    def is_truth(self, value: bool) -> str:
        """True or false, or the word in a table that knows nothing but text."""
        return f"lower(btrim({self.json}, '\"')) = {quoted(str(value).lower())}"

    def as_text(self, test: str) -> str:
        """A text for which a test, such as `>= 'm'`, holds."""
        text = f"coalesce(nullif(left({self.json}, 1), '\"'), {self._string})"
        return f"(starts_with({self.json}, '\"') AND {text} {test})"

    def as_number(self, operator: str, number: float) -> str:
        """A number, or a text that is one, on this side of another.

        Texts such as `nan` and `inf` are numbers to LanceDB, larger than all others; they are taken out.
        """
        held, infinite = self._number, "-inf" if operator.startswith("<") else "inf"
        for word in (infinite, "nan"):
            held = f"nullif({held}, CAST('{word}' AS DOUBLE))"
        return f"{held} {operator} {real(number)}"

    def equals(self, texts: Sequence[str], numbers: Sequence[float]) -> list[str]:
        """One of these, or a list that holds one of these; the parts of an OR."""
        parts = []
        if texts:
            parts.append(f"{self.json} IN ({', '.join(quoted(_json(text)) for text in texts)})")
        if numbers:
            parts.append(f"{self._number} IN ({', '.join(map(real, numbers))})")
        members = (f"json_array_contains({self._value}, '$', {quoted(_json(member))})" for member in (*texts, *numbers))
        return [*parts, *members]


def _json(value: str | float) -> str:
    return json.dumps(value, ensure_ascii=False)
