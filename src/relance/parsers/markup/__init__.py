"""Markup other than Markdown and HTML, written as Markdown: headings, code, tables, links."""

from relance.parsers.markup.parser import Markup

__all__ = ["Markup"]
