"""LaTeX in the fields of bibliographies as text: accents, letters and braces; commands it does not know stay."""

from __future__ import annotations

import re
import unicodedata

from relance.parsers.latex_letters import ACCENTS, LETTERS

__all__ = ["latex_text"]

# Fonts show nothing.
_LETTERS = LETTERS | dict.fromkeys(("em", "it", "bf", "sl", "tt", "rm", "sc"), "")
_MATH = re.compile(r"(?<!\\)\$[^$]*\$")
_ACCENT = re.compile(r"""\\(?:([`'^~"=.])|([uvHckrd])(?=[\s{]))\s*(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z]))""")
_LETTER = re.compile(r"\\([A-Za-z]+)(?:\{\}|\s+|(?![A-Za-z]))")
_MARKED = re.compile(r"\\(?:emph|textit|textbf|textsc|texttt|textrm|mathrm|text|url|enquote)\s*(?=\{)")
_ESCAPED = re.compile(r"\\([&%$#_{}])")
_KEPT = {"{": "\ue000", "}": "\ue001"}  # braces that are text, while the others go


def latex_text(value: str) -> str:
    """Read a field; formulas between dollars stay as they are."""
    parts, at = [], 0
    for found in _MATH.finditer(value):
        parts += [_plain(value[at : found.start()]), found[0]]
        at = found.end()
    return " ".join("".join([*parts, _plain(value[at:])]).split())


def _plain(text: str) -> str:
    if not any(mark in text for mark in "\\{}~-"):
        return text
    if "\\" in text:
        text = _MARKED.sub("", text)
        text = _ACCENT.sub(_accented, text)
        text = _LETTER.sub(lambda found: _LETTERS.get(found[1], found[0]), text)
        text = _ESCAPED.sub(lambda found: _KEPT.get(found[1], found[1]), text)
    text = text.replace("~", " ").replace("---", "—").replace("--", "–")
    return text.replace("{", "").replace("}", "").replace("\ue000", "{").replace("\ue001", "}")


def _accented(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", (found[3] or found[4]) + ACCENTS[found[1] or found[2]])
