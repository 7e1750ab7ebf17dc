"""What a reader of an index file is told: pydantic's findings in plain English."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ByteSize

from relance.config import IndexSpec
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from relance.config.plugin_section import PluginSection
    from relance.config.plugins import Plugins
    from relance.config.shape import Shape
    from relance.config.tree import Position, Tree

__all__ = ["explain", "is_number", "is_private", "takes_variables", "unknown_key", "unknown_plugin"]

EXPECTED = {
    "string_type": "text",
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
    "dict_type": "a section (lines of 'key: value', indented)",
    "model_type": "a section (lines of 'key: value', indented)",
    "model_attributes_type": "a section (lines of 'key: value', indented)",
}
BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def is_private(field: FieldInfo | None) -> bool:
    """Tell whether a value must not be shown: secrets, and addresses, which may hold a password."""
    return field is None or (takes_variables(field) and field.annotation is not Path)


def takes_variables(field: FieldInfo) -> bool:
    """Tell whether ${NAME} is filled in."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("env"))


def is_number(field: FieldInfo) -> bool:
    """Tell whether a field takes a number, which pydantic would also read true and false as."""
    kinds = set(get_args(field.annotation)) or {field.annotation}
    return bool(kinds & {int, float, ByteSize})


def unknown_key(position: Position, shape: Shape) -> str:
    """Say that a key does not exist, and which one was probably meant."""
    key, above = str(position[-1]), position[:-1]
    if owner := _owner(key, above, shape):
        return owner
    names = shape.keys(above)
    if close := _close(key, names):
        return f"unknown key {key!r}; did you mean {close!r}?"
    homes = [name for name in IndexSpec.model_fields if key in shape.keys((name,))]
    if key in IndexSpec.model_fields and key != "folder" and len(position) > 1:
        return f"unknown key {key!r} here; it belongs at the top, not indented"
    if homes:
        return f"unknown key {key!r} here; it belongs under {homes[0]!r}"
    return f"unknown key {key!r}; the keys here are {', '.join(names)}"


def _owner(key: str, position: Position, shape: Shape) -> str:
    """Say which plug-ins have a key that the one named here has not; empty where that is not the matter."""
    place = shape.place(position)
    for base, mark in place.sections if place else []:
        owners = mark.owners(key, base, shape.plugins) if mark else {}
        if mark and owners and place and isinstance(place.value, dict):
            name, slash = mark.name(base, place.value), "/…" if mark.field == "model" else ""
            others = " and ".join(f"{each}{slash}" for each in owners)
            return f"{name}{slash} has no {key!r}, unlike {others}; remove the line"
    return ""


def unknown_plugin(mark: PluginSection, base: type[BaseModel], values: Mapping[str, Any], plugins: Plugins) -> str:
    """Say what is wrong with the plug-in that a section names; empty if nothing is."""
    value = values.get(mark.field, base.model_fields[mark.field].default)
    if not isinstance(value, str) or not value:
        return ""
    if mark.field != "model" and value not in (names := plugins.names(mark.group)):
        return _one_of(", ".join(names), value, f"got {_shown(value, None, private=False)}")
    try:
        plugins.model(mark.group, value) if mark.field == "model" else plugins.find(mark.group, value)
    except ConfigurationError as error:
        return str(error)
    return ""


def explain(error: Any, position: Position, tree: Tree, shape: Shape) -> str:  # noqa: PLR0911  # one kind, one sentence
    """Put one of pydantic's errors into a sentence."""
    place = shape.place(position)
    kind, context, field = error["type"], error.get("ctx") or {}, place.field if place else None
    value = place.value if place else None
    raw, private = tree.raw.get(position), is_private(field)
    got = f"got {_shown(value, raw, private=private)}"
    if kind == "list_type" and position == ("sources",):
        return f"expected a list, {got}; each source begins with a dash, such as - {{type: files, root: ./docs}}"
    if kind in EXPECTED:
        return f"expected {EXPECTED[kind]}, {got}{_hint(EXPECTED[kind], value, raw, private=private)}"
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"must be {words} {context[bound]:g}, {got}"
    match kind:
        case "extra_forbidden":
            return unknown_key(position, shape)
        case "missing" | "union_tag_not_found":
            return f"is required: {_about(field)}"
        case "literal_error" | "union_tag_invalid":
            return _one_of(context.get("expected") or context.get("expected_tags", ""), value, got)
        case "too_short":
            return "must have at least one entry"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            return _pattern(field, value, got)
        case "value_error":
            return str(context["error"])
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}"


def _one_of(expected: str, value: Any, got: str) -> str:
    choices = [choice for choice in expected.replace(" or ", ", ").replace("'", "").split(", ") if choice]
    text = f"expected one of {', '.join(choices)}" if len(choices) > 1 else f"expected {choices[0]}"
    close = _close(str(value), choices)
    return f"{text}, {got}" + (f"; did you mean {close!r}?" if close and len(choices) > 1 else "")


def _pattern(field: FieldInfo | None, value: Any, got: str) -> str:
    example = next(iter(field.examples or []), None) if field else None
    close = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in str(value)).lower().split())
    if field is IndexSpec.model_fields["name"] and close and len(close) <= 63:
        return f"expected lower-case letters, digits, - and _, {got}; {close!r} would do"
    return f"expected something like {example!r}, {got}"


def _about(field: FieldInfo | None) -> str:
    text = " ".join((field.description or "").split()) if field else ""
    example = next(iter(field.examples or []), None) if field else None
    return f"{text[:1].lower()}{text[1:].rstrip('.')}" + (f", for example {example}" if example else "")


def _shown(value: Any, raw: str | None, *, private: bool) -> str:
    kind = _kind(value)
    if private or isinstance(value, dict | list) or value is None:
        return kind.replace("the ", "a ")
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:39] + "…")
    return f"{kind} {raw[:40] if raw else value}"


def _kind(value: Any) -> str:
    for types, name in (
        (bool, "the truth value"),
        (int | float, "the number"),
        (str, "text"),
        (list, "a list"),
        (dict, "a section"),
        (dt.date, "the date"),
    ):
        if isinstance(value, types):
            return name
    return "null"


def _hint(expected: str, value: Any, raw: str | None, *, private: bool) -> str:
    """Say how to write what was probably meant, where that is only a matter of YAML."""
    if value is None or isinstance(value, dict | list):
        return ""
    if expected == "a list":
        return "" if private or not raw else f"; write [{json.dumps(raw[:40], ensure_ascii=False)}]"
    if expected != "text":
        return ""
    trap = " (YAML reads a bare on, off, yes, no, true or false so)" if isinstance(value, bool) else ""
    return f"{trap}; put it in quotes" + ("" if private or not raw else f": '{raw[:40]}'")


def _close(word: str, choices: Iterable[str]) -> str | None:
    plain = {choice.replace("_", ""): choice for choice in choices}
    found = difflib.get_close_matches(word.lower().replace("_", "").replace("-", ""), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None
