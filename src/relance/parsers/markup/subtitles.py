"""Subtitles and translations: the words, without times and numbers."""

from __future__ import annotations

import re

from relance.parsers.markup.page import Page

__all__ = ["read_subtitles", "read_translations"]

_TIME = re.compile(r"[ \t]*(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3}[ \t]*-->.*")
_MARKS = re.compile(r"</?[a-zA-Z][^<>\n]{0,100}>|<\d[\d:.]{3,15}>|\{\\[^{}\n]{0,50}\}")
_BLOCKS = ("NOTE", "STYLE", "REGION")
_ENTRY = re.compile(r"(?P<name>msgctxt|msgid|msgid_plural|msgstr)(?:\[\d{1,2}\])?[ \t]+\"(?P<text>.*)\"[ \t]*")
_ESCAPE = re.compile(r"\\(.)")


def read_subtitles(text: str) -> Page:
    """Read SubRip or WebVTT: what is said, one cue a line, the same words once."""
    page = Page()
    said = ""
    for block in re.split(r"\n[ \t]*\n", text.removeprefix("WEBVTT")):
        lines = block.strip("\n").split("\n")
        at = next((number for number, line in enumerate(lines[:3]) if _TIME.fullmatch(line)), None)
        if at is None or lines[0].startswith(_BLOCKS):
            continue
        words = " ".join(_MARKS.sub("", " ".join(lines[at + 1 :])).split())
        if words and words != said:  # subtitles that roll repeat the line above
            page.line(words)
            said = words
    return page


def read_translations(text: str) -> Page:
    """Read a gettext catalogue: each message with its translation."""
    page = Page()
    entry: dict[str, str] = {}
    name = ""
    for line in [*text.split("\n"), ""]:
        stripped = line.strip()
        if found := _ENTRY.fullmatch(stripped):
            name = found["name"]
            if name == "msgid" and "msgid" in entry:
                _message(page, entry)
                entry = {}
            entry[name] = f"{entry.get(name, '')}{found['text']}"
        elif stripped.startswith('"') and stripped.endswith('"') and name:
            entry[name] += stripped[1:-1]
        elif not stripped:
            _message(page, entry)
            entry, name = {}, ""
    return page


def _message(page: Page, entry: dict[str, str]) -> None:
    source, translated = entry.get("msgid", ""), entry.get("msgstr", "")
    if not source:  # the header
        for line in translated.split("\\n"):
            key, _, value = line.partition(":")
            if key in {"Language", "Project-Id-Version", "Last-Translator"} and value.strip():
                page.metadata[key.lower().replace("-", "_")] = value.strip()
        return
    for words in (source, entry.get("msgid_plural", ""), translated):
        if words:
            page.line(_ESCAPE.sub(lambda found: {"n": " ", "t": " "}.get(found[1], found[1]), words))
    page.blank()
