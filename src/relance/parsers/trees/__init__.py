"""JSON and XML as documents: what is in them by structure, one thing a line."""

from relance.parsers.trees.parser import Trees

__all__ = ["Trees"]
