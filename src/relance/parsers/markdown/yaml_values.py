"""YAML as metadata: the meaning of YAML 1.2, so that what an author wrote stays, in linear time and memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["UnreadableError", "load_mapping"]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {**dict.fromkeys(("true", "True", "TRUE"), True), **dict.fromkeys(("false", "False", "FALSE"), False)}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,18})(?P<fraction>\.\d{1,15})?")
_DEEPEST = 50
# Metadata are counted as they will be stored, with each alias unfolded. 30 levels of merge keys or of lists of aliases
# are a thousand million values in 800 bytes.
_MOST_VALUES = 10_000
_MOST_CHARACTERS = 1 << 20


class UnreadableError(ValueError):
    """It is no YAML mapping."""


@dataclass(slots=True)
class _Node:
    """A value that is built; `values` and `characters` are what it takes when its aliases are unfolded."""

    value: Any
    values: int = 1
    characters: int = 0
    anchor: str | None = None
    key: str | None = None  # of a mapping: the key that waits for its value
    merged: dict[str, Any] = field(default_factory=dict)


def load_mapping(body: str) -> tuple[dict[str, Any], list[str], list[str]]:
    """Read a mapping; returns it, keys that stand twice (the last one counts), and keys left out because they unfold.

    Only what YAML 1.2 calls null, a boolean or a number is one, and a number only if it would be written the same:
    `no`, `007`, `1.10`, `12:30` and dates are texts.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder().build(yaml.parse(body, Loader=loader))
    except yaml.YAMLError as error:
        raise UnreadableError(str(error)) from None


class _Builder:
    """Events to values, without recursion; libyaml's own composer ends the process at a depth of 30,000."""

    def __init__(self) -> None:
        self._stack: list[_Node] = []
        self._anchors: dict[str, _Node] = {}
        self._root: Any = None
        self._twice: dict[str, None] = {}
        self._merged = 0
        self._costs: dict[int, dict[str, tuple[int, int]]] = {}  # of each mapping, by its id: what its values take

    def build(self, events: Any) -> tuple[dict[str, Any], list[str], list[str]]:
        import yaml

        for event in events:
            match event:
                case yaml.ScalarEvent():
                    plain = not event.style and event.implicit[0]
                    value = _scalar(event.value) if plain else event.value
                    self._add(_Node(value, 1, len(event.value), event.anchor))
                case yaml.AliasEvent():
                    if event.anchor not in self._anchors:
                        raise UnreadableError(f"*{event.anchor} names nothing")
                    known = self._anchors[event.anchor]
                    self._add(_Node(known.value, known.values, known.characters))
                case yaml.MappingStartEvent():
                    self._open({}, event.anchor)
                case yaml.SequenceStartEvent():
                    self._open([], event.anchor)
                case yaml.MappingEndEvent():
                    node = self._stack.pop()
                    for key, value in node.merged.items():
                        node.value.setdefault(key, value)
                    self._add(node)
                case yaml.SequenceEndEvent():
                    self._add(self._stack.pop())
                case yaml.DocumentEndEvent():
                    break
        if not isinstance(self._root, dict):
            raise UnreadableError("no mapping")
        return self._within_bounds(self._root)

    def _open(self, value: Any, anchor: str | None) -> None:
        if len(self._stack) >= _DEEPEST:
            raise UnreadableError(f"nested deeper than {_DEEPEST}")
        self._costs[id(value)] = {}
        self._stack.append(_Node(value, anchor=anchor))

    def _add(self, node: _Node) -> None:
        if node.anchor is not None:
            self._anchors[node.anchor] = node
        if not self._stack:
            self._root = node.value
            return
        above = self._stack[-1]
        # Bounded, because they double with each level.
        above.values = min(above.values + node.values, 1 << 40)
        above.characters = min(above.characters + node.characters, 1 << 40)
        if isinstance(above.value, list):
            above.value.append(node.value)
        elif above.key is None:
            if isinstance(node.value, dict | list):
                raise UnreadableError("a key is no text")
            above.key = _name(node.value)
        else:
            key, above.key = above.key, None
            if key == "<<" and isinstance(node.value, dict | list):
                self._merge(above, node.value)
                return
            if key in above.value:
                self._twice[key] = None
            above.value[key] = node.value
            self._costs[id(above.value)][key] = node.values, node.characters

    def _merge(self, above: _Node, value: Any) -> None:
        """Note what `<<` adds: own keys win over it, and the first of several over the others."""
        costs = self._costs[id(above.value)]
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, dict):
                raise UnreadableError("<< merges what is no mapping")
            self._merged += len(mapping) + 1
            if self._merged > _MOST_VALUES:
                raise UnreadableError("<< merges too much")
            for key, merged in mapping.items():
                above.merged.setdefault(key, merged)
                costs.setdefault(key, self._costs[id(mapping)][key])

    def _within_bounds(self, mapping: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
        kept, left_out = {}, []
        values, characters = _MOST_VALUES, _MOST_CHARACTERS
        for key, value in mapping.items():
            cost = self._costs[id(mapping)][key]
            if cost[0] > values or cost[1] > characters:
                left_out.append(key)
                continue
            values, characters = values - cost[0], characters - cost[1]
            kept[key] = value
        return kept, list(self._twice), left_out


def _scalar(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    number = float(text) if found["fraction"] else int(text)
    return number if str(number) == text and abs(number) < 1 << 63 else text


def _name(key: Any) -> str:
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)
