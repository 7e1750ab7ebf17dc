"""What a run over one part of an index writes: which tables, by which model, and what it leaves as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.config import IndexSpec
from relance.embedding.providers import open_provider
from relance.pipeline.copyable import Stored, distinct_marks, is_up_to_date
from relance.pipeline.parts import MEDIA, STORED, TEXT, Part
from relance.pipeline.sections import made_with, section
from relance.pipeline.text_reader import open_text_reader
from relance.store.beside import Beside
from relance.store.index_tables import IndexTables, made_by, space_of

if TYPE_CHECKING:
    from relance.store import Store

__all__ = ["Target", "Targets", "beside_targets", "serving_targets"]


@dataclass(slots=True, frozen=True)
class Target:
    """One part of an index, and the tables that a run writes.

    Attributes:
        spec: the declaration, with the section of the model that makes these tables.
        made: that section as the tables say it, JSON, where the declaration names another model; else empty.
        spared: fingerprints of documents that are left as they are though the spec would split them otherwise now.
        beside: whether readers use other tables until somebody switches.
        note: what a report says of it.
    """

    part: Part
    spec: IndexSpec
    tables: IndexTables
    made: str = ""
    spared: frozenset[str] = frozenset()
    beside: bool = False
    note: str = ""


Targets = Callable[[IndexSpec, "Store"], list[Target]]


def serving_targets(spec: IndexSpec, store: Store) -> list[Target]:
    """Choose what an ingest writes: the tables of the spec's model, which serve from its end on.

    Behind a gate (`gate`, or tables that are built beside or held back) it keeps the serving ones in sync instead, by
    the model that made them, and leaves unchanged documents as they are split.
    """
    return [_serving(spec, store, part) for part in ((TEXT, MEDIA) if spec.media is not None else (TEXT,))]


def _serving(spec: IndexSpec, store: Store, part: Part) -> Target:
    info = open_provider(section(spec, media=part.media), spec.plugins).info
    serving = IndexTables.serving(store, spec.name, media=part.media)
    there = serving.name if serving is not None else ""
    declared = Target(part, spec, IndexTables.for_model(store, spec, info, media=part.media, serving=there))
    if serving is None or serving.chunks.table is None:
        return declared
    new = IndexTables.beside(store, spec, info, media=part.media, serving=there)
    beside = Beside.of(store, declared.tables.index)
    waiting = beside is not None and beside.waits and beside.table == new.name
    if spec.gate is None and not waiting:
        return declared
    note = beside.told(spec) if beside is not None and waiting else ""
    if serving.space == space_of(info):
        spared = frozenset[str]() if part.media else distinct_marks(serving)
        return Target(part, spec, declared.tables, spared=spared, note=note)
    made = json.dumps(made_by(serving.chunks.table))
    kept = made_with(spec, made, media=part.media)
    info = open_provider(section(kept, media=part.media), spec.plugins).info
    tables = IndexTables.for_model(store, kept, info, media=part.media, serving=there)
    return Target(part, kept, tables, made, frozenset() if part.media else distinct_marks(serving), note=note)


def beside_targets(spec: IndexSpec, store: Store) -> list[Target]:
    """Choose what has to be built beside the serving tables: parts with another model, or that are split otherwise.

    Where only the model has changed, the stored chunks are the source.
    """
    found = []
    for part in (TEXT, MEDIA) if spec.media is not None else (TEXT,):
        serving = IndexTables.serving(store, spec.name, media=part.media)
        if serving is None:
            continue
        provider = open_provider(section(spec, media=part.media), spec.plugins)
        tables = IndexTables.beside(store, spec, provider.info, media=part.media, serving=serving.name)
        same = serving.space == space_of(provider.info)
        if part.media:
            if not same:
                found.append(Target(part, spec, tables, beside=True))
            continue
        readers = [open_text_reader(spec, position) for position in range(len(spec.sources))]
        if same and is_up_to_date(spec, serving, provider.info, readers):
            continue
        stored = None if same else Stored.of(spec, store, provider, readers)
        found.append(Target(part if stored is None else STORED, spec, tables, beside=True))
    return found
