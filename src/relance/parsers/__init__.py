"""Bytes to documents, by media type: each parser is a class here or in a plug-in, found by its entry point."""

from relance.parsers.parser import Collection, Parsed, Parser, Raw, Reference
from relance.parsers.registry import Parsers, installed_parsers, open_parsers, parsers_of
from relance.parsers.rows import Row, Rows

__all__ = [
    "Collection",
    "Parsed",
    "Parser",
    "Parsers",
    "Raw",
    "Reference",
    "Row",
    "Rows",
    "installed_parsers",
    "open_parsers",
    "parsers_of",
]
