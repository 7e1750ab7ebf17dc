"""What of a batch's pictures the service is sent, and what in place of an address that it could not fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relance.documents import Item, Media
from relance.errors import InputError, RelanceError
from relance.media.fetch.urls import shown

if TYPE_CHECKING:
    from relance.pipeline.runtime import Runtime

__all__ = ["MediaInputs"]


class MediaInputs:
    """Knows of which items pictures are, so that their tables and pages can be read again.

    Args:
        runtime: has the sources, and what fetches.
        items: those with addresses, as they were when their pictures were looked at.
    """

    def __init__(self, runtime: Runtime, items: Sequence[Item]) -> None:
        self._runtime = runtime
        self._items = {place: item for item in items if item.row is not None for place in item.row["urls"]}

    def prepared(self, inputs: Sequence[Any], keys: Sequence[str], bought: frozenset[str]) -> list[Any]:
        """Return what is sent: of those that are bought, files where the service could fetch nothing of their host."""
        made = list(inputs)
        at = [position for position, key in enumerate(keys) if key in bought]
        ready = self._runtime.loader.prepared([made[position] for position in at])
        for position, value in zip(at, ready, strict=True):
            made[position] = value
        return made

    async def instead(self, media: Media) -> Media:
        """Give a picture by the address that its table or page has by now, else the file that was looked at.

        Raises RelanceError that says why there is neither.
        """
        item = next((self._items[url] for url in media.urls if url in self._items), None)
        signed = item is not None and any(map(self._runtime.sources[item.source].identity.is_signed, media.urls))
        note = ""
        if item is not None and signed:
            try:
                newest = await asyncio.to_thread(self._newest, item, media.urls)
            except RelanceError as error:
                note = f"{shown(item.parent or item.uri)} could not be read again ({error}), and "
            else:
                if newest != media.urls:
                    return replace(media, urls=newest)
                note = f"{shown(item.parent or item.uri)} has no newer address of it, and "
        try:
            return await self._runtime.loader.instead(media)
        except RelanceError as error:
            if not note:
                raise
            raise InputError(f"{note}{error}") from error

    def _newest(self, item: Item, urls: tuple[str, ...]) -> tuple[str, ...]:
        """Read the table or page of an item again; returns today's addresses of the same pictures."""
        source = self._runtime.sources[item.source]
        fresh = {
            source.identity(url): url for each in source.fresh([item]) for url in (each.row or {"urls": ()})["urls"]
        }
        return tuple(fresh.get(source.identity(url), url) for url in urls)
