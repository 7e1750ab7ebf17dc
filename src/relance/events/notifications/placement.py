"""Where the objects of a bucket or repository are among the documents of an index."""

from __future__ import annotations

from relance.config import IndexSpec
from relance.events.change import Change
from relance.sources import Bucketed, Pushed, open_sources
from relance.sources.notification import Notification, Push

__all__ = ["Placement"]


class Placement:
    """Turns keys into uris: `prefix` is taken off, `root` is put before.

    What does not begin with the prefix concerns another index. A key that leads to no folder of the index's sources
    makes the change `everything`: something did change, and the run finds out what. Where neither is given, the
    sources that read the bucket itself are asked first, and what is in none of their folders is another index's.
    """

    def __init__(
        self, spec: IndexSpec, *, prefix: str = "", root: str = "", buckets: bool = False, exact: bool = False
    ) -> None:
        """Prepare for one index.

        Args:
            spec: the index.
            prefix: what keys begin with, folder by folder.
            root: the folder of the spec's folder where those objects are.
            buckets: keys begin with the name of their bucket, which is no folder where no prefix is given.
            exact: where neither prefix nor root is given, keys are uris already and taken at their word.
        """
        self._index = spec.name
        self._prefix, self._root = _folder(prefix), _folder(root)
        self._bucket = buckets and not self._prefix
        self._exact = exact and not (self._prefix or self._root)
        self._sources = open_sources(spec)
        self._repositories = [source for source in self._sources if isinstance(source, Pushed)]
        self._only_pushed = len(self._repositories) == len(self._sources)
        self._asks = buckets and not (self._prefix or self._root)

    def change(self, told: Notification) -> Change | None:
        """Return the change, None if it concerns no document of this index."""
        if told.push is not None and (pushed := self._pushed(told, told.push)):
            return pushed
        if told.ignored or (told.push is not None and self._only_pushed):
            return None
        there: dict[str, bool] = {}
        everything = told.everything
        for named, is_there in told.objects:
            if not named.startswith(self._prefix):
                continue
            if self._asks and (uris := self._in_buckets(named)) is not None:
                there |= dict.fromkeys(uris, is_there)
                continue
            key = named.partition("/")[2] if self._bucket else named.removeprefix(self._prefix)
            uri = self._root + key
            if self._exact or self._is_uri(uri):
                there[uri] = is_there
            else:
                everything = True
        if not there and not everything:
            return None
        return self._change(told, there, everything=everything)

    def _pushed(self, told: Notification, push: Push) -> Change | None:
        """Return what a push changes in the sources that read its repository and branch; no checkout is needed."""
        there: dict[str, bool] = {}
        everything = False
        objects = [each for each in told.objects if each[0].startswith(self._prefix)]
        for source in self._repositories:
            if source.reads(push.addresses, push.branch, is_default=push.is_default):
                uris = source.pushed(key for key, _ in objects)
                everything |= told.everything or uris is None
                there |= {uris[key]: is_there for key, is_there in objects if uris and key in uris}
        return self._change(told, there, everything=everything) if there or everything else None

    def _change(self, told: Notification, there: dict[str, bool], *, everything: bool) -> Change:
        return Change(
            self._index,
            told.source,
            changed=tuple(uri for uri, is_there in there.items() if is_there),
            removed=tuple(uri for uri, is_there in there.items() if not is_there),
            everything=everything,
        )

    def _in_buckets(self, named: str) -> list[str] | None:
        """Return the uris of an object in the sources that read its bucket; None if none does."""
        bucket, _, key = named.partition("/")
        found = [uri for source in self._sources
                 if isinstance(source, Bucketed) and (uri := source.named(bucket, key)) is not None]  # fmt: skip
        return list(filter(None, found)) if found else None

    def _is_uri(self, uri: str) -> bool:
        return bool(uri) and any(source.location(uri) is not None for source in self._sources)


def _folder(name: str) -> str:
    name = name.strip("/")
    return f"{name}/" if name else ""
