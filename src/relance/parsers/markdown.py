"""Markdown with YAML (`---`) or TOML (`+++`) front matter."""

from __future__ import annotations

import re
from typing import Any

from relance.parsers.decoding import decode
from relance.parsers.json_values import json_value
from relance.parsers.parser import Parsed, Parser, Raw, Reference
from relance.parsers.references import MEDIA_MARKS, markdown_references

__all__ = ["Markdown", "first_heading", "front_matter"]

_FRONT = re.compile(r"\A(?P<fence>---|\+\+\+)[ \t]*\n(?P<body>.*?)^(?P=fence)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LONGEST = 64 * 1024
_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_ATX = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*?)(?:[ \t]+#+)?[ \t]*")
_SETEXT = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_EMPHASIS = re.compile(r"(?P<mark>\*{1,3}|`+|(?<!\w)_{1,3})(?P<words>\S|\S.*?\S)(?P=mark)")
_LINK = re.compile(r"!?\[(?P<label>[^\]]*)\]\([^)]*\)")


class Markdown(Parser):
    """Markdown; front matter becomes metadata and leaves the text."""

    version = "markdown-1"
    media_types = ("text/markdown",)
    decodes = True
    media_marks = MEDIA_MARKS

    def parse(self, raw: Raw) -> Parsed:
        """Decode Markdown; front matter becomes metadata and leaves the text."""
        metadata, text = front_matter(decode(raw.data, raw.uri, encoding=raw.encoding))
        title = metadata.pop("title", None)
        if not isinstance(title, (str, int, float)) or isinstance(title, bool):
            title = first_heading(text)
        return Parsed(text, title=str(title), syntax="markdown", metadata=metadata)

    def references(self, raw: Raw) -> list[Reference]:
        """List what its image links and the HTML in it show."""
        return markdown_references(front_matter(decode(raw.data, raw.uri, encoding=raw.encoding))[1])


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Split a text into its front matter and the rest.

    What is no mapping is no front matter: a text may as well begin with a rule.
    """
    found = _FRONT.match(text)
    if found is None or len(found["body"]) > _LONGEST:
        return {}, text
    values = _load_yaml(found["body"]) if found["fence"] == "---" else _load_toml(found["body"])
    if not isinstance(values, dict):
        return {}, text
    metadata = {}
    for key, value in values.items():
        try:
            metadata[str(key)] = json_value(value)
        except ValueError:
            continue  # a value that JSON cannot hold is not worth the document
    return metadata, text[found.end() :].lstrip("\n")


def first_heading(text: str) -> str:
    """Return the first heading outside fenced code, without its marks; empty if there is none."""
    fence = previous = ""
    for line in text.splitlines():
        mark = _FENCE.fullmatch(line)
        if fence:
            if mark and mark["marks"].startswith(fence) and not mark["info"].strip():
                fence = ""
        elif mark:
            fence = mark["marks"]
        elif (heading := _ATX.fullmatch(line)) and heading["title"]:
            return _plain(heading["title"])
        elif previous.strip() and _SETEXT.fullmatch(line):
            return _plain(previous)
        previous = "" if fence or mark or line.lstrip().startswith(("|", ">", "- ", "* ")) else line
    return ""


def _plain(title: str) -> str:
    return _EMPHASIS.sub(r"\g<words>", _LINK.sub(r"\g<label>", title)).strip()


def _load_yaml(body: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(body, Loader=loader)  # noqa: S506  # it is a safe loader, in C where there is one
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date such as 2024-13-45
        return None


def _load_toml(body: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(body)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
