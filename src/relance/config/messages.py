"""What a reader of an index file is told: pydantic's findings in plain English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import ByteSize

from relance.config import IndexSpec
from relance.config.finding import Given, close, is_private, one_of, sentence, unknown
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from relance.config.plugin_section import PluginSection
    from relance.config.plugins import Plugins
    from relance.config.shape import Shape
    from relance.config.tree import Position, Tree

__all__ = ["explain", "is_number", "unknown_key", "unknown_plugin"]


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
    homes = [name for name in IndexSpec.model_fields if key in shape.keys((name,))]
    if close(key, names):
        return unknown(key, names)
    if key in IndexSpec.model_fields and key != "folder" and len(position) > 1:
        return f"unknown key {key!r} here; it belongs at the top, not indented"
    if homes:
        return f"unknown key {key!r} here; it belongs under {homes[0]!r}"
    return unknown(key, names)


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
        return one_of(", ".join(names), Given(value))
    try:
        plugins.model(mark.group, value) if mark.field == "model" else plugins.find(mark.group, value)
    except ConfigurationError as error:
        return str(error)
    return ""


def explain(error: Any, position: Position, tree: Tree, shape: Shape) -> str:
    """Put one of pydantic's errors into a sentence."""
    if error["type"] == "extra_forbidden":
        return unknown_key(position, shape)
    place = shape.place(position)
    field, value = (place.field, place.value) if place else (None, None)
    given = Given(value, tree.raw.get(position), private=is_private(field))
    if error["type"] == "list_type" and position == ("sources",):
        return f"expected a list{given.got}; each source begins with a dash, such as - {{type: files, root: ./docs}}"
    if error["type"] == "string_pattern_mismatch" and field is IndexSpec.model_fields["name"]:
        plain = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in str(value)).lower().split())
        if plain and len(plain) <= 63:
            return f"expected lower-case letters, digits, - and _{given.got}; {plain!r} would do"
    return sentence(error, given, field)
