"""What a filter means: a tree of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

__all__ = [
    "And",
    "Compare",
    "Exists",
    "In",
    "Match",
    "Moment",
    "Name",
    "Node",
    "Not",
    "Operator",
    "Or",
    "Value",
    "names",
]

Operator = Literal["=", "<", "<=", ">", ">="]


@dataclass(slots=True, frozen=True)
class Moment:
    """A date, or a date with a time.

    Attributes:
        text: as it was written, e.g. `2024-01-31` or `2024-01-31T08:30`.
        start: the moment; of a date, the first one, in UTC where no offset was written.
        whole_day: whether it is a date, which stands for the whole day.
    """

    text: str
    start: datetime
    whole_day: bool

    @classmethod
    def read(cls, text: str) -> Moment:
        """Read ISO 8601; raises ValueError."""
        start = datetime.fromisoformat(text)
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
        return cls(text, start.astimezone(UTC), len(text) == len("2024-01-31"))

    @property
    def next_day(self) -> datetime:
        """The first moment of the day after."""
        return self.start + timedelta(days=1)


Value = str | int | float | bool | Moment


@dataclass(slots=True, frozen=True)
class Name:
    """A column or a metadata key.

    Attributes:
        path: one name, or the keys that lead to a nested one.
        metadata: whether it was written with `meta.`, which always means a metadata key.
        at: position in the filter's text.
    """

    path: tuple[str, ...]
    metadata: bool = False
    at: int = field(default=0, compare=False)


@dataclass(slots=True, frozen=True)
class Compare:
    """`year >= 2020`; `!=` is Not of `=`."""

    name: Name
    operator: Operator
    value: Value
    at: int = field(default=0, compare=False)  # of the value


@dataclass(slots=True, frozen=True)
class In:
    """`lang in ("fr", "zh")`."""

    name: Name
    values: tuple[Value, ...]
    at: int = field(default=0, compare=False)


@dataclass(slots=True, frozen=True)
class Match:
    """`uri ~ "docs/*.md"`: `*` is any text, also across `/`, `?` any one character."""

    name: Name
    pattern: str
    at: int = field(default=0, compare=False)


@dataclass(slots=True, frozen=True)
class Exists:
    """`exists year`: there is a value, and it is not null."""

    name: Name


@dataclass(slots=True, frozen=True)
class Not:
    """True wherever the node is not, also where its value is missing."""

    node: Node


@dataclass(slots=True, frozen=True)
class And:
    """All of them."""

    nodes: tuple[Node, ...]


@dataclass(slots=True, frozen=True)
class Or:
    """Any of them."""

    nodes: tuple[Node, ...]


Node = Compare | In | Match | Exists | Not | And | Or


def names(node: Node) -> Iterator[Name]:
    """Yield the columns and keys that a filter reads, as often as it does."""
    if isinstance(node, And | Or):
        for each in node.nodes:
            yield from names(each)
    elif isinstance(node, Not):
        yield from names(node.node)
    else:
        yield node.name
