"""Letters that LaTeX writes as commands."""

from __future__ import annotations

__all__ = ["ACCENTS", "LETTERS"]

# Commands that put a mark on the next letter.
ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
}  # fmt: skip
LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "o": "ø", "O": "Ø", "l": "ł",
    "L": "Ł", "i": "ı", "j": "ȷ", "S": "§", "P": "¶", "copyright": "©", "pounds": "£", "dots": "…", "ldots": "…",
    "LaTeX": "LaTeX", "TeX": "TeX", "LaTeXe": "LaTeX2e", "textbackslash": "\\", "textasciitilde": "~", "euro": "€",
    "textendash": "–", "textemdash": "—", "textbar": "|", "textless": "<", "textgreater": ">", "today": "",
    "quad": " ", "qquad": " ", "newline": "\n", "par": "\n\n", "textellipsis": "…", "slash": "/",
    "textregistered": "®",
}  # fmt: skip
