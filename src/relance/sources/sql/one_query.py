"""Telling one query that reads from everything else, before a server sees it."""

from __future__ import annotations

import re

__all__ = ["refusal"]

_COMMENT = r"--[^\n]*|/\*(?:[^*]|\*(?!/))*\*/"
_QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
_ESCAPED = r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`|\#[^\n]*"""
# Servers differ in whether a backslash escapes a quote: what is refused under one reading is refused.
_READINGS = [re.compile(f"{_COMMENT}|{quoted}", re.DOTALL) for quoted in (_QUOTED, _ESCAPED)]
_FIRST = re.compile(r"[\s(]*(\w+)")


def refusal(query: str) -> str:
    """Say why a text is not one query that only reads; empty if it is.

    The database has the last word: the query is run in a transaction that may not write, and within a SELECT.
    """
    for reading in _READINGS:
        plain = reading.sub(" ", query).strip()
        plain = plain.removesuffix(";").rstrip()
        first = _FIRST.match(plain)
        if first is None or first[1].lower() not in {"select", "with"}:
            return f"is no query: it begins with {first[1] if first else 'nothing'!r}, and only SELECT and WITH are run"
        if ";" in plain:
            return "is more than one statement; write one SELECT (a semicolon in a text belongs into quotes)"
        if plain.count("(") != plain.count(")") or _closes_early(plain):
            return "has parentheses that do not match"
        if re.search(r"--|/\*|\*/", plain) or "'" in plain:
            return "has a comment or a quote that does not end"
        if first[1].lower() == "with" and (
            word := re.search(r"\b(insert|update|delete|merge)\b", plain, re.IGNORECASE)
        ):
            return f"writes ({word[1].upper()}); only queries that read are run"
    return ""


def _closes_early(text: str) -> bool:
    """Whether a parenthesis closes that was not opened: it would end the SELECT that the query is put into."""
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return True
    return False
