"""Fingerprints: everything but its content that decides what becomes of an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from relance.config import IndexSpec, fingerprint
from relance.documents import Item
from relance.store.manifest import marker

if TYPE_CHECKING:
    from relance.pipeline.text_reader import Reader

__all__ = ["Fingerprints", "StoredFingerprints"]


class Fingerprints:
    """Fingerprints of the items of one part; there are few different ones, and each is made once."""

    def __init__(self, spec: IndexSpec, sources: Sequence[Reader], *, tokenizer: str, space: str, split: bool,
                 spared: frozenset[str] = frozenset()) -> None:  # fmt: skip
        """Look at what decides: `split` is whether documents are split, `space` the vector space.

        `spared`: other fingerprints with which documents are left as they are while their content is the same.
        """
        self.spared = spared
        self._sources, self._space = sources, space
        self._rules: tuple[Any, ...] = ()
        if split:
            from relance.chunkers import chunker_version

            self._rules = chunker_version(spec.chunking, spec.plugins), spec.chunking, tokenizer
        self._known: dict[tuple[int, str, bool, bool], str] = {}

    def of(self, item: Item) -> str:
        """Return the fingerprint of an item."""
        return self.named(item.source, item.media_type, collection=item.collection, row=item.parent is not None)

    def named(self, source: int, media_type: str, *, collection: bool = False, row: bool) -> str:
        """Return the fingerprint of items of one kind from one source."""
        key = source, media_type, collection, row
        known = self._known.get(key)
        if known is None:
            parser = self._sources[source].parser_version(media_type)
            known = self._known[key] = fingerprint(parser, *self._rules, self._space)
        return known

    def allow(self, mark: str, versions: dict[str, Any]) -> bool:
        """Tell whether a document with this fingerprint can stay, whose `versions` are what the rules say now."""
        return mark == versions["fingerprint"] or mark in self.spared

    def versions(self, item: Item, memory: str | None = None, *, of: str = "") -> dict[str, Any]:
        """Return the manifest's columns that say in which version an item was read, by which rules.

        `memory`: what the next run wants to know of it beside its version, instead of the item's own; `of`: a
        fingerprint that it has instead.
        """
        mark = of or self.of(item)
        memory = memory if memory is not None else item.memory or None
        version = item.version if memory is None else f"{item.version}|{memory}"
        return {"version": version, "fingerprint": mark, "marker": marker(item.version, mark)}


class StoredFingerprints(Fingerprints):
    """Fingerprints of documents that are taken over: those they would have under another model."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        self.spared = frozenset[str]()
        self._marks = marks

    def of(self, item: Item) -> str:
        """Return the new fingerprint of a stored document, whose media type is the one it has."""
        return self._marks.get(item.media_type, "")
