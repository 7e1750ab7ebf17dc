"""Text as people read it: lines that were broken for an editor run on."""

from __future__ import annotations

import re

__all__ = ["UNSEEN", "flowing", "plain", "running"]

UNSEEN = "\u2060"  # as wide as nothing, and no place to break a line

# Code between fences, headings, rows of tables and tags keep their lines.
_KEPT = re.compile(r"^(?:```|~~~)[\s\S]*?^(?:```|~~~)[^\n]*$|^(?:#|\||[ \t]*<)[^\n]*$", re.MULTILINE)
# A line that begins like a list, a quotation, a table, a heading, a tag or code is not the rest of the one before.
_BREAK = re.compile(r"(?<=[^\s\\])\n {0,4}(?![\s#>|<`~*+-]|\d+[.)]|!\[|\[[^\]\n]{1,200}\]:|$)")
# A heading, bold words, and a picture: of that only its words are for people.
_SIGNS = re.compile(r"^#{1,6} |\*\*|!\[([^\[\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)", re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6} [^\n]*[^\s.:?!。：？！])\n\n(?=\S)", re.MULTILINE)
_WIDE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_NOTHING = "\u200b"  # between Chinese lines there is no space; of the same length, so that places stay


def flowing(text: str, media_type: str) -> str:
    """Join the broken lines of Markdown; as long as before, so that offsets still fit."""
    if media_type != "text/markdown":
        return text
    pieces, at = [], 0
    for kept in _KEPT.finditer(text):
        pieces += [_joined(text[at : kept.start()]), kept[0]]
        at = kept.end()
    return "".join([*pieces, _joined(text[at:])])


def plain(text: str, media_type: str) -> str:
    """Hide the signs of headings, bold words and pictures in Markdown, which other formats become; length stays."""
    return _SIGNS.sub(_hidden, text) if _has_signs(media_type) else text


def running(text: str, media_type: str) -> str:
    """Hide signs as `plain` does, for where lines run on: a colon tells a heading from what is below it."""
    return plain(_HEADING.sub(_with_colon, text), media_type) if _has_signs(media_type) else text


def _has_signs(media_type: str) -> bool:
    return media_type != "text/plain" and not media_type.startswith("text/x-")


def _with_colon(found: re.Match[str]) -> str:
    return found[1] + ("：" + _NOTHING if _WIDE.match(found[1][-1]) else ": ")


def _hidden(found: re.Match[str]) -> str:
    if found[0].startswith("#"):
        return " " * len(found[0])
    words = found[1] or ""
    return UNSEEN * 2 + words + UNSEEN * (len(found[0]) - len(words) - 2)


def _joined(text: str) -> str:
    def join(found: re.Match[str]) -> str:
        before, after = text[found.start() - 1], text[found.end() : found.end() + 1]
        gap = _NOTHING if _WIDE.match(before) and after and _WIDE.match(after) else " "
        return gap + _NOTHING * (len(found[0]) - 1)

    return _BREAK.sub(join, text)
