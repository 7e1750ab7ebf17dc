"""Filter expressions: conditions on columns and metadata that are safe to take from anybody."""

from relance.search.filters.error import FilterError
from relance.search.filters.parser import parse_filter
from relance.search.filters.sql import compile_filter

__all__ = ["FilterError", "compile_filter", "parse_filter"]
