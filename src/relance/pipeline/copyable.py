"""Which stored chunks are what an ingest with the spec's model would make: then no source is read for new vectors.

A document's fingerprint says by which source, parser, splitting and model it was made. If that with the serving model
is what the spec would say of it, only the model has changed. Splitting counts by the model's tokenizer: under another
one a document is split the same for certain only if it is one chunk, and is within the limit by the new count, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.chunkers.context import LONGEST_CONTEXT
from relance.config import IndexSpec
from relance.embedding.providers import ModelInfo, Provider, open_provider
from relance.parsers.media_types import media_type_of
from relance.pipeline.fingerprints import Fingerprints
from relance.store.index_tables import IndexTables, section_of, space_of

if TYPE_CHECKING:
    from relance.pipeline.text_reader import Reader
    from relance.store import Store

__all__ = ["Stored", "distinct_marks", "is_up_to_date"]

# Chunkers whose only use of the tokenizer is the limit: what is within it stays whole.
_BY_LIMIT = frozenset({"auto", "markdown", "text", "code", "whole"})


@dataclass(slots=True, frozen=True)
class Stored:
    """The serving tables of an index as a source of chunks for another model.

    Attributes:
        serving: tables that are read.
        marks: the fingerprint of each document there, and the one it has under the spec's model.
        recount: whether the model counts tokens by another tokenizer.
    """

    serving: IndexTables
    marks: Mapping[str, str]
    recount: bool

    @classmethod
    def of(cls, spec: IndexSpec, store: Store, provider: Provider, readers: Sequence[Reader]) -> Stored | None:
        """Look whether all stored chunks can be taken over; None where a source has to be read."""
        serving = IndexTables.serving(store, spec.name)
        if serving is None or serving.chunks.table is None:
            return None
        old = open_provider(section_of(spec.embedding, serving.chunks.table, spec.plugins), spec.plugins).info
        if space_of(old) != serving.space:
            return None  # what made the table cannot be told any more
        kinds = _kinds(serving, readers)
        before, after = (_marks(spec, readers, info, kinds) for info in (old, provider.info))
        if not distinct_marks(serving) <= {"", *before}:
            return None
        marks = {"": ""} | dict(zip(before, after, strict=True))
        recount = old.tokenizer != provider.info.tokenizer
        if (recount or _limit(spec, old) != _limit(spec, provider.info)) and not _fits(spec, serving, provider):
            return None
        return cls(serving, marks, recount)


def is_up_to_date(spec: IndexSpec, serving: IndexTables, info: ModelInfo, readers: Sequence[Reader]) -> bool:
    """Tell whether every document was parsed and split as the spec and this version would do it."""
    return distinct_marks(serving) <= {"", *_marks(spec, readers, info, _kinds(serving, readers))}


def distinct_marks(tables: IndexTables) -> frozenset[str]:
    """Return the different fingerprints of documents; those that will be read again anyway apart."""
    found: set[str] = set()
    for batch in tables.manifest.stream(["fingerprint"], "marker != 0 AND chunks >= 0"):
        found.update(batch["fingerprint"].unique().to_pylist())
    return frozenset(found)


def _marks(spec: IndexSpec, readers: Sequence[Reader], info: ModelInfo, kinds: Sequence[tuple[int, str]]) -> list[str]:
    made = Fingerprints(spec, readers, tokenizer=info.tokenizer, space=space_of(info), split=True)
    return [made.named(source, media_type, row=False) for source, media_type in kinds]


def _kinds(serving: IndexTables, readers: Sequence[Reader]) -> list[tuple[int, str]]:
    """Pair every source with the media types there are; of documents without chunks their names tell."""
    types: set[str] = set()
    for batch in serving.chunks.stream(["media_type"], "active"):
        types.update(batch["media_type"].unique().to_pylist())
    for batch in serving.manifest.stream(["uri"], "chunks <= 0"):
        types.update(media_type_of(uri) for uri in batch["uri"].to_pylist())
    return list(product(range(len(readers)), sorted(types - {None})))


def _limit(spec: IndexSpec, info: ModelInfo) -> int:
    """Return the model's limit, as far as a chunk with what is put before it can reach it."""
    most = 2 * spec.chunking.max_tokens + LONGEST_CONTEXT
    return min(most, info.max_input_tokens or most)


def _fits(spec: IndexSpec, serving: IndexTables, provider: Provider) -> bool:
    """Tell whether each document is one chunk, and within the limits of another model."""
    if spec.chunking.strategy not in _BY_LIMIT or spec.chunking.context:
        return False
    most = min(spec.chunking.max_tokens, _limit(spec, provider.info))
    for chunks in _texts(serving):
        if pc.any(pc.greater(chunks["seq"], 0)).as_py() or chunks["lead"].null_count < chunks.num_rows:
            return False
        if chunks.num_rows and int(provider.tokenizer.count(chunks["text"].to_pylist()).max()) > most:
            return False
    return True


def _texts(serving: IndexTables) -> Iterator[Any]:
    names = serving.chunks.table.schema.names if serving.chunks.table is not None else []
    for batch in serving.chunks.stream(["text", "seq", *(["lead"] if "lead" in names else [])], "active"):
        table = pa.Table.from_batches([batch])
        yield table if "lead" in names else table.append_column("lead", pa.nulls(table.num_rows, pa.string()))
