"""Content lines of calendars and contacts (iCalendar, vCard): `NAME;PARAMETER=value:VALUE`, folded and escaped."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from relance.parsers.decoding import clean, codec

__all__ = ["Component", "Property", "components"]

_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=("[^"\n]*"|[^;:",\n]*)(?:,(?:"[^"\n]*"|[^;:",\n]*))*|;([A-Za-z0-9-]+)')
_NAME = re.compile(r"(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)?(Z|[+-]\d\d:?\d\d)?)?")


@dataclass(slots=True)
class Property:
    """One line: a value with its parameters."""

    value: str
    parameters: dict[str, str]

    @property
    def text(self) -> str:
        """The value as text."""
        return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value).strip()

    @property
    def texts(self) -> list[str]:
        """The values of a list, or of a structured value, as texts."""
        parts = re.split(r"(?<!\\)[,;]", self.value)
        return [text for part in parts if (text := Property(part, {}).text)]

    @property
    def date(self) -> str:
        """The value as ISO 8601, as it is written: `timezone` may be a parameter of its own; empty for what is none."""
        found = _DATE.fullmatch(self.value.strip())
        if found is None:
            return ""
        day = f"{found[1]}-{found[2]}-{found[3]}"
        zone = "+00:00" if found[7] == "Z" else found[7] or ""
        return f"{day}T{found[4]}:{found[5]}:{found[6] or '00'}{zone}" if found[4] else day


@dataclass(slots=True)
class Component:
    """An event, a task, a card: its properties by name, those inside others left out."""

    kind: str
    line: int
    properties: dict[str, list[Property]] = field(default_factory=dict)
    is_whole: bool = False

    def first(self, name: str) -> Property | None:
        """Return the first property of a name."""
        found = self.properties.get(name)
        return found[0] if found else None

    def text(self, name: str) -> str:
        """Read the first property of a name as text; empty where there is none."""
        found = self.first(name)
        return found.text if found else ""

    def all_texts(self, name: str) -> list[str]:
        """Read every value of a name."""
        return [text for each in self.properties.get(name, []) for text in each.texts]


def components(text: str, kinds: frozenset[str]) -> Iterator[Component]:
    """Stream the components of some kinds with the line each begins in; of the last one the end may be missing."""
    stack: list[Component] = []
    for line, written in _unfolded(text):
        name, parameters, value = _parts(written)
        if name == "BEGIN":
            if len(stack) < 100:  # real ones have three levels; deeper ones are read as the one above
                stack.append(Component(value.strip().upper(), line))
        elif name == "END":
            while stack and any(each.kind == value.strip().upper() for each in stack):
                ended = stack.pop()
                ended.is_whole = ended.kind == value.strip().upper()
                if ended.kind in kinds:
                    yield ended
                if ended.is_whole:
                    break
        elif stack and name:
            stack[-1].properties.setdefault(name, []).append(Property(_value(value, parameters), parameters))
    yield from (each for each in reversed(stack) if each.kind in kinds)


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Stream the lines with the number each begins at; one that begins with a blank goes on with the one before."""
    begun, parts, soft = 1, [""], False
    for number, line in enumerate(text.split("\n"), 1):
        if soft or line[:1] in {" ", "\t"}:
            parts.append(line if soft else line[1:])
        else:
            yield begun, "".join(parts)
            begun, parts = number, [line]
        # Quoted-printable of old cards has line breaks of its own.
        soft = line.endswith("=") and "QUOTED-PRINTABLE" in parts[0].upper()
        if soft:
            parts[-1] = parts[-1][:-1]
    yield begun, "".join(parts)


def _parts(line: str) -> tuple[str, dict[str, str], str]:
    name = _NAME.match(line)
    if name is None:
        return "", {}, ""
    at, parameters = name.end(), {}
    while found := _PARAMETER.match(line, at):
        key, value = (found[1], found[2]) if found[1] else ("TYPE", found[3])
        parameters.setdefault(key.upper(), value.strip('"'))
        at = found.end()
    return (name[1].upper(), parameters, line[at + 1 :]) if line[at : at + 1] == ":" else ("", {}, "")


def _value(value: str, parameters: dict[str, str]) -> str:
    encoding = parameters.get("ENCODING", parameters.get("TYPE", "")).upper()
    if encoding != "QUOTED-PRINTABLE":
        return value
    data = quopri.decodestring(value.encode("utf-8", "replace"))
    try:
        return clean(data.decode(codec(parameters.get("CHARSET", "utf-8")), "replace"))
    except (LookupError, ValueError):
        return clean(data.decode("utf-8", "replace"))
