"""Where the text of an RTF file goes, and what its groups inherit."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Flow", "State"]


@dataclass(slots=True)
class Flow:
    """Where text goes: the body, a footnote, a header."""

    kind: str
    lines: list[str] = field(default_factory=list)
    pieces: list[tuple[str, str]] = field(default_factory=list)
    label: str = ""
    numbered: bool = False  # a header with the number of the page in it


@dataclass(slots=True)
class State:
    """What a group inherits from the one around it."""

    flow: Flow
    skipped: bool = False
    group: str = ""
    skip: int = 1  # characters that stand for one of Unicode to older programs
    font: int = 0
    hidden: str = ""
    style: int = 0
    outline: int | None = None
    level: int = 0
    in_table: bool = False
    starred: bool = False
    symbolic: bool = False
