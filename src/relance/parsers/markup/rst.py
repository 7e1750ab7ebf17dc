"""reStructuredText, with what Sphinx adds to it."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable

from relance.parsers.markup.page import Page, dedent
from relance.parsers.markup.rst_names import CODE, INCLUDES, LITERAL_ROLES, NOTES, QUIET, SILENT
from relance.parsers.markup.rst_tables import BORDER, GRID, grid_rows, list_rows, simple_end, simple_rows

__all__ = ["read_rst"]

_ADORNMENT = re.compile(r"(?P<mark>[!-/:-@\[-`{-~])(?P=mark)+[ \t]*")
_EXPLICIT = re.compile(r"(?P<margin>[ \t]*)\.\.(?:[ \t]+(?P<rest>.*))?")
_DIRECTIVE = re.compile(
    r"(?:\|(?P<substituted>[^|\n]{1,100})\|[ \t]+)?(?P<name>[\w][\w.:+-]{0,60}?)[ \t]?::(?:[ \t]+(?P<argument>.*))?"
)
_FOOTNOTE = re.compile(r"\[(?P<label>[^\]\n]{1,100})\](?:[ \t]+(?P<text>.*))?")
_FIELD = re.compile(r":(?P<name>[^:\s][^:\n]{0,100}):(?:[ \t]+(?P<value>.*))?")
_DOCTEST = re.compile(r"[ \t]*>>> ")

_INLINE = re.compile(
    r"``(?P<code>[^\n]{1,500}?)``"
    r"|(?P<role>(?::[\w+.-]{1,40}){0,2}:)?`(?P<words>[^`\n]{1,500})`(?P<link>__?)?"
    r"|\\(?P<escaped>.)"
)
_NO_URL = re.compile(r"[\s()]")
_TARGET = re.compile(r"(?P<words>[^<>]*?)[ \t]*<(?P<target>[^<>]*)>")
_SUBSTITUTION = re.compile(r"\|(?P<name>[^|\s][^|\n]{0,80}?)\|")
# Blocks within blocks; what is deeper is kept as it is written.
_DEEPEST = 12


def read_rst(text: str) -> Page:
    """Read reStructuredText: headings by their adornment, directives for what they show, comments out."""
    page = Page()
    substitutions: dict[str, str] = {}
    lines = [line.expandtabs(8) if "\t" in line else line for line in text.split("\n")]
    _Reader(page, {}, substitutions, 0).read(lines)
    return page


class _Reader:
    def __init__(self, page: Page, styles: dict[str, int], substitutions: dict[str, str], depth: int) -> None:
        self._page, self._styles, self._substitutions, self._depth = page, styles, substitutions, depth
        self._began = False  # whether anything but fields has been read

    def read(self, lines: list[str]) -> None:
        at = 0
        while at < len(lines):
            at = self._step(lines, at)

    def _step(self, lines: list[str], at: int) -> int:
        line = lines[at]
        if not line.strip():
            self._page.blank()
            return at + 1
        for block in (self._heading, self._explicit, self._table, self._docinfo):
            if end := block(lines, at):
                return end
        self._began = True
        return self._paragraph(lines, at)

    def _paragraph(self, lines: list[str], at: int) -> int:
        if _DOCTEST.match(lines[at]):
            end = _until(lines, at, lambda each: not each.strip())
            self._page.code(lines[at:end], "python")
            return end
        end = _until(lines, at + 1, lambda each: not each.strip() or bool(_EXPLICIT.fullmatch(each)))
        if lines[end - 1].rstrip().endswith("::") and (literal := self._literal(lines, at, end)):
            return literal
        for line in lines[at:end]:
            self._page.line(self._inline(_without_bar(line)))
        return end

    def _heading(self, lines: list[str], at: int) -> int:
        """Write a heading with a line below, or lines above and below; return where it ends, 0 for none."""
        line, below = lines[at].rstrip(), lines[at + 1].rstrip() if at + 1 < len(lines) else ""
        if self._depth:
            return 0
        if over := _ADORNMENT.fullmatch(line):
            if below and at + 2 < len(lines) and line == lines[at + 2].rstrip():
                return self._begin(over["mark"] * 2, below, at + 3)
            if len(line) >= 4:  # a transition
                return 0 if below or (at > 0 and lines[at - 1].strip()) else at + 1
        under = _ADORNMENT.fullmatch(below)
        above = lines[at - 1] if at > 0 else ""
        if not under or line.startswith(" ") or _EXPLICIT.fullmatch(line):
            return 0
        if (above.strip() and not _EXPLICIT.fullmatch(above)) or len(below) < min(_width(line), 4):
            return 0
        return self._begin(under["mark"], line, at + 2)

    def _begin(self, style: str, title: str, end: int) -> int:
        self._page.heading(self._styles.setdefault(style, len(self._styles) + 1), self._inline(title.strip()))
        self._began = True
        return end

    def _docinfo(self, lines: list[str], at: int) -> int:
        """Read a field before the text, such as `:author: Jo`."""
        field = None if self._began else _FIELD.fullmatch(lines[at])
        if field is None:
            return 0
        end = _block_end(lines, at + 1, 1)
        value = " ".join([field["value"] or "", *(line.strip() for line in lines[at + 1 : end])]).strip()
        name = field["name"].strip().lower().replace(" ", "_")
        if value:
            self._page.metadata[name] = self._inline(value)
        return end

    def _literal(self, lines: list[str], at: int, end: int) -> int:
        below = next((number for number in range(end, min(end + 4, len(lines))) if lines[number].strip()), len(lines))
        margin = _margin(lines[end - 1])
        if below >= len(lines) or _margin(lines[below]) <= margin:
            return 0
        for line in lines[at : end - 1]:
            self._page.line(self._inline(_without_bar(line)))
        last = lines[end - 1].rstrip()[:-1]
        if last.strip(": "):
            self._page.line(self._inline(_without_bar(last)))
        stop = _block_end(lines, below, margin + 1)
        self._page.code(lines[below:stop])
        return stop

    def _explicit(self, lines: list[str], at: int) -> int:
        """Read what begins with two dots: a directive, footnote, target or comment."""
        found = _EXPLICIT.fullmatch(lines[at])
        if not found:
            return 0
        margin = len(found["margin"])
        end = _block_end(lines, at + 1, margin + 1)
        rest = (found["rest"] or "").strip()
        body = lines[at + 1 : end]
        if directive := _DIRECTIVE.fullmatch(rest):
            self._began = True
            self._directive(directive, body)
        elif note := _FOOTNOTE.fullmatch(rest):
            self._page.blank()
            self._page.line(f"[{note['label']}] {self._inline(note['text'] or '')}")
            self._inside(body)
        return max(end, at + 1)

    def _directive(self, found: re.Match[str], body: list[str]) -> None:
        name, argument = found["name"].lower(), (found["argument"] or "").strip()
        options, content = _options(body, argument)
        if found["substituted"]:
            words = [argument, *(each.strip() for each in content)] if name != "image" else [options.get("alt", "")]
            self._substitutions[found["substituted"]] = " ".join(words).strip()
        elif name in INCLUDES:
            self._page.not_included()
        elif name == "parsed-literal":
            self._page.code([_INLINE.sub(lambda each: _shown(each).strip("`"), line) for line in content])
        elif name in CODE:
            self._page.code(content, argument.partition(" ")[0])
        elif name == "math":
            self._page.formula([argument, *content])
        elif name in {"list-table", "csv-table"}:
            self._caption(argument)
            rows = list_rows(content) if name == "list-table" else list(csv.reader(each.strip() for each in content))
            self._rows(rows, header="header-rows" in options or "header" in options)
        elif name not in SILENT:
            self._block(name, argument, options, content, body)

    def _block(self, name: str, argument: str, options: dict[str, str], content: list[str], body: list[str]) -> None:
        """Write a directive that holds text like any other."""
        self._page.blank()
        if name in {"image", "figure"}:
            alt = options.get("alt", "")
            self._page.line(alt if not argument or _NO_URL.search(argument) else f"![{alt}]({argument})")
            self._page.blank()
        elif name in NOTES:
            self._page.line(f"**{NOTES[name]}** {self._inline(argument)}".rstrip())
        elif name in QUIET:
            self._caption(argument if name in {"table", "centered"} else "")
        elif name in {"rubric", "topic", "admonition", "sidebar"}:
            self._caption(argument)
        elif argument:  # a function, an option, what an extension describes: one name a line
            more = _more_names(body)
            content = content[len(more) :]
            for each in [argument, *more]:
                self._page.line(f"`{each}`" if "`" not in each else f"**{self._inline(each)}**")
            self._page.blank()
        self._inside(content)

    def _caption(self, text: str) -> None:
        if text:
            self._page.blank()
            self._page.line(f"**{self._inline(text)}**")

    def _inside(self, lines: list[str]) -> None:
        """Read a block within a block."""
        content = dedent(lines)
        if not content:
            return
        inner = _Reader(self._page, self._styles, self._substitutions, self._depth + 1)
        inner._began = True  # one of us
        if self._depth < _DEEPEST:
            inner.read(content)
        else:
            for line in content:
                self._page.line(line)
        self._page.blank()

    def _table(self, lines: list[str], at: int) -> int:
        if GRID.fullmatch(lines[at]):
            end = _until(lines, at, lambda each: not each.lstrip().startswith(("+", "|")))
            rows = grid_rows(dedent(lines[at:end]))
            if rows is None:
                self._page.code(lines[at:end])
            else:
                self._rows(rows, header=any("=" in each for each in lines[at:end] if GRID.fullmatch(each)))
            return end
        if BORDER.fullmatch(lines[at].strip()):
            end, header = simple_end(lines, at)
            self._rows(simple_rows(dedent(lines[at:end])), header=header)
            return end
        return 0

    def _rows(self, rows: list[list[str]], *, header: bool) -> None:
        self._page.table([[self._inline(cell) for cell in row] for row in rows], header=header)

    def _inline(self, text: str) -> str:
        """Write roles, links and literals as Markdown has them."""
        if "`" in text or "\\" in text:
            text = _INLINE.sub(_shown, text)
        if "|" in text and self._substitutions:
            text = _SUBSTITUTION.sub(lambda found: self._substitutions.get(found["name"], found[0]), text)
        return text


def _shown(found: re.Match[str]) -> str:
    if (code := found["code"]) is not None:
        return f"`{code}`" if "`" not in code else f"`` {code} ``"
    if (escaped := found["escaped"]) is not None:
        return found[0] if escaped == "`" else escaped.strip()
    words, roles = found["words"], (found["role"] or "").strip(":").lower().split(":")
    target = _TARGET.fullmatch(words)
    if found["link"] and target and ":" in target["target"]:
        return f"[{target['words'] or target['target']}]({target['target']})"
    shown = (target["words"] if target and target["words"] else words).lstrip("~!")
    if roles[-1] in LITERAL_ROLES or (len(roles) > 1 and roles[-1] not in {"ref", "doc", "term"}):
        return f"`{shown}`"
    return f"${words}$" if roles[-1] == "math" else shown


def _until(lines: list[str], at: int, stop: Callable[[str], bool]) -> int:
    while at < len(lines) and not stop(lines[at]):
        at += 1
    return at


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _block_end(lines: list[str], at: int, margin: int) -> int:
    """Find where a block ends that is indented at least so far; blank lines at its end are not of it."""
    end = at
    while at < len(lines):
        if lines[at].strip():
            if _margin(lines[at]) < margin:
                break
            end = at + 1
        at += 1
    return end


def _without_bar(line: str) -> str:
    return line.replace("| ", "", 1) if line.lstrip().startswith("| ") else line


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text[:100])


def _options(body: list[str], argument: str) -> tuple[dict[str, str], list[str]]:
    """Split a directive's block into its options and its content; its argument may go on before them."""
    options: dict[str, str] = {}
    stop = _until(body, 0, lambda line: not line.strip() or bool(_FIELD.fullmatch(line.strip())))
    begin = at = stop if argument and stop < len(body) and body[stop].strip() else 0
    name = ""
    while at < len(body) and body[at].strip():
        if field := _FIELD.fullmatch(body[at].strip()):
            name = field["name"].lower()
            options[name] = (field["value"] or "").strip()
        elif not name or _margin(body[at]) <= _margin(body[begin]):
            break
        at += 1
    return options, [*body[:begin], *body[at:]]


def _more_names(body: list[str]) -> list[str]:
    """Find further signatures below a directive's first line."""
    end = _until(body, 0, lambda line: not line.strip() or bool(_FIELD.fullmatch(line.strip())))
    return [line.strip() for line in body[:end]] if end < len(body) else []
