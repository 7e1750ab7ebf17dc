"""Code as a fenced block of Markdown."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

__all__ = ["fenced", "language_of", "shown"]

_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight-source|highlight|brush:)[-_: ]?([a-zA-Z][\w+#.-]*)")
_NO_LANGUAGE = frozenset(("none", "default", "text", "plain", "plaintext", "notranslate", "wrapper", "block", "box"))
_NAME = re.compile(r"[\w+#.-]{1,30}")
_FENCE = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
_UNSEEN = {0xA0: " ", 0xAD: None, 0x200B: None, 0x2060: None, 0xFEFF: None}


def shown(text: str) -> str:
    """Take out of a `<pre>` what is not seen: blanks at the ends of lines, empty lines around, soft hyphens."""
    if not text.isascii():
        text = text.translate(_UNSEEN)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def fenced(text: str, language: str) -> str:
    """Put a fence around a text, longer than any in it."""
    ticks = "`" * max([3, *(len(run) + 1 for run in _FENCE.findall(text))])
    return f"{ticks}{language}\n{text}\n{ticks}"


def language_of(pre: Any) -> str:
    """Find the programming language a page names for a `<pre>`; empty where it names none."""
    code = [child for child in islice(pre, 2) if child.tag == "code"]
    for element in (*code, pre, *islice(pre.iterancestors(), 2)):
        named = element.get("data-lang") or element.get("data-language") or ""
        if _NAME.fullmatch(named):
            return named
        found = _LANGUAGE.search(element.get("class", "")[:300])
        if found and found[1].lower() not in _NO_LANGUAGE:
            return found[1]
    return ""
