"""Rich Text Format as Markdown: headings, lists with their labels, tables, footnotes."""

from __future__ import annotations

import re
from dataclasses import replace

from relance.errors import DocumentError
from relance.parsers.office.grid import Grid
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.numbering import roman
from relance.parsers.office.properties import typed
from relance.parsers.office.rtf_state import Flow, State
from relance.parsers.office.rtf_tokens import CODE_PAGES, SYMBOL, Decoder, Token, codec_of_page, tokens
from relance.parsers.office.symbols import symbol
from relance.parsers.parser import Parsed

__all__ = ["read_rtf"]

_CHARACTERS = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": "\u2003", "enspace": "\u2002", "qmspace": "\u2005", "zwj": "\u200d",
    "zwnj": "\u200c", "nestcell": " ", "nestrow": " ", "lbr": "\n", "softline": "",
}  # fmt: skip
_SYMBOLS = {"~": "\u00a0", "_": "\u2011", "\\": "\\", "{": "{", "}": "}", "\t": "\t"}
_PARAGRAPHS = frozenset({"par", "sect", "page", "column"})
# Groups whose text is not that of the document; those marked `\*` are passed over unless they are known here.
_SKIPPED = frozenset(
    ("colortbl", "pict", "objdata", "nonshppict", "filetbl", "stylesheet", "fonttbl", "info", "xe", "tc", "txe", "rxe",
     "fldinst", "pntxta", "pntxtb", "objclass", "objname", "bkmkstart", "bkmkend", "sp", "do", "themedata", "template",
     "listtable", "listoverridetable", "revtbl", "generator", "upr", "mmathPr", "mmathPict", "ctrlPr", "levelnumbers",
     "leveltext", "falt", "panose", "background")
)  # fmt: skip
_KNOWN_STARRED = frozenset(
    ("shpinst", "shptxt", "ud", "shppict", "annotation", "atnauthor", "moMath", "moMathPara", "mmath", "fldinst",
     "pntext",
     "listtext", "dptxbxtext", "ftnalt", "do")
)  # fmt: skip
_HEADERS = frozenset(("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"))
_PROPERTIES = {"title": "title", "author": "author", "subject": "subject", "keywords": "keywords",
               "doccomm": "description",
               "category": "category"}  # fmt: skip
_DATES = {"creatim": "created", "revtim": "modified"}
_HEADING = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
_LINK = re.compile(r'\s*HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|DATE|TIME)\b", re.IGNORECASE)
_DEEPEST = 1_000
_WIDEST = 1_000


class _Reader:
    def __init__(self, uri: str, left_out: LeftOut) -> None:
        self._uri = uri
        self._left_out = left_out
        self._writer = MarkdownWriter(uri)
        self._body = Flow("body")
        self._state = State(self._body)
        self._stack: list[State] = []
        self._decoder = Decoder()
        self._codec = "cp1252"
        self._fonts: dict[int, str] = {}
        self._symbol_fonts: set[int] = set()
        self._style_names: dict[int, str] = {}
        self._captured: dict[str, list[str]] = {}
        self._properties: dict[str, list[str]] = {}
        self._rows: Grid | None = None
        self._cells: list[str] = []
        self._merges: list[str] = []  # of each cell: `` or `left` or `above`
        self._merge = ""
        self._to_skip = 0
        self._high = ""
        self._notes = {"footnote": 0, "endnote": 0}
        self._furniture: dict[str, list[str]] = {"header": [], "footer": []}
        self.title = ""

    def read(self, source: str) -> Parsed:
        ended = False
        for token in tokens(source):
            if token.kind == "{":
                self._open()
            elif token.kind == "}":
                self._close()
                if not self._stack:
                    ended = True
                    break
            else:
                self._token(token)
        if not ended:
            raise DocumentError(self._uri, "truncated or damaged: it ends inside a group")
        self._paragraph(self._body)
        self._end_table()
        self._writer.flush_notes()
        for text in dict.fromkeys(self._furniture["footer"]):
            self._writer.paragraph(text)
        text, _ = self._writer.finish()
        headers = MarkdownWriter(self._uri)
        for header in dict.fromkeys(self._furniture["header"]):
            headers.paragraph(header)
        above = headers.finish()[0]
        metadata = typed(self._properties)
        named = metadata.pop("title", "")
        title = self.title or self._writer.first_heading or named
        return Parsed("\n\n".join(filter(None, (above, text))), title=title, syntax="markdown", metadata=metadata)

    def _open(self) -> None:
        if len(self._stack) >= _DEEPEST:
            raise DocumentError(self._uri, f"groups lie more than {_DEEPEST:,} deep in each other")
        self._to_skip = 0
        self._stack.append(self._state)
        self._state = replace(self._state, group="", starred=False)

    def _close(self) -> None:
        self._to_skip = 0
        if not self._stack:
            return
        ended, self._state = self._state, self._stack.pop()
        group = ended.group
        if group in self._captured and ended.skipped:
            self._captured_group(group, "".join(self._captured.pop(group)).strip())
        if ended.flow is not self._state.flow:
            self._end_flow(ended.flow)

    def _captured_group(self, group: str, text: str) -> None:
        """Use what a group said that is no text: a property, a style's name, a field's instruction."""
        if group in _PROPERTIES:
            self._properties.setdefault(_PROPERTIES[group], []).append(text)
        elif group.startswith("date:"):
            year, month, day, hour, minute = ([*map(int, text.split())] + [0] * 5)[:5] if text else (0,) * 5
            if year:
                date = f"{year:04}-{max(month, 1):02}-{max(day, 1):02}T{hour:02}:{minute:02}:00"
                self._properties.setdefault(group.removeprefix("date:"), []).append(date)
        elif group.startswith("style:"):
            self._style_names[int(group.removeprefix("style:"))] = text.rstrip(";").strip()
        elif group == "fldinst":
            if _PAGE.match(text):
                self._state.flow.numbered = True
            if self._stack:
                self._captured["link"] = [found[1]] if (found := _LINK.match(text)) else []
                self._captured["page"] = ["1"] if _PAGE.match(text) else []
        elif group == "atnauthor":
            self._captured["author"] = [text]

    def _end_flow(self, flow: Flow) -> None:
        self._paragraph(flow)
        text = "\n".join(line for line in flow.lines if line)
        match flow.kind:
            case "footnote" | "endnote":
                self._notes[flow.kind] += 1
                number = self._notes[flow.kind]
                mark = str(number) if flow.kind == "footnote" else roman(number)
                self._put(f"[^{mark}]")
                self._writer.note(mark, text)
            case "annotation":
                author = "".join(self._captured.pop("author", []))
                self._put(self._left_out.comment(author, text))
            case "listtext":
                label = " ".join(text.split())
                self._state.flow.label = "-" if label and not any(map(str.isalnum, label)) else label
            case "header" | "footer":
                words = re.findall(r"[^\W\d_]{2,}", text)
                if text and not (flow.numbered and len(words) <= 2):
                    self._furniture[flow.kind].append(text)
            case "box":
                if text:
                    self._put(f"\n{text}\n")

    def _token(self, token: Token) -> None:  # a table of kinds
        state = self._state
        if self._to_skip and token.kind in {"hex", "symbol", "text"}:
            if token.kind != "text":
                self._to_skip -= 1
                return
            skipped, self._to_skip = min(self._to_skip, len(token.text)), max(self._to_skip - len(token.text), 0)
            token = Token("text", token.text[skipped:])
        if token.kind in {"text", "hex"}:
            if state.symbolic and not state.skipped:
                self._put("".join(symbol(f"{ord(character):x}", "symbol") for character in token.text))
            else:
                self._put(self._decoder.decode(token.text, self._fonts.get(state.font, self._codec)))
            return
        if token.kind == "symbol":
            if token.text == "*":
                state.starred = True
            elif token.text in "\r\n":
                self._word(Token("word", "par"))
            else:
                self._put(_SYMBOLS.get(token.text, ""))
            return
        if token.text == "u":
            self._unicode((token.number or 0) & 0xFFFF)
            self._to_skip = state.skip
            return
        self._word(token)

    def _word(self, token: Token) -> None:  # noqa: PLR0912  # a table of words
        state, word, number = self._state, token.text, token.number
        if not state.group:
            state.group = word
            if self._begins_group(word, number):
                return
            if state.starred and word not in _KNOWN_STARRED:
                state.skipped = True
        if word in _CHARACTERS:
            self._put(_CHARACTERS[word])
            return
        match word:
            case "uc":
                state.skip = min(max(number if number is not None else 1, 0), 10)
            case "f":
                state.font = number or 0
                state.symbolic = state.font in self._symbol_fonts
            case "plain":
                state.hidden, state.font, state.symbolic = "", 0, False
            case "v":
                state.hidden = "" if number == 0 else "hidden text"
            case "deleted":
                state.hidden = "" if number == 0 else "deleted text"
            case "pard":
                state.style, state.outline, state.level, state.in_table = 0, None, 0, False
            case "s":
                state.style = number or 0
                self._name_style(number or 0)
            case "outlinelevel":
                state.outline = number or 0
            case "ilvl":
                state.level = number or 0
            case "intbl":
                state.in_table = True
            case "ansicpg":
                self._codec = codec_of_page(number)
            case "mac":
                self._codec = "mac-roman"
            case "fcharset" if state.group == "f":
                self._charset(state.font, number or 0)
            case "ftnalt":
                state.flow.kind = "endnote" if state.flow.kind == "footnote" else state.flow.kind
            case "yr" | "mo" | "dy" | "hr" | "min" if state.group.startswith("date:"):
                self._captured[state.group].append(f"{number or 0} ")
            case _ if not state.skipped:
                self._layout(word)

    def _layout(self, word: str) -> None:
        flow = self._state.flow
        if word in _PARAGRAPHS:
            self._paragraph(flow)
        elif flow is not self._body:
            if word in {"cell", "row"}:
                self._put(" ")
        elif word == "trowd":
            self._merges, self._merge = [], ""
        elif word in {"clmrg", "clvmrg"}:
            self._merge = "left" if word == "clmrg" else "above"
        elif word == "cellx":
            if len(self._merges) < _WIDEST:
                self._merges.append(self._merge)
            self._merge = ""
        elif word == "cell":
            self._cells.append(self._text(flow))
        elif word == "row":
            self._row()

    def _begins_group(self, word: str, number: int | None) -> bool:  # noqa: PLR0912  # a table of groups
        """Whether a group's first word makes it one of another kind."""
        state = self._state
        parent = self._stack[-1].group if self._stack else ""
        if word in _HEADERS:
            state.flow = Flow(word[:6])
        elif word in {"footnote", "annotation"}:
            state.flow = Flow(word)
        elif word in {"listtext", "pntext"}:
            state.flow = Flow("listtext")
        elif word in {"shptxt", "dptxbxtext"}:
            state.flow, state.skipped = Flow("box"), False
        elif word == "ud":
            state.skipped = False
        elif word in {"fldinst", "atnauthor"} or (parent == "info" and word in _PROPERTIES):
            self._capture(word)
        elif parent == "info" and word in _DATES:
            state.group = f"date:{_DATES[word]}"
            self._capture(state.group)
        elif parent == "fonttbl" and word == "f":
            state.font = number or 0
            return True
        elif word == "fldrslt":
            if "".join(self._captured.pop("page", [])) and state.flow is not self._body:
                state.skipped = True
        elif word == "object":
            self._left_out.other("embedded object")
        elif word in _SKIPPED:
            state.skipped = True
        else:
            return False
        return True

    def _capture(self, group: str) -> None:
        self._state.skipped = True
        self._captured[group] = []

    def _name_style(self, number: int) -> None:
        if len(self._stack) > 1 and self._stack[-1].group == "stylesheet" and self._state.group in {"s", ""}:
            self._state.group = f"style:{number}"
            self._capture(self._state.group)

    def _charset(self, font: int, charset: int) -> None:
        if charset == SYMBOL:
            self._symbol_fonts.add(font)
        elif charset in CODE_PAGES:
            self._fonts[font] = codec_of_page(None, CODE_PAGES[charset])

    def _unicode(self, code: int) -> None:
        if 0xD800 <= code < 0xDC00:
            self._high = chr(code)
            return
        character = chr(code)
        if 0xDC00 <= code < 0xE000:
            pair = (self._high + character).encode("utf-16-le", "surrogatepass")
            character = pair.decode("utf-16-le", "replace")
        elif 0xF000 <= code <= 0xF0FF:
            character = symbol(f"{code:x}", "symbol") if self._state.symbolic else symbol(f"{code:x}", "")
        self._high = ""
        self._put(character)

    def _put(self, text: str) -> None:
        state = self._state
        if not text:
            return
        if state.skipped:
            if state.group in self._captured:
                self._captured[state.group].append(text)
            else:
                for outer in reversed(self._stack[-4:]):  # instructions have groups of their own for fonts
                    if outer.group in self._captured and outer.skipped:
                        self._captured[outer.group].append(text)
                        break
            return
        state.flow.pieces.append((text, state.hidden))

    def _text(self, flow: Flow) -> str:
        """End a paragraph and return its text."""
        pieces, flow.pieces = flow.pieces, []
        return self._left_out.passages(pieces).strip()

    def _paragraph(self, flow: Flow) -> None:
        state = self._state
        if flow is self._body and state.in_table:
            flow.pieces.append((" ", ""))  # a paragraph in a cell
            return
        text = self._text(flow)
        label, flow.label = flow.label, ""
        if flow is not self._body:
            flow.lines.append(f"{label} {text}".strip())
            return
        self._end_table()
        if not text:
            return
        name = self._style_names.get(state.style, "")
        found = _HEADING.match(name)
        level = state.outline + 1 if state.outline is not None else int(found[1]) if found else 0
        if name.lower() == "title" and not self.title:
            self.title = " ".join(text.split())
            level = level or 1
        if 0 < level <= 9:
            self._writer.heading(level, f"{label} {text}")
        elif label:
            self._writer.item(label, text, state.level)
        else:
            self._writer.paragraph(text)

    def _row(self) -> None:
        self._rows = self._rows or Grid()
        self._rows.row()
        before = ""
        for at, text in enumerate(self._cells):
            merge = self._merges[at] if at < len(self._merges) else ""
            before = text if text or not merge else before if merge == "left" else self._rows.above()
            self._rows.cell(before)
        self._cells = []

    def _end_table(self) -> None:
        if self._cells:
            self._row()
        if self._rows is not None:
            self._writer.table(self._rows.rows())
            self._rows = None


def read_rtf(data: bytes, uri: str, left_out: LeftOut) -> Parsed:
    """Read an RTF file."""
    source = data.decode("latin-1").lstrip("\ufeff\xef\xbb\xbf \t\r\n")
    if not source.startswith("{\\rtf"):
        raise DocumentError(uri, "damaged: an RTF file begins with {\\rtf")
    return _Reader(uri, left_out).read(source)
