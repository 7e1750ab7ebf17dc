"""Manual pages, in the macros of man and mdoc."""

from __future__ import annotations

import re

from relance.parsers.markup.names import names
from relance.parsers.markup.page import Page

__all__ = ["read_man"]

_ESCAPE = re.compile(
    r"\\(?:f(?:\[[^\]\n]{0,20}\]|\(..|.)|s[-+]?\d{1,2}|\((?P<two>..)|\[(?P<long>[^\]\n]{1,30})\]"
    r"|\*(?:\(..|\[[^\]\n]{1,30}\]|.)|[hvwmMlLDXYZbo]'[^'\n]{0,200}'|(?P<comment>[\"#]).*|(?P<one>.))"
)
_CHARACTERS = {"em": "—", "en": "–", "hy": "-", "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "dq": '"', "aq": "'"}
_CHARACTERS |= {"bu": "•", "co": "©", "rg": "®", "tm": "™", "mu": "×", "->": "→", "<-": "←", "+-": "±", "ha": "^"}
_CHARACTERS |= {"ti": "~", "ga": "`", "rs": "\\", "bs": "\\", "ba": "|", "at": "@", "sh": "#", "la": "<", "ra": ">"}
_CHARACTERS |= {"<=": "≤", ">=": "≥", "!=": "≠", "ss": "ß", "de": "°", "sq": "□", "lB": "[", "rB": "]", "Do": "$"}
_ONE = {
    "-": "-",
    "e": "\\",
    "&": "",
    "|": "",
    "^": "",
    "~": " ",
    " ": " ",
    "0": " ",
    "%": "",
    "c": "",
    "/": "",
    ",": "",
    "t": "\t",
}
_MACRO = re.compile(r"[.'][ \t]*(?P<name>[A-Za-z]{1,3}|\\\")(?P<rest>(?:[ \t].*)?)")
_WORD = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"?|(?P<plain>[^ \t"][^ \t]*)')
_FONTS = names("B I R BR RB BI IB IR RI SM SB")
_PARAGRAPHS = names("PP P LP Pp sp br HP RS RE Bl El Bd Ed")
_MARKS = dict.fromkeys(
    names("Cm Ar Nm Pa Ev Va Ic Li Em Sy Xr Fn Dv Er Ql Dq Sq Op Oo Oc Fa Ft Vt Aq An Mt Lk St No Ns Pq Qq Ux Fx"),
    "",
) | {"Fl": "-"}


def read_man(text: str) -> Page:
    """Read a manual page: sections, tagged paragraphs, examples; requests and comments out."""
    reader = _Reader()
    for line in text.split("\n"):
        reader.read(line)
    reader.end()
    return reader.page


class _Reader:
    def __init__(self) -> None:
        self.page = Page()
        self._name = ""  # what `.Nm` alone stands for
        self._code: list[str] | None = None  # of the example we are in
        self._tagged = False  # whether the next line is the tag of a paragraph

    def read(self, line: str) -> None:
        """Read a line: text, or a macro with its words."""
        found = _MACRO.fullmatch(line)
        if found:
            macro, words = found["name"], _words(found["rest"])
            if not (self._structure(macro, words) or self._facts(macro, words)):
                self._words(macro, words)
        elif not line.startswith((".", "'")):
            self._line(_plain(line))

    def end(self) -> None:
        """Write an example that was not closed."""
        self.page.code(self._code or [])
        self._code = None

    def _line(self, words: str) -> None:
        if self._code is not None:
            self._code.append(words)
        elif self._tagged and words.strip():
            self.page.line(f"**{words.strip()}**")
            self._tagged = False
        else:
            self.page.line(words.strip())

    def _structure(self, macro: str, words: list[str]) -> bool:
        if macro in {"nf", "EX"}:
            self._code = self._code or []
        elif macro in {"fi", "EE"}:
            self.end()
        elif macro in {"SH", "Sh", "SS", "Ss"}:
            title = self.page.title
            self.page.heading(1 if macro in {"SH", "Sh"} else 2, " ".join(words))
            self.page.title = title
        elif macro in {"TP", "TQ"}:
            self.page.blank()
            self._tagged = True
        elif macro in {"IP", "It"}:
            self.page.blank()
            label = " ".join(words[:1] if macro == "IP" else _inner(words, self._name))
            self.page.line(f"**{label}**" if label not in {"", "•", "-", "*"} else "")
        elif macro in _PARAGRAPHS:
            self.page.blank()
        else:
            return False
        return True

    def _facts(self, macro: str, words: list[str]) -> bool:
        if macro in {"TH", "Dt"}:
            self.page.title = f"{words[0]}({words[1]})" if len(words) > 1 else " ".join(words)
            if macro == "TH" and len(words) > 2 and words[2]:
                self.page.metadata["date"] = words[2]
        elif macro == "Dd":
            self.page.metadata["date"] = " ".join(words)
        elif macro == "so":
            self.page.not_included()
        else:
            return False
        return True

    def _words(self, macro: str, words: list[str]) -> None:
        if macro in _FONTS:
            self._line(("" if len(macro) == 2 and macro not in {"SM", "SB"} else " ").join(words))
        elif macro == "Nd":
            self._line(f"— {' '.join(words)}")
        elif macro in _MARKS:
            self._name = words[0] if macro == "Nm" and words and not self._name else self._name
            self._line(" ".join(_inner([macro, *words], self._name)))


def _words(rest: str) -> list[str]:
    return [
        _plain((found["quoted"] or "").replace('""', '"') or found["plain"] or "") for found in _WORD.finditer(rest)
    ]


def _inner(words: list[str], name: str) -> list[str]:
    """Write the macros of mdoc within a line."""
    written: list[str] = []
    prefix = ""
    for number, word in enumerate(words):
        if word in _MARKS:
            prefix = _MARKS[word]
            if word == "Nm" and name and (number + 1 == len(words) or words[number + 1] in _MARKS):
                written.append(name)
            continue
        written.append(prefix + word)
        prefix = ""
    return [*written, prefix] if prefix else written


def _plain(text: str) -> str:
    """Write escapes of roff as the characters they stand for."""
    if "\\" not in text:
        return text

    def shown(found: re.Match[str]) -> str:
        name = found["two"] or found["long"]
        if name:
            return _CHARACTERS.get(name, chr(int(name[1:], 16)) if re.fullmatch(r"u[\dA-F]{4}", name) else name[:1])
        return _ONE.get(found["one"], found["one"]) if found["one"] else ""

    return _ESCAPE.sub(shown, text)
