"""What LaTeX commands show: accents as letters, emphasis as Markdown has it, others as their arguments."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from relance.parsers.latex_letters import ACCENTS, LETTERS
from relance.parsers.markup.names import names

__all__ = ["LISTS", "argument", "plain_words"]

LISTS = names("itemize enumerate description compactitem compactenum")
_MARKED = re.compile(r"[\\${}~]|--|``|''")
_OPTIONS = re.compile(r"(?:[ \t]*\[[^\]\n]{0,500}\])?")
_ACCENTED = re.compile(r"[ \t]*\{?(?:\\([ij])|([A-Za-z]))\}?")
_SILENT = names(
    "label index vspace hspace vskip hskip bibliographystyle pagestyle thispagestyle setlength addtolength setcounter "
    "addcontentsline newcommand renewcommand providecommand def let usepackage documentclass RequirePackage newtheorem "
    "pagenumbering includeonly graphicspath hyphenation markboth markright phantomsection color definecolor rule "
    "vphantom hphantom phantom cline cmidrule selectlanguage bibliography nocite fontsize"
)
# Commands of which not the first argument is shown.
_SHOWN = {"href": 1, "textcolor": 1, "colorbox": 1, "multicolumn": 2, "multirow": 2, "raisebox": 1, "parbox": 1}
_SIGNS = {"\\": "\n", ",": " ", ";": " ", ":": " ", "!": "", "/": "", "-": "", "(": "$", ")": "$"}
_LIGATURES = {"---": "—", "--": "–", "``": "“", "''": "”", "~": " "}
_EMPHASIS = {"emph": "*", "textit": "*", "textsl": "*", "textbf": "**"}
_EMPHASIS |= dict.fromkeys(("texttt", "verb", "lstinline", "code"), "`")
_TOKEN = re.compile(
    r"\\(?P<command>[A-Za-z@]+)\*?[ \t]*|\\(?P<symbol>[^A-Za-z@])|(?P<math>\$[^$]{1,2000}\$)|(?P<brace>[{}])"
    r"|(?P<ligature>---|--|``|''|~)"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def plain_words(text: str) -> str:
    """Write the words of LaTeX without environments."""
    return _Words(text).read() if _MARKED.search(text) else text


def argument(text: str, at: int) -> tuple[str, int]:
    """Return what stands between the brace at an offset and its partner, and where that ends."""
    if at < 0 or not text.startswith("{", at):
        return "", max(at, 0)
    end = _partners(text).get(at)
    return (text[at + 1 : end], end + 1) if end else ("", at + 1)


@lru_cache(maxsize=8)  # looked up for each command of a text; a search for each would take its square
def _partners(text: str) -> dict[int, int]:
    partners: dict[int, int] = {}
    open_ones: list[int] = []
    for found in _BRACE.finditer(text):
        if found[0] == "{":
            open_ones.append(found.start())
        elif found[0] == "}" and open_ones:
            partners[open_ones.pop()] = found.start()
    return partners


class _Words:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._written: list[str] = []
        self._ends: list[str] = []  # of each brace that is open
        self._mark = ""  # what the next brace begins and ends with

    def read(self) -> str:
        text = self._text
        while found := _TOKEN.search(text, self._at):
            self._written.append(text[self._at : found.start()])
            self._at = found.end()
            mark, self._mark = self._mark, ""
            if found["brace"] == "{":
                self._ends.append(mark)
                self._written.append(mark)
            elif found["brace"]:
                self._written.append(self._ends.pop() if self._ends else "")
            elif found["symbol"]:
                self._symbol(found["symbol"])
            elif found["command"]:
                self._command(found["command"])
            else:
                self._written.append(found["math"] or _LIGATURES[found["ligature"]])
        return "".join([*self._written, text[self._at :]])

    def _symbol(self, symbol: str) -> None:
        """Write a command of one sign: an accent on the next letter, a line's end, an escaped sign."""
        if symbol not in ACCENTS:
            self._written.append(_SIGNS.get(symbol, symbol))
        elif found := _ACCENTED.match(self._text, self._at):
            self._written.append(unicodedata.normalize("NFC", (found[1] or found[2]) + ACCENTS[symbol]))
            self._at = found.end()

    def _command(self, command: str) -> None:
        text = self._text
        if command in ACCENTS and (text[self._at : self._at + 1].isalpha() or text.startswith("{", self._at)):
            self._symbol(command)
        elif command in LETTERS:
            self._written.append(LETTERS[command])
            self._at += 2 if text.startswith("{}", self._at) else 0
        elif command in {"begin", "end"}:
            name, self._at = argument(text, self._at)
            self._options()
            self._written.append("\n" if name.rstrip("*") in LISTS else "\n\n")
            self._written.append("**Abstract**\n\n" if (name, command) == ("abstract", "begin") else "")
        elif not self._verbatim(command):
            self._options()
            self._arguments(command)

    def _options(self) -> None:
        if options := _OPTIONS.match(self._text, self._at):
            self._at = options.end()

    def _verbatim(self, command: str) -> bool:
        """Read code between two signs of the author's choice."""
        delimiter = self._text[self._at : self._at + 1]
        if command not in {"verb", "lstinline"} or not delimiter or delimiter in "{[":
            return False
        end = self._text.find(delimiter, self._at + 1, self._at + 500)
        if end > 0:
            self._written.append(f"`{self._text[self._at + 1 : end]}`")
            self._at = end + 1
        return end > 0

    def _arguments(self, command: str) -> None:
        text = self._text
        if command == "href":
            url, at = argument(text, self._at)
            words, at = argument(text, at)
            self._written.append(f"[{plain_words(words) if len(words) < 500 else words}]({url})")
            self._at = max(at, self._at)
        elif command == "footnote":
            self._written.append(" ")
        elif command in _SILENT or command in _SHOWN:
            for _ in range(_SHOWN.get(command, 3)):
                if text.startswith("{", self._at):
                    self._at = argument(text, self._at)[1]
        else:
            self._mark = _EMPHASIS.get(command, "")
