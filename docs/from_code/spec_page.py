"""The page of the spec: every key with its type, its default and its meaning, made of the JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from relance.config.load import json_schema

HEAD = """# Spec

An index is one YAML file. This page lists every key; it is made of the models that check the file. `relance init`
writes a commented file, `relance schema` writes the JSON Schema that editors complete from, and `relance sources KIND`
shows the options of one kind of source. Names that are not on this page are refused, with their line and the nearest
name.

Where the meaning says so, a value may name a variable of the environment, `${NAME}`, such as a key
([Secrets](../how-to/secrets.md)).

"""

Schema = dict[str, Any]


def page() -> str:
    """Write a table for the file, and one for each section in it."""
    return HEAD + "\n".join(_Page(json_schema()).write())


class _Page:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.models: Schema = schema["$defs"]
        # Each model is described once, where it is met first.
        self.anchors: dict[str, str] = {}
        self.waiting: list[str] = []

    def write(self) -> Iterator[str]:
        yield "## The file\n"
        for key, value in self.schema["properties"].items():
            for name in _models_of(value):
                self.anchors.setdefault(name, key)
        yield from self.table(self.schema, self.schema["properties"])
        for key, value in self.schema["properties"].items():
            if names := list(_models_of(value)):
                yield f"\n## `{key}` {{ #{key} }}\n\n{_line(value.get('description', ''))}\n"
                yield from self.section(value, names)

    def section(self, value: Schema, names: list[str]) -> Iterator[str]:
        """Write the keys that all variants have, then those of each."""
        variants = [(label, name) for label, name in _variants(value) if name in names]
        models = [self.models[name] for _, name in variants]
        shared = {} if len(variants) < 2 else _shared(models)
        if shared:
            yield f"Keys of every `{variants[0][0].partition(':')[0]}`:\n"
            yield from self.table({}, shared)
        for label, name in variants:
            model = self.models[name]
            own = {key: each for key, each in model.get("properties", {}).items() if key not in shared}
            if len(variants) > 1:
                about = _line(model.get("description", ""))
                yield f"\n### `{label}` {{ #{_slug(label)} }}\n\n{about}\n"
            if own:
                yield from self.table(model, own)
            elif len(variants) > 1:
                yield "No further keys.\n"
        while self.waiting:
            name = self.waiting.pop(0)
            model = self.models[name]
            yield f"\n### {model.get('title', name)} {{ #{self.anchors[name]} }}\n"
            yield f"{_line(model.get('description', ''))}\n"
            yield from self.table(model, model.get("properties", {}))

    def table(self, model: Schema, keys: Schema) -> Iterator[str]:
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        required = model.get("required", [])
        for key, value in keys.items():
            default = value.get("default", ...)
            shown = "required" if key in required else "" if default is ... else f"`{_cell(_default(value))}`"
            meaning = _line(value.get("description", ""))
            examples = ", ".join(f"`{_cell(_text(each))}`" for each in value.get("examples", []))
            meaning += f" Example: {examples}." if examples else ""
            yield f"| `{key}` | {self.kind(value)} | {shown} | {meaning} |"
        yield ""

    def kind(self, value: Schema) -> str:  # noqa: PLR0911  # one line a kind of schema
        """Say in a few words what a value may be."""
        if "$ref" in value:
            return self.link(_name(value))
        if "const" in value:
            return f"`{_text(value['const'])}`"
        if "enum" in value:
            return ", ".join(f"`{_text(each)}`" for each in value["enum"])
        for several in ("anyOf", "oneOf", "allOf"):
            if several in value:
                links = [self.anchors[name] for each in value[several] if (name := _name(each)) in self.anchors]
                if len(links) == len(value[several]) > 1 and len(set(links)) == 1:
                    return f"[one of these](#{links[0]})"
                return " or ".join(dict.fromkeys(self.kind(each) for each in value[several]))
        match value.get("type"):
            case "array":
                return f"list of {self.kind(value['items'])}" if value.get("items") else "list"
            case "object":
                inner = value.get("additionalProperties")
                return f"mapping to {self.kind(inner)}" if isinstance(inner, dict) and inner else "mapping"
            case "string":
                return "text"
            case "integer" | "number":
                return ("whole number" if value["type"] == "integer" else "number") + _bounds(value)
            case "boolean":
                return "`true` or `false`"
            case "null":
                return "`null`"
        return "any"

    def link(self, name: str) -> str:
        if name not in self.models or not self.models[name].get("properties"):
            return self.kind(self.models[name]) if name in self.models and "type" in self.models[name] else "mapping"
        if name not in self.anchors:
            self.anchors[name] = _slug(self.models[name].get("title", name))
            self.waiting.append(name)
        return f"[{self.models[name].get('title', name)}](#{self.anchors[name]})"


def _name(value: Schema) -> str:
    return value.get("$ref", "").rpartition("/")[2]


def _default(value: Schema) -> str:
    default = value["default"]
    if (
        isinstance(default, int)
        and default
        and not default % 1024**2
        and any("pattern" in each for each in value.get("anyOf", []))
    ):
        return f"{default // 1024**2}MiB"
    return json.dumps(default, ensure_ascii=False)


def _models_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _models_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _models_of(each)


def _variants(value: Schema) -> Iterator[tuple[str, str]]:
    """Yield each model a value may be, with the key that chooses it: `type: files`."""
    if "$ref" in value:
        chosen = [
            f"{key}: {', '.join(each['enum']) if 'enum' in each else _plain(each['pattern'])}"
            for key, each in value.get("properties", {}).items()
            if "enum" in each or "pattern" in each
        ]
        yield (chosen or [""])[0], value["$ref"].rpartition("/")[2]
        return
    for several in ("anyOf", "oneOf", "allOf"):
        for each in value.get(several, []):
            yield from _variants(each)
    if isinstance(value.get("items"), dict):
        yield from _variants(value["items"])
    for key, each in value.get("properties", {}).items():
        for _, name in _variants(each):
            yield key, name


def _plain(pattern: str) -> str:
    """Write the pattern of a model's name as people do: `dashscope/…`."""
    return re.sub(r"[\^$()]", "", pattern).replace(".+", "…")


def _shared(models: list[Schema]) -> Schema:
    first, *others = [model.get("properties", {}) for model in models]
    return {key: value for key, value in first.items() if all(_same(value, other.get(key)) for other in others)}


def _same(one: Schema, other: Schema | None) -> bool:
    if other is None or "const" in one:
        return False
    return all(one.get(part) == other.get(part) for part in ("description", "default"))


def _bounds(value: Schema) -> str:
    low, high = value.get("minimum", value.get("exclusiveMinimum")), value.get("maximum")
    above = "above " if "exclusiveMinimum" in value else ""
    if low is not None and high is not None:
        return f", {above}{low} to {high}"
    return f", {above or 'at least '}{low}" if low is not None else f", at most {high}" if high is not None else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return _cell(" ".join(text.split())).replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
