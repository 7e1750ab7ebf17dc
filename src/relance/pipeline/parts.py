"""The parts of an index: its texts, and its media. Each has its own stages, on the same coordinator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from relance.pipeline import media, stored, texts
from relance.pipeline.discovery import BATCH_BYTES, Discovery
from relance.pipeline.remembered import recalled

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch
    from relance.pipeline.runtime import Runtime
    from relance.sources import Remembered
    from relance.store.manifest import Manifest


class Load(Protocol):
    """Reads the items of a batch; with `guess` as far as that can be done without asking for addresses."""

    def __call__(self, runtime: Runtime, batch: Batch, *, guess: bool) -> Batch: ...


__all__ = ["MEDIA", "PARTS", "STORED", "TEXT", "Part"]


@dataclass(slots=True, frozen=True)
class Part:
    """What texts and media differ in.

    Attributes:
        load: reads the items of a batch, and keeps as documents what really changed.
        chunk: makes the rows of the table, each with the key of its vector.
        inputs: gives what is embedded for rows of the table.
        discovery: compares what there is with what the index holds.
        memories: streams what the manifest remembers of documents, for sources to recall; None where they need not.
        batch_items: most items of a batch, if that is less than `limits.batch_documents`.
        batch_bytes: most bytes of a batch.
    """

    name: str
    load: Load
    chunk: Callable[[Runtime, Batch], Batch]
    inputs: Callable[[Any], list[Any]]
    memories: Callable[[Manifest], Iterator[Remembered]] | None
    batch_items: int
    batch_bytes: int
    discovery: type[Discovery] = Discovery

    @property
    def media(self) -> bool:
        """Whether it is the images and videos of an index."""
        return self.name == "media"


MANY = 1 << 30
TEXT = Part("text", texts.load, texts.chunk, texts.inputs, recalled, MANY, BATCH_BYTES)
# What is sent of a batch's pictures waits in files, or in memory where workers share no disk. Of 16 MiB, two or three
# photographs, one core was idle for a third of the time, since a batch is loaded after the other.
MEDIA = Part("media", media.load, media.chunk, media.inputs, media.memories, 64, 64 << 20)
# The texts again, with the chunks that the index has already as their source.
STORED = Part("stored", stored.load, stored.chunk, texts.inputs, None, MANY, BATCH_BYTES, stored.StoredDiscovery)
PARTS = {part.name: part for part in (TEXT, MEDIA, STORED)}
