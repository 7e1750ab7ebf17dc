"""Org mode."""

from __future__ import annotations

import re

from relance.parsers.markup.page import Page

__all__ = ["read_org"]

_HEADLINE = re.compile(r"(?P<stars>\*+)[ \t]+(?P<title>.*)")
_STATE = re.compile(r"(?:(?:TODO|DONE|NEXT|WAITING|CANCELLED|CANCELED)[ \t]+)?(?:\[#[A-Z0-9]\][ \t]+)?")
_TAGS = re.compile(r"[ \t]+:[\w@#%:]{1,300}:[ \t]*$")
_KEYWORD = re.compile(r"[ \t]*#\+(?P<name>[\w-]{1,60})(?:\[[^\]\n]{0,200}\])?:(?P<value>.*)")
_BEGIN = re.compile(r"[ \t]*#\+begin_(?P<kind>\w{1,60})(?:[ \t]+(?P<language>\S+))?.*", re.IGNORECASE)
_DRAWER = re.compile(r"[ \t]*:(?P<name>[\w-]{1,60}):[ \t]*")
_RULE = re.compile(r"[ \t]*\|[-+]+\|?[ \t]*")
_INLINE = re.compile(
    r"\[\[(?P<target>[^\[\]\n]{1,1000})\](?:\[(?P<words>[^\[\]\n]{1,1000})\])?\]"
    r"|(?<![\w=~])(?P<mark>[=~])(?P<code>(?![\s=~])[^\n=~]{0,300}?[^\s=~])(?P=mark)(?![\w=~])"
    r"|<<<?[^<>\n]{1,200}>>>?"
)
_PICTURE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|avif)$", re.IGNORECASE)
_FACTS = {"author": "author", "date": "date", "keywords": "keywords", "filetags": "tags", "language": "language"}
_FACTS |= {"description": "description", "email": "email", "subtitle": "subtitle"}


def read_org(text: str) -> Page:
    """Read Org: headlines, blocks, tables and links; drawers, comments and what is not exported out."""
    reader = _Reader(text.split("\n"))
    reader.read()
    return reader.page


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.page = Page()
        self._lines = lines
        self._at = 0
        self._hidden = 0  # depth of the headline whose tree is a comment

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip()
            self._at += 1
            if headline := _HEADLINE.fullmatch(line):
                self._headline(headline)
            elif self._hidden or line.startswith("# ") or line == "#":
                continue
            elif not line:
                self.page.blank()
            elif not (self._keyword(line) or self._drawer(line) or self._table(line) or self._example(line)):
                self.page.line(_inline(line))

    def _headline(self, found: re.Match[str]) -> None:
        level = len(found["stars"])
        if self._hidden and level > self._hidden:
            return
        title = _TAGS.sub("", _STATE.sub("", found["title"][:1_000], count=1))
        is_comment = title == "COMMENT" or title.startswith("COMMENT ")
        self._hidden = level if is_comment else 0
        if not is_comment:
            named = self.page.title
            self.page.heading(level, _inline(title))
            self.page.title = named or self.page.title

    def _keyword(self, line: str) -> bool:
        if begin := _BEGIN.fullmatch(line):
            self._block(begin["kind"].lower(), begin["language"] or "")
            return True
        found = _KEYWORD.fullmatch(line)
        if found is None:
            return line.lstrip().lower().startswith("#+end_")
        name, value = found["name"].lower(), found["value"].strip()
        if name == "title":
            self.page.title = f"{self.page.metadata.pop('title', '')} {value}".strip()
            self.page.metadata["title"] = self.page.title
        elif name in _FACTS and value:
            self.page.metadata[_FACTS[name]] = value.strip(":").split(":") if name == "filetags" else value
        elif name == "caption":
            self.page.blank()
            self.page.line(f"**{_inline(value)}**")
        elif name == "include":
            self.page.not_included()
        return True

    def _block(self, kind: str, language: str) -> None:
        if kind not in {"src", "example", "comment", "export", "html", "latex"}:
            self.page.blank()  # a quote, verse or note: text as any other, up to its end
            return
        end = re.compile(rf"[ \t]*#\+end_{re.escape(kind)}\b.*", re.IGNORECASE)
        begin = self._at
        while self._at < len(self._lines) and not end.fullmatch(self._lines[self._at]):
            self._at += 1
        inside = [re.sub(r"^(\s*),(?=[*#,])", r"\1", line) for line in self._lines[begin : self._at]]
        self._at += 1
        if kind in {"src", "example"}:
            self.page.code(inside, language if kind == "src" else "")

    def _drawer(self, line: str) -> bool:
        """Pass over a drawer; one that is not closed soon is none."""
        if not _DRAWER.fullmatch(line) or line.strip().upper() == ":END:":
            return line.strip().upper() == ":END:"
        for end in range(self._at, min(self._at + 50, len(self._lines))):
            inside = self._lines[end].strip()
            if inside.upper() == ":END:":
                self._at = end + 1
                return True
            if inside.startswith("*"):
                break
        return False

    def _table(self, line: str) -> bool:
        if not line.lstrip().startswith("|"):
            return False
        begin = self._at - 1
        while self._at < len(self._lines) and self._lines[self._at].lstrip().startswith("|"):
            self._at += 1
        lines = [each.strip() for each in self._lines[begin : self._at]]
        cells = [each.removeprefix("|").removesuffix("|").split("|") for each in lines if not _RULE.fullmatch(each)]
        header = any(_RULE.fullmatch(each) for each in lines[1:3]) and len(cells) > 1
        self.page.table([[_inline(cell).replace("\\vert{}", "|") for cell in row] for row in cells], header=header)
        return True

    def _example(self, line: str) -> bool:
        if not line.lstrip().startswith(": "):
            return False
        begin = self._at - 1
        while self._at < len(self._lines) and self._lines[self._at].lstrip().startswith((": ", ":\n")):
            self._at += 1
        self.page.code(each.lstrip()[2:] for each in self._lines[begin : self._at])
        return True


def _inline(text: str) -> str:
    return _INLINE.sub(_shown, text) if any(mark in text for mark in "[=~<") else text


def _shown(found: re.Match[str]) -> str:
    if found["code"]:
        return f"`{found['code']}`"
    target, words = found["target"], found["words"]
    if not target:
        return ""
    path = target.removeprefix("file:")
    if _PICTURE.search(path) and not words:
        return f"![]({path.replace(' ', '%20')})"
    if ":" not in target and not words:
        return target.lstrip("*#")
    return f"[{words}]({path})" if words and not re.search(r"[\s()]", path) else words or path
