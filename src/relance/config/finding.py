"""One finding of pydantic's as a sentence: what was expected, what is there, and what was probably meant."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["Given", "close", "findings", "is_private", "one_of", "sentence", "takes_variables", "unknown"]

_SECTION = "a section (lines of 'key: value', indented)"
_EXPECTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "path_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "byte_size": "a size such as 20MB",
    "byte_size_unit": "a size such as 20MB",
    "list_type": "a list",
    "dict_type": _SECTION,
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "datetime_type": "a time such as 2026-11-28T09:30:00Z",
    "datetime_parsing": "a time such as 2026-11-28T09:30:00Z",
    "datetime_from_date_parsing": "a time such as 2026-11-28T09:30:00Z",
    "datetime_object_invalid": "a time such as 2026-11-28T09:30:00Z",
    "string_unicode": "text in valid Unicode",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_ABSENT = object()


@dataclass(slots=True, frozen=True)
class Given:
    """What stands where the finding is.

    Attributes:
        value: as it was read; without it the sentence says only what was expected.
        raw: as it was written.
        private: whether no sentence may show it.
        json: whether it was written in JSON, which has objects where YAML has sections.
    """

    value: Any = _ABSENT
    raw: str | None = None
    private: bool = False
    json: bool = False

    @property
    def got(self) -> str:
        """What there is, to follow what was expected: `, got 'ten'`; empty where that is not known."""
        return "" if self.value is _ABSENT else f", got {self._shown()}"

    def _shown(self) -> str:
        kind = self._kind()
        if self.private or isinstance(self.value, dict | list) or self.value is None:
            return kind.replace("the ", "a ")
        if isinstance(self.value, str):
            return repr(self.value if len(self.value) <= 40 else self.value[:39] + "…")
        return f"{kind} {self.raw[:40] if self.raw else self._written()}"

    def _written(self) -> str:
        return str(self.value).lower() if self.json and isinstance(self.value, bool) else str(self.value)

    def _kind(self) -> str:
        for types, name in (
            (bool, "the truth value"),
            (int | float, "the number"),
            (str, "text"),
            (list, "a list"),
            (dict, "an object" if self.json else "a section"),
            (dt.date, "the date"),
        ):
            if isinstance(self.value, types):
                return name
        return "null"


def findings(errors: Sequence[Any], fields: Mapping[str, FieldInfo], *, private: bool = False,
             json: bool = False) -> list[tuple[str, str]]:  # fmt: skip
    """Return what pydantic found as pairs: the field, such as `history.0.weight`, and a sentence; no field: the whole.

    Args:
        errors: `ValidationError.errors()`.
        fields: of the model, or of something that is read like one.
        private: whether no sentence may show a value; those of fields that may hold secrets are never shown.
        json: whether the values are from JSON rather than YAML.
    """
    found = []
    for error in errors:
        *above, last = error["loc"] or [""]
        around = _inside(fields, above)
        field = around.get(str(last))
        if error["type"] == "extra_forbidden":
            said = unknown(str(last), list(around))
        else:
            hidden = private or (field is not None and is_private(field))
            said = sentence(error, Given(error.get("input", _ABSENT), private=hidden, json=json), field)
        found.append((".".join(map(str, error["loc"])), said))
    return found


def sentence(error: Any, given: Given, field: FieldInfo | None = None) -> str:  # noqa: PLR0911  # one kind, one sentence
    """Put one of pydantic's errors into a sentence that begins behind the name of the field."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _EXPECTED:
        expected = "an object" if given.json and _EXPECTED[kind] == _SECTION else _EXPECTED[kind]
        return f"expected {expected}{given.got}{_hint(expected, given)}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"must be {words} {_number(context[bound])}{given.got}"
    match kind:
        case "missing" | "union_tag_not_found":
            about = _about(field)
            return f"is required: {about}" if about else "is required"
        case "literal_error" | "union_tag_invalid":
            return one_of(context.get("expected") or context.get("expected_tags", ""), given)
        case "too_short":
            return "must have at least one entry"
        case "too_long":
            return f"must have at most {context['max_length']:,} entries, got {context['actual_length'] or 'more'}"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            length = f", got {len(given.value):,}" if isinstance(given.value, str) else ""
            return f"must be at most {context['max_length']:,} characters long{length}"
        case "string_pattern_mismatch":
            example = _example(field)
            expected = f"something like {example!r}" if example else f"what matches {context['pattern']}"
            return f"expected {expected}{given.got}"
        case "value_error":
            return str(context["error"])
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}"


def unknown(key: str, names: Sequence[str]) -> str:
    """Say that a key does not exist, and which one was probably meant, or which there are."""
    if meant := close(key, names):
        return f"unknown key {key!r}; did you mean {meant!r}?"
    return f"unknown key {key!r}; " + (f"the keys here are {', '.join(names)}" if names else "there are no keys here")


def one_of(expected: str, given: Given) -> str:
    """Say which choices there are, from `'a', 'b' or 'c'`, and which was probably meant."""
    choices = [choice for choice in expected.replace(" or ", ", ").replace("'", "").split(", ") if choice]
    text = f"expected one of {', '.join(choices)}" if len(choices) > 1 else f"expected {choices[0]}"
    meant = close(str(given.value), choices)
    return f"{text}{given.got}" + (f"; did you mean {meant!r}?" if meant and len(choices) > 1 else "")


def close(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that a word is most like, or None."""
    plain = {choice.replace("_", ""): choice for choice in choices}
    found = difflib.get_close_matches(word.lower().replace("_", "").replace("-", ""), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def is_private(field: FieldInfo | None) -> bool:
    """Tell whether a value must not be shown: secrets, and addresses, which may hold a password."""
    return field is None or (takes_variables(field) and field.annotation is not Path)


def takes_variables(field: FieldInfo) -> bool:
    """Tell whether ${NAME} is filled in."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("env"))


def _inside(fields: Mapping[str, FieldInfo], position: Iterable[str | int]) -> Mapping[str, FieldInfo]:
    """Find the fields of the model at a position; none where there is none."""
    for part in position:
        if isinstance(part, str):
            models = _models(fields[part].annotation) if part in fields else ()
            fields = {name: field for model in models for name, field in model.model_fields.items()}
    return fields


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value > 99_999 else f"{value:g}"


def _about(field: FieldInfo | None) -> str:
    text, example = " ".join((field.description or "").split()) if field else "", _example(field)
    return f"{text[:1].lower()}{text[1:].rstrip('.')}" + (f", for example {example}" if example else "")


def _example(field: FieldInfo | None) -> Any:
    return next(iter(field.examples or []), None) if field else None


def _hint(expected: str, given: Given) -> str:
    """Say how to write what was probably meant, where that is only a matter of quotes."""
    value, raw = given.value, given.raw
    if value is _ABSENT or value is None or isinstance(value, dict | list):
        return ""
    if expected == "a list":
        return "" if given.private or not raw else f"; write [{json.dumps(raw[:40], ensure_ascii=False)}]"
    if expected != "text":
        return ""
    of_yaml = isinstance(value, bool) and not given.json
    trap = " (YAML reads a bare on, off, yes, no, true or false so)" if of_yaml else ""
    return f"{trap}; put it in quotes" + ("" if given.private or not raw else f": '{raw[:40]}'")
