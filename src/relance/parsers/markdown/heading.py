"""The first heading of a Markdown text."""

from __future__ import annotations

import html
import re

__all__ = ["first_heading", "plain"]

_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_ATX = re.compile(r" {0,3}#{1,6}[ \t]++(?P<title>[^\n]*)")
_CLOSING = re.compile(r"(?:^|(?<=[ \t]))#+$")
_SETEXT = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*+")
_EMPHASIS = re.compile(r"(?P<mark>\*{1,3}|`+|(?<!\w)_{1,3})(?P<words>\S|\S.*?\S)(?P=mark)")
_LINK = re.compile(r"!?\[(?P<label>[^\[\]]*)\]\([^()]*\)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_RULE = re.compile(r"\A\s*(?:---|\+\+\+)[ \t]*\n")
# Where escaped characters stand while markup is looked for: a plane that no font has.
_ASIDE = 0x10F000
_BACK = {_ASIDE + code: chr(code) for code in range(128)}
# A title is a line; a longer one is not worth the time that its markup takes.
_LONGEST = 300


def first_heading(text: str) -> str:
    """Return the first heading outside fenced code, without its marks; empty if there is none.

    A line above a rule is no heading where the text begins with a rule: that is front matter nobody could read.
    """
    fence = previous = ""
    ruled = bool(_RULE.match(text))
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line, at = text[at : min(end, at + 1000)], end + 1
        mark = _FENCE.fullmatch(line)
        if fence:
            if mark and mark["marks"].startswith(fence) and not mark["info"].strip():
                fence = ""
        elif mark:
            fence = mark["marks"]
        elif (heading := _ATX.fullmatch(line)) and (title := plain(_CLOSING.sub("", heading["title"].rstrip()))):
            return title
        elif previous.strip() and _SETEXT.fullmatch(line):
            if not ruled:
                return plain(previous)
            ruled = False
        previous = "" if fence or mark or line.lstrip().startswith(("|", ">", "- ", "* ")) else line
    return ""


def plain(title: str) -> str:
    """Take links, code, emphasis and escapes out of a heading's text."""
    title = _ESCAPE.sub(lambda found: chr(_ASIDE + ord(found[1])), title[:_LONGEST].strip())
    title = _EMPHASIS.sub(r"\g<words>", _LINK.sub(r"\g<label>", title))
    return html.unescape(title.translate(_BACK)).strip()
