"""YAML as plain values that still know which line they came from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

__all__ = ["Position", "Problem", "Tree", "TreeError", "label", "read_tree"]

# Where a value is: keys and list positions from the top.
Position = tuple[str | int, ...]
# Line (or None), field, message: what SpecError lists.
Problem = tuple[int | None, str, str]

PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}
# Aliases can blow up a small file; no index file comes near this.
MAX_NODES = 20_000


class TreeError(Exception):
    """The text is no YAML that can be read further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem[2])
        self.problem = problem


@dataclass(slots=True)
class Tree:
    """A YAML document.

    Attributes:
        data: dicts with text keys, lists and scalars.
        lines: the line (from 1) of each value: of its key, or of itself in a list.
        raw: each scalar as written, without quotes.
        problems: what was found so far; the values concerned are left as they can be read.
    """

    data: Any = None
    lines: dict[Position, int] = field(default_factory=dict)
    raw: dict[Position, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, position: Position) -> int | None:
        """Return the line of a value, or of the nearest thing around it; None at the top."""
        while position and position not in self.lines:
            position = position[:-1]
        return self.lines.get(position) if position else None

    def empty(self, position: Position) -> bool:
        """Tell `key:` with nothing behind it from a null that was written out."""
        return self.raw.get(position) == ""


def label(position: Position) -> str:
    """Write a position the way people do: `sources[0].root`."""
    text = ""
    for part in position:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_tree(text: str) -> Tree:
    """Read one YAML document; raises TreeError where reading has to stop."""
    loader = yaml.SafeLoader("")
    problem: Problem
    # Raised outside the except blocks: the original error quotes the file, and the file may hold secrets.
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        tree = Tree()
        if node is not None:
            tree.data = _Walk(loader, tree).value(node, ())
    except yaml.MarkedYAMLError as error:
        problem = _marked_problem(error, text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        problem = (line, "", f"holds a control character (U+{code:04X}); is this a text file?")
    except RecursionError:
        problem = (None, "", "is nested too deeply")
    except TreeError as error:
        problem = error.problem
    else:
        return tree
    finally:
        loader.dispose()
    raise TreeError(problem)


class _Walk:
    """Turns nodes into values; `stack` finds an anchor that refers to itself."""

    def __init__(self, loader: yaml.SafeLoader, tree: Tree) -> None:
        self.loader = loader
        self.tree = tree
        self.stack: set[int] = set()
        self.nodes = 0

    def value(self, node: Node, position: Position) -> Any:
        self.nodes += 1
        line = node.start_mark.line + 1
        if id(node) in self.stack:
            raise TreeError((line, label(position), "an anchor (&) that holds an alias (*) to itself has no value"))
        if self.nodes > MAX_NODES:
            raise TreeError((line, label(position), "aliases (*) repeat so much that the file becomes huge"))
        self.tree.lines.setdefault(position, line)
        self.stack.add(id(node))
        if isinstance(node, MappingNode):
            result: Any = self._mapping(node, position)
        elif isinstance(node, SequenceNode):
            result = [self.value(child, (*position, index)) for index, child in enumerate(node.value)]
        else:
            result = self._scalar(node, position)
        self.stack.discard(id(node))
        return result

    def _mapping(self, node: MappingNode, position: Position) -> dict[str, Any]:
        first: dict[str, int] = {}
        kept = []
        for key, child in node.value:
            name, line = _key(key), key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:merge" and name in first:
                message = f"the key {name!r} is here twice, first on line {first[name]}; remove one"
                self.tree.problems.append((line, label((*position, name)), message))
            else:
                first[name] = line
                kept.append((key, child))
        node.value = kept
        self.loader.flatten_mapping(node)  # puts what `<<` brings first
        pairs = {_key(key): (key, child) for key, child in node.value}  # so own keys win
        node.value = list(pairs.values())  # an alias to this node finds it without duplicates
        result: dict[str, Any] = {}
        for name, (key, child) in pairs.items():
            self.tree.lines[*position, name] = key.start_mark.line + 1
            result[name] = self.value(child, (*position, name))
        return result

    def _scalar(self, node: Node, position: Position) -> Any:
        self.tree.raw[position] = node.value if isinstance(node, ScalarNode) else ""
        if node.tag not in PLAIN_TAGS:
            message = "a value that begins with ! is a YAML tag, which index files do not use; put it in quotes"
            self.tree.problems.append((self.tree.line(position), label(position), message))
            return node.value
        if node.tag.endswith(":str"):
            return node.value
        try:
            return self.loader.construct_object(node)
        except ValueError:  # 2024-13-45 has the form of a date but is none
            return node.value


def _key(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return node.value  # as written: `on` stays a word and 2024 stays digits
    raise TreeError((node.start_mark.line + 1, "", "a key is a single word; this one is a list or a section"))


# What PyYAML says (looked for in "problem context"), what people are told, and whether the place to look at is where
# the thing began. In order: earlier ones are surer.
MESSAGES = (
    ("'\\t'", "a tab where YAML wants spaces", False),
    (
        "mapping values are not allowed",
        "a colon that does not fit here: check the indentation, or put a value that holds ': ' in quotes",
        False,
    ),
    ("expected ':'", "expected 'key: value', with a space after the colon", True),
    ("end of stream while scanning a quoted scalar", "a quote that is opened here is never closed", True),
    ("escape", "a backslash in double quotes begins an escape; use single quotes", False),
    (
        "undefined alias",
        "a value that begins with * refers to an anchor, and there is none of that name; put it in quotes",
        False,
    ),
    ("cannot start any token", "a value that begins with this character has to be in quotes", False),
    (" while parsing a flow", "a [ or { opened here is not closed, or holds text that has to be in quotes", True),
    ("expected <block end>", "the indentation does not fit the lines above", False),
    ("while parsing a block", "the indentation does not fit the lines above", False),
    ("single document", "a second YAML document begins here (---); an index file holds one", False),
    ("tag", "a value that begins with ! is a YAML tag, which index files do not use; put it in quotes", False),
)


def _marked_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    said = f"{error.problem} {error.context}"
    fallback = ("", "this is not valid YAML", False)
    _, message, at_opening = next((entry for entry in MESSAGES if entry[0] in said), fallback)
    marks = (error.context_mark, error.problem_mark) if at_opening else (error.problem_mark, error.context_mark)
    mark = marks[0] or marks[1]
    if mark is None:
        return None, "", message
    around = text.splitlines()[max(0, mark.line - 1) : mark.line + 1]
    if any(re.match(r"\s*(- )?\w+：", line) for line in around):
        message += " (a full-width '：' is not a colon to YAML)"
    return mark.line + 1, "", f"column {mark.column + 1}: {message}"
