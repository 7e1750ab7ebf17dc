"""Asking an index."""

from relance.search.filters import FilterError, compile_filter, parse_filter
from relance.search.highlight import best_passage, highlights
from relance.search.hit import Explained, Explanation, Hit
from relance.search.hits import Hits
from relance.search.instructions import PRESETS
from relance.search.mode import Mode
from relance.search.table import MAX_HITS, TextSearch, find_rows

__all__ = [
    "MAX_HITS",
    "PRESETS",
    "Explained",
    "Explanation",
    "FilterError",
    "Hit",
    "Hits",
    "Mode",
    "TextSearch",
    "best_passage",
    "compile_filter",
    "find_rows",
    "highlights",
    "parse_filter",
]
