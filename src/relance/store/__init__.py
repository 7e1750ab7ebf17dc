"""Where the index lives: LanceDB tables, one connection per process.

    relance__catalog             which physical table serves an index, and which is being written
    relance__runs                one row per run, with the table versions it ended with
    relance__vectors__<space>    the embedding cache: every vector that was bought, by content; shared by all indexes,
                                 with a journal beside it (docs/architecture.md)
    <index>__<space>             the chunks, one row each
    <index>__<space>__documents  the manifest of those chunks
    <index>__<space>__failures   documents that could not be indexed, with the reason
    <index>__thumbnails          drawn pictures of what is not on this disk, by content: a cache, bounded by its spec

`<space>` is eight hex digits of what makes two vectors comparable, so two models never share a vector column.
"""

from __future__ import annotations

from relance.store.connection import Store, open_store

__all__ = ["Store", "open_store"]
