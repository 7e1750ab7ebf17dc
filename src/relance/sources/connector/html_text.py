"""HTML of what services give as data, for our parser of HTML."""

from __future__ import annotations

from html import escape

__all__ = ["element", "page"]


def page(title: str, body: str) -> bytes:
    """Make a page with its title as the first heading; `body` is HTML already."""
    name = escape(title)
    head = f'<!doctype html><html><head><meta charset="utf-8"><title>{name}</title></head>'
    return f"{head}<body><main><h1>{name}</h1>\n{body}\n</main></body></html>".encode("utf-8", "replace")


def element(tag: str, text: str) -> str:
    """Make an element of a text; nothing of an empty one."""
    return f"<{tag}>{escape(text)}</{tag}>" if text else ""
