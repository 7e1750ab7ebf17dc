"""What of a batch's pictures the service is sent, and what in place of an address that it could not fetch."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from relance.documents import Item, Media
from relance.errors import DocumentError, InputError, RelanceError
from relance.fetch.urls import shown
from relance.media.spill import forget
from relance.pipeline.media_look import Looks
from relance.pipeline.tables import media_of

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.media.request import MediaInfo
    from relance.pipeline.runtime import Runtime

__all__ = ["MediaInputs"]


class MediaInputs:
    """The pictures of some rows as they are sent, and the items they are of, so that they can be read again.

    Attributes:
        inputs: a picture for each row; those that are not bought may have no content.
        failures: why a picture that is to be bought cannot be had, by its key.
    """

    def __init__(self, runtime: Runtime, chunks: pa.Table, items: Sequence[Item], bought: frozenset[str]) -> None:
        """Make ready what is to be bought, by key."""
        self.inputs = [media_of(each) for each in chunks["media"].to_pylist()]
        self.failures: dict[str, str] = {}
        self._runtime = runtime
        self._by_uri = {item.uri: item for item in items}
        self._by_place = {place: item for item in items if item.row is not None for place in item.row["urls"]}
        self._uris = chunks["uri"].to_pylist()
        at: defaultdict[str, list[int]] = defaultdict(list)
        for position, key in enumerate(chunks["key"].to_pylist()):
            if key in bought:
                at[key].append(position)
        if not at:
            return
        self._share(at)
        ready = runtime.loader.prepared([self.inputs[positions[0]] for positions in at.values()])
        for positions, value in zip(at.values(), ready, strict=True):
            self.inputs[positions[0]] = value

    def forget(self) -> None:
        """Remove the files that were sent."""
        forget(path for each in self.inputs for path in each.files)

    def _share(self, at: Mapping[str, list[int]]) -> None:
        """Let rows of one picture have one content; what nobody has is looked at again, since its vector is gone."""
        lacking: dict[str, list[int]] = {}
        for key, positions in at.items():
            there = next((position for position in positions if self.inputs[position].is_there), None)
            if there is None:
                lacking[key] = list(positions)
            else:
                self.inputs[positions[0]] = self.inputs[there]
        while lacking:
            tried = {key: positions.pop(0) for key, positions in lacking.items()}
            for key, made in zip(tried, self._looked_at_again(list(tried.values())), strict=True):
                if isinstance(made, Media):
                    self.inputs[at[key][0]] = made
                    self.failures.pop(key, None)
                    del lacking[key]
                else:
                    self.failures[key] = made
                    if not lacking[key]:
                        del lacking[key]

    def _looked_at_again(self, positions: list[int]) -> list[Media | str]:
        """Fetch and check pictures anew; returns what is sent of each, or why there is nothing."""
        looks = Looks(self._runtime)
        items = [self._by_uri.get(self._uris[position]) for position in positions]
        there = [(position, item) for position, item in zip(positions, items, strict=True) if item is not None]
        requests = [replace(looks.open(item, None).request, caption=None) for _, item in there]
        found = dict(zip([position for position, _ in there], self._runtime.loader.load(requests), strict=True))
        return [self._as_before(self.inputs[position], found.get(position)) for position in positions]

    @staticmethod
    def _as_before(was: Media, found: MediaInfo | RelanceError | None) -> Media | str:
        if isinstance(found, RelanceError):
            return found.reason if isinstance(found, DocumentError) else str(found)
        if found is None or (found.kind, found.content_hash) != (was.kind, was.content_hash):
            return "what is there has changed since it was looked at; the next run takes it"
        return replace(was, urls=found.urls, data=found.data, files=found.files, media_types=found.media_types)

    async def instead(self, media: Media) -> Media:
        """Give a picture by the address that its table or page has by now, else the file that was looked at.

        Raises RelanceError that says why there is neither.
        """
        item = next((self._by_place[url] for url in media.urls if url in self._by_place), None)
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
