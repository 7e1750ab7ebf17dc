"""Templates of rows: text with the names of columns in braces, such as `{name}: {price}`."""

from __future__ import annotations

import re

__all__ = ["row_template"]

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+")


def row_template(text: str) -> list[tuple[str, str]] | None:
    """Split a template into literal text and the column after it (empty at the end); None for the name of a column.

    Raises ValueError for braces that do not match.
    """
    if "{" not in text and "}" not in text:
        return None
    parts: list[tuple[str, str]] = []
    literal = ""
    for piece in _PIECE.finditer(text):
        if piece[1] is not None and piece[1].strip():
            parts.append((literal, piece[1].strip()))
            literal = ""
        elif piece[0] in {"{{", "}}"}:
            literal += piece[0][0]
        elif piece[0][0] in "{}":
            msg = f"{text!r} has a brace without its partner; a column is written {{name}}, a brace {{{{ or }}}}"
            raise ValueError(msg)
        else:
            literal += piece[0]
    if not parts:
        msg = f"{text!r} names no column; a column is written {{name}}"
        raise ValueError(msg)
    return [*parts, (literal, "")]
