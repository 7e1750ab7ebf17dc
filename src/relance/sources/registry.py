"""Sections of the spec as sources."""

from __future__ import annotations

from collections.abc import Callable

from relance.config import IndexSpec
from relance.config.plugin_section import read_section
from relance.parsers.media_types import media_type_of
from relance.sources.source import Source, SourceContext, anything

__all__ = ["open_source", "open_sources"]


def open_source(
    spec: IndexSpec,
    position: int,
    *,
    media_type_of: Callable[[str], str] = media_type_of,
    wanted: Callable[[str], bool] = anything,
) -> Source:
    """Open the source at a position of `spec.sources`; see `SourceContext` for the others.

    Raises ConfigurationError if its kind is not installed, or its section is wrong.
    """
    section = spec.sources[position]
    kind = spec.plugins.find("sources", section.type)
    if isinstance(kind, Source):
        return kind  # an instance that was given to the index
    section = read_section(section, kind.Spec, f"sources[{position}]")
    return kind(section, SourceContext(spec.path("."), position, media_type_of, wanted, spec.own, spec.own_addresses))


def open_sources(spec: IndexSpec) -> list[Source]:
    """Open all sources, to ask where they are."""
    return [open_source(spec, position) for position in range(len(spec.sources))]
