"""LaTeX."""

from __future__ import annotations

import re

from relance.parsers.markup.latex_words import argument, plain_words
from relance.parsers.markup.names import names
from relance.parsers.markup.page import Page

__all__ = ["read_latex"]

_LEVELS = {
    "part": 1,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
}
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_BEGIN = re.compile(r"\\begin[ \t]*\{(?P<name>[A-Za-z]{1,40}\*?)\}")
_LANGUAGE = re.compile(r"language[ \t]*=[ \t]*\{?([\w+#-]+)|\{([\w+#-]+)\}[ \t]*$")
_VERBATIM = names("verbatim Verbatim lstlisting minted alltt verbatimtab BVerbatim code")
_FORMULAS = names("equation align gather multline eqnarray displaymath math alignat flalign IEEEeqnarray subequations")
_TABLES = names("tabular tabularx longtable array tabulary supertabular")
_PICTURES = names("tikzpicture picture pspicture comment filecontents")


def read_latex(text: str) -> Page:
    """Read LaTeX: sections, lists, code, formulas, tables; comments and layout out, commands become their words."""
    page = Page()
    preamble, begin, body = text.partition("\\begin{document}")
    if begin:
        preamble = _uncommented(preamble)
        for name, fact in (("title", "title"), ("author", "author"), ("date", "date")):
            found = re.search(rf"\\{name}[ \t]*(?:\[[^\]\n]*\])?[ \t]*\{{", preamble)
            written = argument(preamble, found.end() - 1)[0] if found else ""
            value = plain_words(re.sub(r"\\and\b", ", ", written))
            if value and fact == "title":
                page.title = " ".join(value.split())
            elif value:
                page.metadata[fact] = " ".join(value.split()).replace(" ,", ",")
    else:
        body = preamble
    _Reader(page, body.partition("\\end{document}")[0]).read()
    return page


class _Reader:
    def __init__(self, page: Page, text: str) -> None:
        self._page, self._text = page, text
        self._title = page.title
        self._lead = ""  # of the next line

    def read(self) -> None:
        at = 0
        text = self._text
        endless: set[str] = set()
        for found in _BEGIN.finditer(text):
            name = found["name"].rstrip("*")
            kind = name if name in _VERBATIM | _FORMULAS | _TABLES | _PICTURES else ""
            if not kind or found.start() < at or found["name"] in endless:
                continue
            end = text.find(f"\\end{{{found['name']}}}", found.end())
            if end < 0:
                endless.add(found["name"])
                continue
            line = text.rfind("\n", 0, found.start()) + 1
            if "%" in text[max(line, found.start() - 200) : found.start()].replace("\\%", ""):
                continue
            self._prose(text[at : found.start()])
            self._environment(name, text[found.end() : end])
            at = end + len(found["name"]) + 6
        self._prose(text[at:])
        self._page.title = self._title or self._page.title

    def _environment(self, name: str, inside: str) -> None:
        if name in _VERBATIM:
            first, _, rest = inside.partition("\n")
            language = _LANGUAGE.search(first)
            self._page.code(
                rest.split("\n") if not first.strip() or language or first.lstrip()[:1] in "[{" else inside.split("\n"),
                (language[1] or language[2]).lower() if language else "",
            )
        elif name in _FORMULAS:
            self._page.formula(_uncommented(inside).split("\n"))
        elif name in _TABLES:
            inside = _uncommented(inside)
            start = argument(inside, inside.find("{"))[1] if "{" in inside[:200] else 0
            if name in {"tabularx", "tabulary"}:
                start = argument(inside, inside.find("{", start))[1] if "{" in inside[start : start + 200] else start
            rows = [
                [plain_words(cell) for cell in re.split(r"(?<!\\)&", row)]
                for row in re.split(r"\\\\(?:\[[^\]\n]{0,20}\])?|\\tabularnewline\b", _RULES.sub("", inside[start:]))
            ]
            self._page.table(rows)

    def _prose(self, text: str) -> None:
        text = _uncommented(text)
        at = 0
        for found in _BREAKS.finditer(text):
            if found.start() < at:
                continue
            self._paragraphs(text[at : found.start()])
            at = found.end()
            if section := found["section"]:
                title, at = argument(text, found.end() - 1)
                title = " ".join(plain_words(title).split())
                self._page.heading(_LEVELS[section], title)
            elif found["item"]:
                label, after = ("", at)
                if text.startswith("[", at) and (close := text.find("]", at, at + 500)) > 0:
                    label, after = f"**{plain_words(text[at + 1 : close])}** ", close + 1
                at, self._lead = after, f"- {label}"
            elif found["file"]:
                self._page.not_included()
                at = (
                    argument(text, text.find("{", found.start()))[1]
                    if "{" in text[found.start() : found.end() + 2]
                    else at
                )
            elif found["formula"]:
                self._page.formula(found["formula"].split("\n"))
            elif found["picture"]:
                path, at = argument(text, found.end() - 1)
                if path and not re.search(r"[\s()]", path):
                    self._page.line(f"![]({path})")
        self._paragraphs(text[at:])

    def _paragraphs(self, text: str) -> None:
        for line in plain_words(text).split("\n"):
            words = " ".join(line.split())
            if words:
                self._page.line(self._lead + words)
                self._lead = ""
            elif not self._lead:
                self._page.blank()


_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead|endfoot|endlastfoot|centering)\b|\\c(?:line|midrule)(?:\([lr]*\))?\{[\d-]*\}"
)
_BREAKS = re.compile(
    rf"\\(?P<section>{'|'.join(_LEVELS)})\*?[ \t\n]*(?:\[[^\]]{{0,500}}\])?[ \t\n]*\{{"
    r"|\\(?P<item>item)(?![A-Za-z])[ \t]*"
    r"|\\(?P<file>input|include|subfile)(?![A-Za-z])[ \t]*\{?"
    r"|\\\[(?P<formula>[^$]{1,5000}?)\\\]"
    r"|(?P<picture>\\includegraphics)[ \t]*(?:\[[^\]]{0,500}\])?[ \t]*\{"
)


def _uncommented(text: str) -> str:
    if "%" not in text:
        return text
    lines = []
    for line in text.split("\n"):
        cut = _COMMENT.sub(r"\1", line)
        if cut.strip() or not line.strip():
            lines.append(cut)
    return "\n".join(lines)
