"""Front matter: what a Markdown file says about itself before its text, in YAML, TOML or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from relance.parsers.json_values import json_value
from relance.parsers.markdown.yaml_values import UnreadableError, load_mapping

__all__ = ["FrontMatter", "front_matter"]

_FENCED = re.compile(
    r"\A\s*+^(?:---(?:yaml|json)?[ \t]*+\n(?P<yaml>.*?)^(?:---|\.\.\.)|\+\+\+[ \t]*+\n(?P<toml>.*?)^\+\+\+)"
    r"[ \t]*+(?:\n|\Z)",
    re.DOTALL | re.MULTILINE,
)
_KEY = re.compile(
    r"(?P<quote>[\"']?)(?P<key>\w[\w .\-/]{0,80}?)(?P=quote)[ \t]{0,20}+(?P<mark>[:=])(?:[ \t]++(?P<rest>.*))?"
)
_ITEM = re.compile(r"[ \t]*-[ \t]+(?P<item>.*)")
# Longer front matter is read line by line, and what has more keys than that is data.
_LONGEST = 256 * 1024
_MOST_KEYS = 1_000
_NAMED = 5  # of those a warning is about
# `a.a.a. … = 1` takes tomllib the square of its depth: 14 s in 60 KB.
_MOST_DOTS = 50


class FrontMatter(NamedTuple):
    """What it says, the text after it, and what could not be read in it."""

    metadata: dict[str, Any]
    text: str
    warnings: tuple[str, ...] = ()


def front_matter(text: str) -> FrontMatter:
    """Split a text into its front matter and the rest.

    Where YAML or TOML refuses it, each key that can be read is kept, and the others as the text of their lines. What
    has no keys is no front matter: a text may as well begin with a rule.
    """
    found = _FENCED.match(text)
    if found is None:
        return _braces(text)
    is_yaml = found["toml"] is None
    body = found["yaml"] if is_yaml else found["toml"]
    warnings: list[str] = []
    if is_yaml and body.lstrip().startswith("{"):
        values = _json(body) or _yaml(body, warnings)
    else:
        values = _yaml(body, warnings) if is_yaml else _toml(body)
    if values is None:
        line = text.count("\n", 0, found.start("yaml" if is_yaml else "toml")) + 1
        values = _by_line(body, line, ":" if is_yaml else "=", warnings)
    if values is None:
        return FrontMatter({}, text)
    return FrontMatter(_storable(values, warnings), text[found.end() :].lstrip("\n"), tuple(warnings))


def _braces(text: str) -> FrontMatter:
    """Read front matter in JSON, which is marked by nothing but its braces."""
    start = len(text) - len(text.lstrip())
    if not text.startswith("{", start):
        return FrontMatter({}, text)
    try:
        values, end = json.JSONDecoder().raw_decode(text[: start + _LONGEST], start)
    except (ValueError, RecursionError):
        return FrontMatter({}, text)
    rest = text[end:]
    if not isinstance(values, dict) or not values or rest.partition("\n")[0].strip():
        return FrontMatter({}, text)
    warnings: list[str] = []
    return FrontMatter(_storable(values, warnings), rest.lstrip(), tuple(warnings))


def _storable(values: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    metadata = {}
    for key, value in values.items():
        try:
            metadata[str(key)] = json_value(value)
        except ValueError as error:
            warnings.append(f"`{key}` of its front matter {error}, and is left out")
    return metadata


def _yaml(body: str, warnings: list[str]) -> dict[str, Any] | None:
    if len(body) > _LONGEST:
        return None
    try:
        values, twice, left_out = load_mapping(body)
    except UnreadableError:
        return None
    warnings += [f"`{key}` stands twice in its front matter; the last one counts" for key in twice]
    if left_out:
        warnings.append(f"{_names(left_out)} of its front matter unfolds to too much, and is left out")
    return values


def _names(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(f"`{key}`" for key in keys[:_NAMED]) + more


def _toml(body: str) -> dict[str, Any] | None:
    import tomllib

    if len(body) > _LONGEST or any(line.partition("=")[0].count(".") > _MOST_DOTS for line in body.split("\n")):
        return None
    try:
        return tomllib.loads(body, parse_float=_as_written)
    except (ValueError, RecursionError):
        return None


def _as_written(number: str) -> float | str:
    return float(number) if repr(float(number)) == number else number


def _json(body: str) -> dict[str, Any] | None:
    try:
        values = json.loads(body[:_LONGEST])
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _by_line(body: str, first: int, mark: str, warnings: list[str]) -> dict[str, Any] | None:
    """Read key by key; None unless it begins with a key and most lines belong to one."""
    values: dict[str, Any] = {}
    as_text, lost, twice = [], [], []
    strays = 0  # lines of no key that are no template's either
    for count, (number, key, lines) in enumerate(_entries(body, mark)):
        if not key:
            if not values:
                return None
            lost.append(first + number)
            strays += not lines[0].startswith("{")
            continue
        if key in values:
            twice.append(key)
        entry = _entry(lines) if mark == ":" and count < _MOST_KEYS else {}
        if not entry:
            as_text.append(first + number)
        values[key] = next(iter(entry.values())) if entry else _text(lines)
    if not values or strays >= len(values):
        return None
    warnings += [f"`{key}` stands twice in its front matter; the last one counts" for key in dict.fromkeys(twice)]
    if as_text:
        language = "YAML" if mark == ":" else "TOML"
        warnings.append(f"{_lines(as_text)} of its front matter: no {language}, kept as text")
    if lost:
        warnings.append(f"{_lines(lost)} of its front matter cannot be read, and left out")
    return values


def _entries(body: str, mark: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each key with the number of its line and what is written below it; an empty key for a line without one."""
    open_entry: tuple[int, str, list[str]] | None = None
    for number, line in enumerate(body.split("\n")):
        if not line.strip() or line.startswith("#"):
            continue
        found = _KEY.fullmatch(line[:100_000])
        if found and found["mark"] == mark:
            if open_entry:
                yield open_entry
            open_entry = number, found["key"], [line]
        elif open_entry and line.startswith((" ", "\t", "- ", "]", "}")):
            open_entry[2].append(line)
        else:
            if open_entry:
                yield open_entry
                open_entry = None
            yield number, "", [line]
    if open_entry:
        yield open_entry


def _entry(lines: list[str]) -> dict[str, Any]:
    """Read one key with its value as YAML; empty if it is none."""
    body = "\n".join([*lines, ""])
    try:
        return load_mapping(body)[0] if len(body) <= _LONGEST else {}
    except UnreadableError:
        return {}


def _text(lines: list[str]) -> str | list[str]:
    found = _KEY.fullmatch(lines[0][:100_000])
    rest = ((found["rest"] or "") if found else "").strip()
    if len(rest) > 1 and rest[0] == rest[-1] and rest[0] in "\"'":
        rest = rest[1:-1]
    items = [item["item"].strip() for line in lines[1:] if (item := _ITEM.fullmatch(line))]
    if not rest and items and len(items) == len(lines) - 1:
        return items
    return " ".join([rest, *(line.strip() for line in lines[1:])]).strip()


def _lines(numbers: list[int]) -> str:
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:5]))}{more}"
