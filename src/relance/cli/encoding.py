"""Output to terminals and files that have not all characters, such as those of LANG=C or of Windows."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

__all__ = ["allow_every_character"]

_NAME = "relance"
# What our own output is made of; other characters, such as those of a document, are written as \\u4e2d.
_PLAIN = {"·": "-", "…": "...", "✗": "x", "✓": "v", "›": ">", "–": "-", "—": "-", "×": "x", "→": "->", "│": "|",
          "σ": "s", "•": "*", "━": "-", "╸": "-", "╺": "-", "“": '"', "”": '"', "’": "'"}  # fmt: skip


def allow_every_character() -> None:
    """Let stdout and stderr write characters that their encoding lacks in plain letters, instead of failing."""
    codecs.register_error(_NAME, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().replace("-", "").startswith("utf"):
            stream.reconfigure(errors=_NAME)


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    if letter in _PLAIN:
        return _PLAIN[letter]
    if unicodedata.category(letter) == "So":  # a frame of the spinner
        return "*"
    return letter.encode("ascii", "backslashreplace").decode("ascii")
