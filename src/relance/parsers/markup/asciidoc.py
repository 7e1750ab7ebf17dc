"""AsciiDoc."""

from __future__ import annotations

import re

from relance.parsers.markup.page import Page

__all__ = ["read_asciidoc"]

_HEADING = re.compile(r"(?P<marks>={1,6}|#{1,6})[ \t]+(?P<title>\S.*)")
_UNDERLINE = re.compile(r"(?P<mark>[=\-~^+])(?P=mark)+[ \t]*")
# What may begin a title that has a line below it.
_TITLE_MARKS = frozenset("\"'`({<$")
_LEVELS = {"=": 1, "-": 2, "~": 3, "^": 4, "+": 5}
_ATTRIBUTE = re.compile(r":(?P<name>!?\w[\w-]{0,60}!?):(?:[ \t]+(?P<value>.*))?")
_BLOCK = re.compile(r"-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|[|,:!]===+")
_LIST = re.compile(r"\[(?P<list>[^\]\n]{0,500})\][ \t]*")
_ANCHOR = re.compile(r"\[\[[^\]\n]{1,300}\]\]|\[#[\w:.-]{1,200}\]|anchor:[\w:.-]{1,200}\[[^\]\n]{0,200}\]")
_MACRO = re.compile(
    r"(?P<kind>image|video|audio|include|toc|ifdef|ifndef|ifeval|endif)::(?P<target>[^\[\n]*)\[(?P<list>.*)\]"
)
_BULLET = re.compile(r"[ \t]*(?P<marks>\*{1,5}|-|\.{1,5})[ \t]+(?P<text>\S.*)")
_NOTE = re.compile(r"(?P<kind>NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(?P<text>.*)")
_AUTHOR = re.compile(r"[^\W\d_][\w'’.-]*(?: [\w'’.-]+){0,3}(?: <[^<>\n]{1,200}>)?(?:; .{1,300})?")
_INLINE = re.compile(
    r"(?P<code>`[^`\n]{1,500}`)"
    r"|<<(?P<reference>[^<>,\n]{1,300})(?:,(?P<label>[^<>\n]{0,300}))?>>"
    r"|(?P<macro>link|xref|mailto|image|footnote|kbd|btn|menu|icon|pass|stem|latexmath|linkgit):"
    r"(?P<target>[^\[\s:]{0,500})\[(?P<words>[^\]\n]{0,1000})\]"
    r"|(?P<url>https?://[^\s\[\]<>]{1,1000})\[(?P<named>[^\]\n]{0,500})\]"
    r"|\{(?P<attribute>\w[\w-]{0,60})\}|(?P<plus>\+{2,3})(?P<passed>[^+\n]{1,300})(?P=plus)"
)
_CELL = re.compile(r"(?:(?<=\s)|^)(?:(?P<times>\d{1,3})\*)?(?:[\d.]{1,6}\+)?[<^>.]{0,3}[adehlmsv]?(?<!\\)\|")
_KNOWN = {
    "nbsp": " ",
    "lt": "<",
    "gt": ">",
    "amp": "&",
    "vbar": "|",
    "empty": "",
    "blank": "",
    "plus": "+",
    "apos": "'",
}
_KNOWN |= {"zwsp": "", "sp": " ", "two-colons": "::", "asterisk": "*", "tilde": "~", "startsb": "[", "endsb": "]"}
_FACTS = ("author", "email", "revdate", "revnumber", "keywords", "description", "lang")


def read_asciidoc(text: str) -> Page:
    """Read AsciiDoc: headings, delimited blocks, tables and macros; comments, conditions and anchors out."""
    reader = _Reader(text.split("\n"))
    reader.read()
    return reader.page


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.page = Page()
        self._lines = lines
        self._at = 0
        self._attributes = dict(_KNOWN)
        self._style: list[str] = []  # of the next block
        self._open: list[str] = []  # delimiters of the blocks we are in that hold text
        self._headed = False

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip()
            self._at += 1
            if not line:
                self.page.blank()
            elif not self._taken(line):
                self._text(line)
        self.page.metadata |= {key: self._attributes[key] for key in _FACTS if key in self._attributes}

    def _taken(self, line: str) -> bool:
        """Read a line that is no text."""
        return (line.startswith("//") and not line.startswith("///")) or any(
            read(line) for read in (self._block, self._heading, self._attribute, self._listed, self._macro)
        )

    def _heading(self, line: str) -> bool:
        found = _HEADING.fullmatch(line)
        below = self._lines[self._at].rstrip() if self._at < len(self._lines) else ""
        if found:
            level, title = len(found["marks"]), found["title"].rstrip("= ")
        elif (
            (under := _UNDERLINE.fullmatch(below))
            and abs(len(below) - len(line)) <= 2
            and (line[0].isalnum() or line[0] in _TITLE_MARKS)
        ):
            level, title = _LEVELS[under["mark"]], line
            self._at += 1
        else:
            return False
        self.page.heading(level, self._inline(title))
        if level == 1 and not self._headed:
            self._header()
        self._headed, self._style = True, []
        return True

    def _header(self) -> None:
        """Read the lines below a document's title: author, revision, attributes."""
        for name in ("author", "revision"):
            line = self._lines[self._at].strip() if self._at < len(self._lines) else ""
            fits = _AUTHOR.fullmatch(line) if name == "author" else re.match(r"v?\d[\w.,: -]{0,60}$", line)
            if not fits:
                return
            self._attributes[name if name == "author" else "revdate"] = line
            self._at += 1

    def _attribute(self, line: str) -> bool:
        found = _ATTRIBUTE.fullmatch(line)
        if found:
            value = (found["value"] or "").strip()
            while value.endswith(" \\") and self._at < len(self._lines):
                value = value[:-1] + self._lines[self._at].strip()
                self._at += 1
            if len(value) <= 1_000 and len(self._attributes) < 1_000:
                self._attributes[found["name"].lower()] = value
        return bool(found)

    def _listed(self, line: str) -> bool:
        if _ANCHOR.fullmatch(line):
            return True
        if found := _LIST.fullmatch(line):
            self._style = [each.strip().strip('"') for each in found["list"].split(",")]
            return True
        if line.startswith(".") and len(line) > 1 and line[1] not in ". ":
            self.page.blank()
            self.page.line(f"**{self._inline(line[1:])}**")
            return True
        return False

    def _macro(self, line: str) -> bool:
        found = _MACRO.fullmatch(line)
        if not found:
            return False
        kind, words = found["kind"], found["list"].split(",")[0].strip('"')
        if kind == "include":
            self.page.not_included()
        elif kind in {"ifdef", "ifndef"} and found["list"]:
            self.page.line(self._inline(found["list"]))
        elif kind == "image":
            self.page.line(f"![{words}]({found['target'].replace(' ', '%20')})")
        elif kind in {"video", "audio"} and words:
            self.page.line(words)
        return True

    def _block(self, line: str) -> bool:
        if line.startswith("```"):
            self.page.code(self._until("```"), line[3:].strip())
            return True
        if not _BLOCK.fullmatch(line):
            return False
        style, self._style = self._style, []
        if self._open and self._open[-1] == line:
            self._open.pop()
            self.page.blank()
        elif line[0] == "/":
            self._until(line)
        elif line[1:4] == "===":
            self._table(style, line)
        elif line[0] in ".-" and len(line) > 2:
            is_source = style[:1] == ["source"] or (style[:1] == [""] and len(style) > 1)
            self.page.code(self._until(line), style[1] if is_source and len(style) > 1 else "")
        elif line[0] == "+":
            passed = self._until(line)
            (self.page.formula if style[:1] in (["stem"], ["latexmath"]) else self.page.code)(passed)
        elif style[:1] in (["source"], ["listing"], ["literal"]):
            self.page.code(self._until(line), style[1] if len(style) > 1 else "")
        else:
            self._admonition(style)
            self._open.append(line)
        return True

    def _admonition(self, style: list[str]) -> None:
        self.page.blank()
        if style and style[0] in {"NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"}:
            self.page.line(f"**{style[0].capitalize()}:**")

    def _until(self, delimiter: str) -> list[str]:
        """Take the lines up to a delimiter, or to the end where there is none."""
        begin = self._at
        while self._at < len(self._lines) and self._lines[self._at].rstrip() != delimiter:
            self._at += 1
        self._at += 1
        return self._lines[begin : self._at - 1]

    def _table(self, style: list[str], delimiter: str) -> None:
        lines = self._until(delimiter)
        if delimiter[0] in ",:":
            rows = [line.split(delimiter[0]) for line in lines]
            self.page.table([[self._inline(cell) for cell in row] for row in rows])
            return
        described = ",".join(style)
        first = next((number for number, line in enumerate(lines) if line.strip()), 0)
        width = _columns(described) or len(_cells(lines[first])) if lines else 0
        cells = [self._inline(cell) for cell in _cells("\n".join(lines))]
        rows = [cells[at : at + width] for at in range(0, len(cells), width)] if width else []
        follows = first + 1 < len(lines) and not lines[first + 1].strip()
        noheader = "noheader" in described
        self.page.table(rows, header=not noheader and ("header" in described or (first == 0 and follows)))

    def _text(self, line: str) -> None:
        if line in {"+", "<<<", "'''"}:
            return
        style, self._style = self._style, []
        if style[:1] in (["source"], ["listing"], ["literal"]):  # a paragraph of it
            begin = self._at - 1
            while self._at < len(self._lines) and self._lines[self._at].strip():
                self._at += 1
            self.page.code(self._lines[begin : self._at], style[1] if len(style) > 1 else "")
            return
        if style:
            self._admonition(style)
        if note := _NOTE.fullmatch(line):
            self.page.blank()
            line = f"**{note['kind'].capitalize()}:** {note['text']}"
        elif bullet := _BULLET.fullmatch(line):
            marks = bullet["marks"]
            line = "  " * (len(marks) - 1) + ("1. " if marks[0] == "." else "- ") + bullet["text"]
        self.page.line(self._inline(line.removesuffix(" +")))

    def _inline(self, text: str) -> str:
        return _INLINE.sub(self._shown, _ANCHOR.sub("", text)) if any(mark in text for mark in "[<{+`") else text

    def _shown(self, found: re.Match[str]) -> str:  # noqa: PLR0911  # a table of kinds
        if found["code"]:
            return found[0]
        if found["reference"]:
            return (found["label"] or found["reference"].lstrip("#")).strip()
        if found["url"]:
            named = found["named"].split(",")[0].rstrip("^").strip('"')
            return f"[{named}]({found['url']})" if named else found["url"]
        if found["attribute"]:
            return self._attributes.get(found["attribute"].lower(), found[0])
        if found["passed"]:
            return found["passed"]
        kind, target, words = found["macro"], found["target"], found["words"].strip('"').rstrip("^")
        match kind:
            case "link":
                return f"[{words or target}]({target})"
            case "image":
                return f"![{words.split(',')[0]}]({target})"
            case "footnote":
                return f" ({words})" if words else ""
            case "menu":
                return f"{target} > {words}" if words else target
            case "linkgit":
                return f"`{target}({words})`"
            case "xref" | "mailto":
                return words or target
            case "icon":
                return ""
        return words


def _columns(described: str) -> int:
    """Count the columns that an attribute `cols` describes."""
    found = re.search(r"cols=[\"']?(?P<cols>[^\"'\]]{1,500})", described)
    if not found:
        return 0
    cols = re.split(r",(?=[a-z]+=)", found["cols"])[0].strip(", ")
    count = 0
    for each in re.split(r"[,;]", cols):
        times = re.match(r"\s*(\d{1,3})\*", each)
        count += int(times[1]) if times else 1
    return min(count, 200)


def _cells(text: str) -> list[str]:
    """Split the inside of a table into its cells; one that says `3*|` stands three times."""
    cells: list[str] = []
    at, times = None, 1
    for found in [*_CELL.finditer(text), None]:
        if at is not None:
            cells += [text[at : found.start() if found else len(text)].strip().replace("\\|", "|")] * times
        if found:
            at, times = found.end(), int(found["times"] or 1)
    return cells
