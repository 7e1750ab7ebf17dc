"""The parts of an index: its texts, and its media. Each has its own stages, on the same coordinator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from relance.pipeline import media, texts
from relance.pipeline.discovery import BATCH_BYTES

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch
    from relance.pipeline.runtime import Runtime
    from relance.store.manifest import Manifest


class Load(Protocol):
    """Reads the items of a batch; with `guess` as far as that can be done without asking for addresses."""

    def __call__(self, runtime: Runtime, batch: Batch, *, guess: bool) -> Batch: ...


Memory = tuple[str, str, str]

__all__ = ["MEDIA", "PARTS", "TEXT", "Part"]


@dataclass(slots=True, frozen=True)
class Part:
    """What texts and media differ in.

    Attributes:
        load: reads the items of a batch, and keeps as documents what really changed.
        chunk: makes the rows of the table, each with the key of its vector.
        inputs: gives what is embedded for rows of the table.
        memories: streams what the manifest remembers of documents, for sources to recall.
        batch_items: most items of a batch, if that is less than `limits.batch_documents`.
        batch_bytes: most bytes of a batch.
    """

    name: str
    load: Load
    chunk: Callable[[Runtime, Batch], Batch]
    inputs: Callable[[Any], list[Any]]
    memories: Callable[[Manifest], list[Memory]]
    batch_items: int
    batch_bytes: int


MANY = 1 << 30
TEXT = Part("text", texts.load, texts.chunk, texts.inputs, lambda _: [], MANY, BATCH_BYTES)
# The pictures of a batch are in memory at once.
MEDIA = Part("media", media.load, media.chunk, media.inputs, media.memories, 64, 16 << 20)
PARTS = {part.name: part for part in (TEXT, MEDIA)}
