"""The command that lists the kinds of sources."""

from __future__ import annotations

import inspect
import types
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ByteSize, SecretStr
from pydantic_core import PydanticUndefined

from relance.cli.options import DONE, AsJson
from relance.cli.terminal import Terminal
from relance.config.plugins import loaded_plugins
from relance.config.sources import SourceSpec
from relance.errors import InputError, install_command

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["sources"]

_NOTHING: tuple[Any, ...] = (None, "", [], {})


def sources(kind: str = "", *, json: AsJson = False) -> int:
    """List the kinds of sources and whether their packages are installed; with KIND, list the options of one.

    `relance sources sql` shows what the section of a database may say.
    """
    terminal, kinds = Terminal(as_json=json), loaded_plugins("sources")
    if kind and kind not in kinds:
        close = get_close_matches(kind, kinds, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(kinds))}"
        raise InputError(f"there is no kind of source {kind!r}; {hint}")
    chosen = {kind: kinds[kind]} if kind else kinds
    rows = [_described(name, plugin) for name, plugin in chosen.items()]
    if json:
        terminal.json({"sources": rows})
    elif kind:
        (row,) = rows
        terminal.pairs(f"type: {kind} {_state(row)}", {each["name"]: _option(each) for each in row["options"]})
    else:
        terminal.pairs("sources", {row["type"]: f"{row['title']} {_state(row)}" for row in rows})
        terminal.say("relance sources KIND shows the options of one")
    return DONE


def _described(name: str, plugin: Any) -> dict[str, Any]:
    missing = sorted({extra for module, extra in plugin.libraries.items() if find_spec(module) is None})
    common = SourceSpec.model_fields  # its own come first
    fields = sorted(plugin.Spec.model_fields.items(), key=lambda each: each[0] in common)
    return {
        "type": name,
        "title": inspect.cleandoc(plugin.Spec.__doc__ or "").partition("\n")[0],
        "installed": not missing,
        "missing": missing,
        "options": [_field(each, field) for each, field in fields if each != "type"],
    }


def _field(name: str, field: FieldInfo) -> dict[str, Any]:
    default = None if field.default is PydanticUndefined else field.get_default(call_default_factory=True)
    return {
        "name": name,
        "type": _type(field.annotation),
        "required": field.is_required(),
        "default": default.human_readable() if isinstance(default, ByteSize) else default,
        "secret": SecretStr in _parts(field.annotation),
        "help": " ".join((field.description or "").split()),
    }


def _type(annotation: Any) -> str:
    """Write a type as people say it: `text`, `list of text`, `all | any`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in {Union, types.UnionType}:
        return " | ".join(_type(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is not None:
        inside = ", ".join(_type(each) for each in arguments if each is not Ellipsis)
        return f"{'list' if origin in {list, tuple} else 'mapping'} of {inside}"
    names = {str: "text", int: "number", float: "number", bool: "true or false", ByteSize: "size", SecretStr: "secret"}
    if annotation in names:
        return names[annotation]
    return "section" if hasattr(annotation, "model_fields") else "text"


def _parts(annotation: Any) -> set[Any]:
    return {annotation, *(part for each in get_args(annotation) for part in _parts(each))}


def _state(row: dict[str, Any]) -> str:
    return f"(needs {install_command(*row['missing'])})" if row["missing"] else "(installed)"


def _option(option: dict[str, Any]) -> str:
    default = option["default"]
    section = option["type"] == "section"  # its own keys have defaults; all of them in a line are no help
    written = "" if section or default in _NOTHING else _written(default)
    said = "required" if option["required"] else f"default {written}" if written else ""
    return f"{option['type']}{', ' if said else ''}{said}. {option['help']}"


def _written(value: Any) -> str:
    """Write a default as it would stand in the spec."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
