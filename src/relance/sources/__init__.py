"""Where documents come from: each kind of source is a class here or in a plug-in, found by its entry point."""

from relance.sources.abilities import (
    Announcing,
    Bucketed,
    Linking,
    Prefetching,
    Pushed,
    Remembered,
    Remembering,
    Watchable,
)
from relance.sources.keyed import KeyedSource, listed
from relance.sources.registry import open_source, open_sources
from relance.sources.source import Location, Source, SourceContext

__all__ = [
    "Announcing", "Bucketed", "KeyedSource", "Linking", "Location", "Prefetching", "Pushed", "Remembered",
    "Remembering", "Source", "SourceContext", "Watchable", "listed", "open_source", "open_sources",
]  # fmt: skip
