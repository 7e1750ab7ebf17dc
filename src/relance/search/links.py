"""Pages where people see what was found: the sources know them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from relance.config import IndexSpec
from relance.errors import RelanceError
from relance.sources import Linking, Source, open_source

__all__ = ["Link", "Links", "nowhere"]

log = logging.getLogger(__name__)

Link = Callable[[str, Mapping[str, Any], int | None, int | None], str]


def nowhere(uri: str, metadata: Mapping[str, Any], line: int | None, line_end: int | None) -> str:  # noqa: ARG001  # of nothing there is a page
    """Know no page."""
    return ""


class Links:
    """The pages of an index's documents. No source is asked for anything but the page: nothing is opened."""

    def __init__(self, spec: IndexSpec) -> None:
        self._spec = spec

    def of(self, uri: str, metadata: Mapping[str, Any], line: int | None, line_end: int | None) -> str:
        """Return the page of a hit, with its lines; of a row that of its file. Empty where nobody knows one."""
        for source in self._sources:
            if (place := source.location(uri)) is not None:
                page = source.page(uri, metadata, line, line_end) if isinstance(source, Linking) else place.link
                if page:
                    return page
        return ""

    @cached_property
    def _sources(self) -> list[Source]:
        found = []
        for position in range(len(self._spec.sources)):
            try:
                source = open_source(self._spec, position)
            except RelanceError as error:  # a search does not need what only a run does
                log.debug("no pages of sources[%d]: %s", position, error)
                continue
            if source.has_pages:  # a folder does not say so of each of ten hits: that took 0.8 CPU-ms
                found.append(source)
        return found
