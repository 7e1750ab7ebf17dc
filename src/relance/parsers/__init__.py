"""Bytes to documents, by media type: each parser is a class here or in a plug-in, found by its entry point."""

from relance.parsers.parser import Collection, Parsed, Parser, Raw, Reference, Row
from relance.parsers.registry import Parsers, installed_parsers, open_parsers, parsers_of

__all__ = [
    "Collection",
    "Parsed",
    "Parser",
    "Parsers",
    "Raw",
    "Reference",
    "Row",
    "installed_parsers",
    "open_parsers",
    "parsers_of",
]
