"""Where documents come from: each kind of source is a class here or in a plug-in, found by its entry point."""

from relance.sources.keyed import KeyedSource
from relance.sources.registry import open_source, open_sources
from relance.sources.source import Location, Source, SourceContext

__all__ = ["KeyedSource", "Location", "Source", "SourceContext", "open_source", "open_sources"]
