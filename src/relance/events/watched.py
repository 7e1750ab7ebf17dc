"""The folders of an index that are watched for changes."""

from __future__ import annotations

import logging
import threading

from relance.config import IndexSpec
from relance.parsers import Parsers, parsers_of
from relance.parsers.media_types import is_media
from relance.sources import open_source
from relance.sources.watched_folder import WatchedFolder

__all__ = ["watched_folder", "watched_folders"]

log = logging.getLogger(__name__)


def watched_folders(spec: IndexSpec, parsers: Parsers | None = None) -> list[WatchedFolder]:
    """Open what can be watched; a warning names the sources that cannot."""
    folders = []
    for position, section in enumerate(spec.sources):
        folder = watched_folder(spec, position, parsers)
        if folder is None and _says_nothing(spec, position):
            log.warning("sources[%d] (%s) cannot be watched: only runs look at it", position, section.type)
        elif folder is not None:
            folders.append(folder)
    return folders


def watched_folder(spec: IndexSpec, position: int, parsers: Parsers | None = None) -> WatchedFolder | None:
    """Open the folder of one source; None where there is none. By default with the spec's parsers."""
    parsers = parsers or parsers_of(spec)
    media = spec.media

    def wanted(media_type: str) -> bool:
        return parsers.knows(media_type) or (media is not None and is_media(media_type))

    # A picture may belong to documents and tables that name it, and which those are is not known here.
    tables = any(section.rows is not None and section.rows.url for section in spec.sources)
    shown = media is not None and (media.references or tables)
    source = open_source(spec, position, media_type_of=parsers.media_type_of, wanted=wanted)
    return source.watched(shown=shown)


def _says_nothing(spec: IndexSpec, position: int) -> bool:
    return open_source(spec, position).news(threading.Event()) is None
