"""Bytes to Unicode: byte-order mark, UTF-8, what the file declares, and only then a guess."""

from __future__ import annotations

import codecs
import re
import unicodedata

from relance.errors import DocumentError
from relance.parsers.guess import guess, reads_like_language

__all__ = ["ESCAPED", "clean", "clean_all", "codec", "decode", "detect"]

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Labels mean the superset that browsers read (WHATWG Encoding), because files do.
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
}
_SAMPLE = 64 * 1024
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# What nobody sees, and nobody types into a search: zero-width blanks, word joiners and marks of byte order within the
# text, soft hyphens, invisible operators, controls. Joiners (U+200C, U+200D) spell Persian and emoji: they stay.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\x80-\x84\x86-\x9f]")
_OTHER_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_LINE_ENDS = str.maketrans({"\x85": "\n", "\u2028": "\n", "\u2029": "\n"})
# Colours and cursors of a terminal, and letters that a line printer strikes twice.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]|\x1b\][^\x07\x1b\n]*+(?:\x07|\x1b\\)"
    r"|\x1b[ -/]++[0-~]|\x1b[@-Z\\^_=>78c]|[^\n\x08]\x08"
)
# Escape sequences that switch to Japanese or Korean in encodings of seven bits.
_SEVEN_BITS = {
    "iso2022_jp_2": (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b$(D"),
    "iso2022_kr": (b"\x1b$)C",),
}
_UNCLEAN = bytes(code for code in range(128) if _UNSTORABLE.match(chr(code)) or chr(code) == "\r")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
# What `errors="surrogateescape"` makes of a byte that does not fit.
ESCAPED = re.compile(r"[\udc80-\udcff]")


def codec(label: str) -> str:
    """Name the codec to read a label with; LookupError for a name that is no text encoding."""
    info = codecs.lookup(label.strip())
    "".encode(info.name)  # refuses codecs such as rot13, which are no encodings
    return _SUPERSETS.get(info.name, info.name)


def detect(data: bytes, *, declared: str = "", complete: bool = True) -> str | None:
    """Name the encoding of a text, or None for what is no text.

    Args:
        data: the text or its beginning.
        declared: what the text says about itself (HTML, XML); believed if it decodes and UTF-8 does not.
        complete: False if `data` may end inside a character.
    """
    return _detect(data, declared=declared, complete=complete)[0]


def decode(data: bytes, uri: str, *, encoding: str = "", declared: str = "", warnings: list[str] | None = None) -> str:
    """Decode a text file; raises DocumentError where it is no text or the encoding cannot be told.

    Args:
        data: the text.
        uri: its document, for errors.
        encoding: what the user says.
        declared: what the text says about itself.
        warnings: where a sentence is added if the encoding is a guess or bytes are damaged.
    """
    marked = any(data.startswith(mark) for mark, _ in _MARKS)
    if encoding and not marked:
        try:
            return clean(data.decode(codec(encoding)))
        except UnicodeDecodeError as error:
            reason = f"not valid {encoding} at byte {error.start}; correct `encoding` of this source or the file"
            raise DocumentError(uri, reason) from None
    name, sure = _detect(data, declared=declared)
    if name is None and b"\0" in data:
        raise DocumentError(uri, _binary(uri))
    if name is None:
        raise DocumentError(uri, "its encoding is unknown; set `encoding` of this source or save it as UTF-8")
    # A damaged byte costs a character (U+FFFD), not the document.
    text = data.decode(name, "replace")
    if len(_CONTROLS.findall(text[:_SAMPLE])) * 200 > min(len(text), _SAMPLE):
        raise DocumentError(uri, _binary(uri))
    if warnings is not None:
        if not sure:
            warnings.append(f"its encoding is a guess: {name}; set `encoding` of this source if that is wrong")
        elif name.startswith("utf-8") and (damaged := text.count("\ufffd") - data.count("\ufffd".encode())):
            plural = "s" if damaged > 1 else ""
            warnings.append(f"{damaged:,} damaged character{plural} (\ufffd in the text): it is not quite UTF-8")
    return clean(text)


def clean(text: str) -> str:
    r"""Normalise to NFC with `\n` line ends, without byte-order mark, control characters or lone surrogates."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text or "\x08" in text or "\x9b" in text:
        text = _TERMINAL.sub("", text)
    text = _UNSTORABLE.sub("", text)
    if text.isascii():
        return text
    if _OTHER_LINE_ENDS.search(text):
        text = text.translate(_LINE_ENDS)
    return unicodedata.normalize("NFC", _SURROGATES.sub("\ufffd", _INVISIBLE.sub("", text)))


def clean_all(texts: list[str]) -> list[str]:
    """Clean many texts; together, since most are clean and what is true of them joined is true of each."""
    joined = "\n".join(texts)
    try:
        data = joined.encode()
    except UnicodeEncodeError:  # lone surrogates
        return [clean(text) for text in texts]
    plain = joined.isascii() or (
        not _INVISIBLE.search(joined)
        and not _OTHER_LINE_ENDS.search(joined)
        and unicodedata.is_normalized("NFC", joined)
    )
    if plain and len(data.translate(None, _UNCLEAN)) == len(data):
        return texts
    return [clean(text) for text in texts]


def _detect(data: bytes, *, declared: str = "", complete: bool = True) -> tuple[str | None, bool]:
    """Name an encoding, and say whether it is more than a guess."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, True
    if b"\0" in data:
        return _detect_wide(data), True
    seven = [name for name, escapes in _SEVEN_BITS.items() if any(escape in data for escape in escapes)]
    for name in [*(seven if data.isascii() else []), "utf-8", *([declared] if declared else [])]:
        if _decodes(data, name, complete=complete):
            return name, True
    return ("utf-8", True) if _is_damaged_utf8(data) else guess(data)


def _binary(uri: str) -> str:
    name = uri.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return f"binary content in a file named {dot + extension if stem and dot else name}"


def _decodes(data: bytes, name: str, *, complete: bool = True) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(data, final=complete)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _detect_wide(data: bytes) -> str | None:
    """Tell UTF-16 and UTF-32 without a mark from binary content by where the zero bytes are."""
    if len(data) < 4 and len(data) % 2:
        return None
    sample = data[: min(_SAMPLE, len(data) - len(data) % 4 or len(data))]
    names = ["utf-16-le", "utf-16-be"]
    if sample[0::2].count(0) > sample[1::2].count(0):
        names.reverse()
    if len(sample) % 4 == 0 and len(sample) > 4 and not (any(sample[3::4]) and any(sample[0::4])):
        names = ["utf-32-le", "utf-32-be", *names]
    for name in names:
        if _decodes(data, name, complete=False) and _reads_well(sample.decode(name, "ignore")):
            return name
    return None


def _reads_well(text: str) -> bool:
    """Whether a text holds hardly anything but letters, marks, digits, punctuation and blanks of one language."""
    odd = sum(
        unicodedata.category(character) in {"Cc", "Cn", "Co", "Cs"} and character not in "\t\n\r\f"
        for character in text
    )
    # The bytes 00 01 are a number in a file; as UTF-16 they are U+0100, and no text has more of its like than of
    # blanks, line ends and Latin letters, which are where the zero bytes of text come from.
    numbers = sum("\u0100" <= character < "\u2000" and ord(character) % 256 == 0 for character in text)
    if odd * 100 > len(text) or numbers > sum(character < "\u0100" for character in text):
        return False
    return bool(text) and reads_like_language(text)


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether at least as many characters are valid UTF-8 as bytes fit nowhere.

    In other encodings one character is valid by accident for ten bytes that fit nowhere (GBK, Big5), or for hundreds.
    """
    text = data[: 16 * _SAMPLE].decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) >= damaged * 2
