"""Markdown as its author's reader sees it: still Markdown, without comments, escapes, HTML and base64."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import partial

from relance.parsers.markdown.inner_html import LESS_THAN, markdown_of_html

__all__ = ["readable"]

_SPECIAL = re.compile(r"[\\<&{%]|data:|\]:|\[[!\[]|\$\$")
_FENCE = re.compile(r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?(?P<marks>`{3,}+(?=[^`]*+$)|~{3,}+)(?P<info>.*)")
_LIST = re.compile(r"[ \t]{0,12}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_MARGIN = re.compile(r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?")
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_ESCAPE = re.compile(rf"\\(?P<escaped>[{re.escape(_PUNCTUATION)}])")
_BLOCK_MARKS = frozenset("#>-+*=~`|")
_ENTITY = r"&(?:\#\d{1,7}|\#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,31});"
# `[//]: # (hidden)`, and the same as people write it.
_COMMENT_LINE = re.compile(
    r" {0,3}\[(?://|comment|_|-)[^\]\n]{0,100}\]:[ \t]*(?:#|<>|<#>)(?:[ \t]+[\"'(].*)?[ \t]*", re.IGNORECASE
)
_DATA_LINE = re.compile(r" {0,3}\[[^\]\n]{1,200}\]:[ \t]*<?data:")
_CALLOUT = re.compile(r"(?P<margin>[ \t]*>[ \t>]*)\[!(?P<kind>[\w-]{1,40})\][+-]?[ \t]*(?P<title>.*)")
_HIGHLIGHT = re.compile(
    r"[ \t]*(?:\{%-?|\{\{[<%])[ \t]*(?P<end>end|/)?[ \t]*highlight\b[ \t]*(?P<language>[\w+#-]*)[^\n]*"
)
_LIQUID = r"\{%-?[ \t]*(?:end)?\w[^{}%\n]*%\}"
_SHORTCODE = r"\{\{[<%](?P<shortcode>[^{}\n]{0,2000}?)[>%]\}\}"
_SHOWN = re.compile(r"\b(?:title|caption|alt|label|summary|text)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_COMPONENT = re.compile(r"[ \t]*</?[A-Z][\w.]*(?P<attributes>[ \t][^<>]*)?/?>[ \t]*")
_IMPORT = re.compile(r"import[ \t].*[\"'];?[ \t]*|export[ \t]+(?:const|let|var|default|function|async)\b.*")
_INLINE = re.compile(
    rf"\\(?P<escaped>[{re.escape(_PUNCTUATION)}])"
    rf"|(?P<entity>{_ENTITY})"
    rf"|(?P<math>\$(?![\s$\d])[^$\n]{{1,400}}(?<![\s\\])\$(?!\d)|\$\$[^$\n]{{1,2000}}\$\$)"
    r"|!\[(?P<alt>[^\[\]\n]{0,1000})\]\([ \t]*<?data:(?:[^()\[\]!\n<>]|\([^()\[\]\n]{0,200}\))*+>?[ \t]*\)"
    r"|(?P<auto><(?:https?|mailto|ftp):[^<>\s]{1,2000}>)"
    rf"|(?P<liquid>{_LIQUID})|{_SHORTCODE}"
    r"|(?P<embed>!?)\[\[(?P<page>[^\[\]|\n]{1,300})(?:\\?\|(?P<alias>[^\[\]\n]{0,300}))?\]\]"
    r"|%%[ \t][^%\n]{0,2000}[ \t]%%"
)
_LONGEST_FORMULA = 100  # lines
_TICKS = re.compile(r"`+")


def readable(text: str, *, mdx: bool = False) -> str:
    """Take out of Markdown what its reader does not see; headings, fences, lists and tables stay marked, code as it is.

    Comments go, escapes and entities are undone where no line would mean something else by it, a picture within the
    file becomes its alt text, HTML the Markdown it stands for.
    """
    if not (mdx or _SPECIAL.search(text)):
        return text
    # What is code has no tags.
    parts = [part.replace("<", LESS_THAN) if code else part for code, part in _Lines(text, mdx=mdx).parts()]
    found = markdown_of_html("".join(parts))
    return found if text.endswith("\n") else found.removesuffix("\n")


class _Lines:
    """A walk over lines. It yields (is code, text) parts, which joined are the text."""

    def __init__(self, text: str, *, mdx: bool) -> None:
        self._lines = list(_without_comments(text))
        self._mdx = mdx

    def parts(self) -> Iterator[tuple[bool, str]]:
        fence = ""  # of the code we are in
        blank, in_list = True, False
        for number, written in enumerate(self._lines):
            if fence:
                fence, line = _within(fence, written)
                yield True, line + "\n"
                continue
            fence, line = self._open(written, number)
            if fence:
                yield True, line + "\n"
                continue
            in_list = bool(_LIST.match(line)) or (in_list and (not line.strip() or line[:1] in " \t"))
            is_code = blank and not in_list and line.startswith(("    ", "\t"))
            blank = not line.strip() or is_code
            if is_code or not (self._mdx or _SPECIAL.search(line)):
                yield is_code, line + "\n"
            elif (read := self._line(line, number)) is not None:
                yield from read

    def _open(self, line: str, number: int) -> tuple[str, str]:
        if found := _FENCE.fullmatch(line):
            return found["marks"], line
        stripped = line.strip()
        if stripped.startswith("$$") and stripped.count("$$") == 1:
            below = self._lines[number + 1 : number + 1 + _LONGEST_FORMULA]
            return ("$$" if any("$$" in each for each in below) else ""), line
        if (found := _HIGHLIGHT.fullmatch(line)) and not found["end"]:
            return "highlight", f"```{found['language']}"
        return "", line

    def _line(self, line: str, number: int) -> Iterator[tuple[bool, str]] | None:
        if _COMMENT_LINE.fullmatch(line) or _DATA_LINE.match(line):
            return None
        if self._mdx and _IMPORT.fullmatch(line):
            return None
        if found := _CALLOUT.fullmatch(line):
            kind = found["kind"].capitalize()
            line = f"{found['margin']}**{kind}{':' if found['title'] else ''}** {found['title']}".rstrip()
        elif found := _COMPONENT.fullmatch(line):
            return iter([(False, _attributes(found["attributes"] or "") + "\n")])
        # A line break within a paragraph; at its end it is a letter like any other.
        if line.endswith("\\") and not line.endswith("\\\\") and "".join(self._lines[number + 1 : number + 2]).strip():
            line = line[:-1]
        return self._inline(line)

    def _inline(self, line: str) -> Iterator[tuple[bool, str]]:
        margin = _MARGIN.match(line)
        start = margin.end() if margin else 0
        heading, table = bool(_HEADING.match(line)), "|" in line.replace("\\|", "")
        at = 0
        for begin, end in [*_code_spans(line), (len(line), len(line))]:
            first = start if at == 0 else -1
            show = partial(_shown, start=first, heading=heading, table=table)
            yield False, _INLINE.sub(show, line[at:begin])
            yield True, line[begin:end]
            at = end
        yield False, "\n"


def _within(fence: str, line: str) -> tuple[str, str]:
    """Return the fence that is still open after a line of code, and the line."""
    if fence == "$$":
        return ("" if "$$" in line else fence), line
    if fence == "highlight":
        found = _HIGHLIGHT.fullmatch(line)
        return ("", "```") if found and found["end"] else (fence, line)
    found = _FENCE.fullmatch(line)
    closes = found and not found["info"].strip() and found["marks"].startswith(fence)
    return ("" if closes else fence), line


def _shown(found: re.Match[str], *, start: int, heading: bool, table: bool) -> str:  # noqa: PLR0911  # a table of kinds
    if escaped := found["escaped"]:
        return _unescaped(found, escaped, start, heading=heading, table=table)
    if entity := found["entity"]:
        character = html.unescape(entity)
        if (heading and character == "<") or (table and character == "|"):
            return entity
        if len(character) == 1 and character in _BLOCK_MARKS and found.start() == start:
            return entity
        if character == "<":
            return LESS_THAN
        return " " if character.isspace() else character
    if found["math"]:
        return found[0]
    if found["alt"] is not None:
        return found["alt"]
    if found["auto"]:
        return found["auto"][1:-1]
    if found["shortcode"] is not None:
        return found[0] if found.string[max(found.start() - 1, 0)] in "(\"'" else _attributes(found["shortcode"])
    if found["page"]:
        return found[0] if found["embed"] else (found["alias"] or found["page"])
    return ""  # Liquid, Obsidian's comments


def _unescaped(found: re.Match[str], escaped: str, start: int, *, heading: bool, table: bool) -> str:
    """Undo an escape unless the line would mean something else without it."""
    at, text = found.start(), found.string
    begins = (at == start and escaped in _BLOCK_MARKS) or (escaped in ".)" and start >= 0 and text[start:at].isdigit())
    if begins and _marks_block(escaped, text[at + 2 : at + 3]):
        return found[0]
    if escaped == "|" and table:
        return found[0]
    if escaped == "<":
        return LESS_THAN  # it begins no tag
    if heading and escaped in "*_`~[":
        inside = at > 0 and text[at - 1].isalnum() and text[at + 2 : at + 3].isalnum()
        return escaped if inside else found[0]
    return escaped


def _marks_block(mark: str, after: str) -> bool:
    """Whether a line that begins with this character, or a number and it, and goes on so is no paragraph."""
    if mark in ">|":
        return True
    return after == mark or (mark not in "`~" and (not after or after.isspace()))


def _attributes(text: str) -> str:
    """Join what a component or shortcode shows of its attributes."""
    return " ".join((first or second).strip() for first, second in _SHOWN.findall(text))


def _code_spans(line: str) -> list[tuple[int, int]]:
    """Find inline code: from a run of backticks to the next one of the same length."""
    runs = [(found.start(), found.end()) for found in _TICKS.finditer(line)]
    if len(runs) < 2:
        return []
    later: dict[int, list[int]] = {}  # positions in `runs` by length, last first
    for number in range(len(runs) - 1, -1, -1):
        later.setdefault(runs[number][1] - runs[number][0], []).append(number)
    spans: list[tuple[int, int]] = []
    number = 0
    while number < len(runs):
        begin, end = runs[number]
        if begin > 0 and line[begin - 1] == "\\":
            begin += 1
        same = later.get(end - begin, [])
        while same and same[-1] <= number:
            same.pop()
        if same and end > begin:
            spans.append((begin, runs[same[-1]][1]))
            number = same[-1]
        number += 1
    return spans


def _without_comments(text: str) -> Iterator[str]:
    """Yield the lines outside `<!-- … -->`; in code nothing is a comment, and one that never ends is none either."""
    at, fence = 0, ""
    closing = True
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line, at = text[at:end], end + 1
        found = _FENCE.fullmatch(line)
        if fence:
            if found and not found["info"].strip() and found["marks"].startswith(fence):
                fence = ""
        elif found:
            fence = found["marks"]
        elif closing and "<!--" in line and not (line.startswith("    ") and not line.lstrip().startswith("<!--")):
            line, at, closing = _cut(text, end - len(line), end)
        yield line


def _cut(text: str, begin: int, end: int) -> tuple[str, int, bool]:
    """Take the comments out of a line and what follows of the last one's line; say where to go on."""
    kept = []
    spans = _code_spans(text[begin:end])
    at = begin
    start = text.find("<!--", at, end)
    while start >= 0:
        if any(left <= start - begin < right for left, right in spans):
            kept.append(text[at : start + 4])
            at = start + 4
        else:
            stop = text.find("-->", start + 4)
            if stop < 0:
                return "".join([*kept, text[at:end]]), end + 1, False
            kept.append(text[at:start])
            at = stop + 3
            if at > end:
                end = text.find("\n", at)
                end = len(text) if end < 0 else end
                begin, spans = at, _code_spans(text[at:end])
        start = text.find("<!--", at, end)
    return "".join([*kept, text[at:end]]), end + 1, True
