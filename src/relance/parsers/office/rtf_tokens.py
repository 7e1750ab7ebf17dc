"""The tokens of RTF: control words, text, groups."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["CODE_PAGES", "SYMBOL", "Decoder", "Token", "codec_of_page", "tokens"]

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?[ ]?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    r"|(?P<brace>[{}])|[\r\n\0]+|(?P<text>[^\\{}\r\n\0]+)|\\",
    re.DOTALL,
)
# The character set of a font, as RTF numbers it.
CODE_PAGES = {
    77: "mac-roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 255: "cp437",
}  # fmt: skip
SYMBOL = 2


class Token(NamedTuple):
    """`kind` is `word`, `symbol`, `hex`, `text`, `{` or `}`."""

    kind: str
    text: str = ""
    number: int | None = None


def tokens(source: str) -> Iterator[Token]:
    r"""Yield the tokens of a file that was decoded byte by byte; what follows `\\bin` is passed over."""
    at = 0
    while found := _TOKEN.match(source, at):
        at = found.end()
        if word := found["word"]:
            number = int(found["number"]) if found["number"] else None
            if word == "bin":
                at += max(number or 0, 0)
                if at > len(source):
                    return
                continue
            yield Token("word", word, number)
        elif found["hex"]:
            yield Token("hex", chr(int(found["hex"], 16)))
        elif found["text"]:
            yield Token("text", found["text"])
        elif found["brace"]:
            yield Token(found["brace"])
        elif found["symbol"]:
            yield Token("symbol", found["symbol"])


def codec_of_page(page: int | None, default: str = "cp1252") -> str:
    """Name the codec of a code page."""
    name = {65001: "utf-8", 10000: "mac-roman", 936: "gbk", 950: "big5"}.get(page or 0, f"cp{page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return default


class Decoder:
    """Makes text of bytes whose encoding changes with the font; two bytes of one character may come apart."""

    def __init__(self) -> None:
        self._name = ""
        self._decoder: codecs.IncrementalDecoder | None = None

    def decode(self, text: str, codec: str) -> str:
        """Decode the next bytes, each given as the character of its number."""
        if text.isascii() and (self._decoder is None or not self._decoder.getstate()[0]):
            return text
        before = ""
        if codec != self._name or self._decoder is None:
            before = self.end()
            self._name, self._decoder = codec, codecs.getincrementaldecoder(codec)("replace")
        return before + self._decoder.decode(text.encode("latin-1", "replace"))

    def end(self) -> str:
        """Return what is left of a character that was never finished."""
        return self._decoder.decode(b"", final=True) if self._decoder else ""
