"""The parts of a card. All of them take HTML, but for `escaped`, which makes it of texts that come from anywhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

from relance.safe_text import redact, visible

__all__ = ["card", "escaped", "line"]

# Colours with an alpha, on the notebook's own background: they read on white and on black.
_CARD = "max-width:60em;line-height:1.4;border-left:3px solid rgba(128,128,128,.5);padding:.2em .8em;margin:.3em 0"
_NAME = "text-align:left;vertical-align:top;padding:.1em 1em .1em 0;opacity:.7;background:none"
_VALUE = "text-align:left;vertical-align:top;padding:.1em 0;background:none"


def card(title: str, rows: Mapping[str, str] | None = None, below: Iterable[str] = ()) -> str:
    """Put together a title, a table of names and values, and what is below it."""
    cells = "".join(
        f'<tr style="background:none"><th scope="row" style="{_NAME}">{name}</th><td style="{_VALUE}">{value}</td></tr>'
        for name, value in (rows or {}).items()
    )
    table = f'<table style="border:0;margin:.3em 0">{cells}</table>' if cells else ""
    return f'<div class="relance" style="{_CARD}"><div><strong>{title}</strong></div>{table}{"".join(below)}</div>'


def line(content: str, *, dim: bool = False) -> str:
    """Make a line of a card; one that matters less is paler."""
    return f'<div style="opacity:.7">{content}</div>' if dim else f"<div>{content}</div>"


def escaped(text: str, *, line: bool = True) -> str:
    """Make HTML of a text: no markup, no passwords of addresses, nothing that cannot be seen."""
    return html.escape(visible(redact(text), line=line))
