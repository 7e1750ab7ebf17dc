"""The sources of an index: which are watched for changes, and which say nothing."""

from __future__ import annotations

import threading

from relance.config import IndexSpec
from relance.parsers import Parsers, parsers_of
from relance.parsers.media_types import is_media
from relance.sources import Announcing, Source, Watchable, open_source
from relance.sources.watched_folder import WatchedFolder

__all__ = ["opened", "silent_sources", "watched_folder", "watched_folders"]


def watched_folders(spec: IndexSpec, parsers: Parsers | None = None) -> list[WatchedFolder]:
    """Open what can be watched."""
    folders = (watched_folder(spec, position, parsers) for position in range(len(spec.sources)))
    return [folder for folder in folders if folder is not None]


def silent_sources(spec: IndexSpec) -> list[int]:
    """Find the positions of sources that can neither be watched nor say themselves what changes."""
    sources = [open_source(spec, position) for position in range(len(spec.sources))]
    return [position for position, source in enumerate(sources)
            if not isinstance(source, Watchable)
            and not (isinstance(source, Announcing) and source.news(threading.Event()) is not None)]  # fmt: skip


def watched_folder(spec: IndexSpec, position: int, parsers: Parsers | None = None) -> WatchedFolder | None:
    """Open the folder of one source; None where there is none. By default with the spec's parsers."""
    parsers, media = parsers or parsers_of(spec), spec.media
    # A picture may belong to documents and tables that name it, and which those are is not known here.
    tables = any(section.rows is not None and section.rows.url for section in spec.sources)
    shown = media is not None and (media.references or tables)
    source = opened(spec, position, parsers)
    return source.watched(shown=shown) if isinstance(source, Watchable) else None


def opened(spec: IndexSpec, position: int, parsers: Parsers) -> Source:
    """Open a source that lists what a run would read."""

    def wanted(media_type: str) -> bool:
        return parsers.knows(media_type) or (spec.media is not None and is_media(media_type))

    return open_source(spec, position, media_type_of=parsers.media_type_of, wanted=wanted)
