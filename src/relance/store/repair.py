"""What is not as it should be in the tables of an index: finding it, and letting the next documents written mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance.documents import digest
from relance.store import Store, schemas
from relance.store.columns import begin_anew, fit_columns, lacking
from relance.store.faults import store_errors
from relance.store.ids import decode
from relance.store.index_tables import IndexTables, part_name
from relance.store.key_set import column_prefixes
from relance.store.mending import mend, torn_indexes
from relance.store.runs import Runs

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TORN", "all_documents", "find_torn", "mark_torn", "mend_serving", "repair", "served_table"]

TORN = -1  # chunks that a document is said to have until it is written anew
_PART = 10_000
_LOGGED = 1000  # runs that are looked at to see which table served last


def repair(store: Store, tables: IndexTables) -> list[str]:
    """Make the tables of an index fit together again; returns what was found and done, as sentences.

    Tables that cannot be read go back to a version that can, or begin anew (`mend`); search indexes that cannot be used
    are dropped. Documents that are not whole (`find_torn`) look changed from then on: the run that follows writes them
    again, with the vectors of the embedding cache, or removes them.
    Costs a scan of ids; `IndexTables.is_sealed` tells when none is needed.
    """
    if notes := _make_readable(store, tables):
        tables.forget_found()
    notes += [*_drop_hurt_indexes(tables), *_complete(store, tables)]
    tables.chunks.sweep()  # a version in the middle of a run has tombstones
    torn = find_torn(tables)
    if torn.num_rows:
        mark_torn(tables, torn)
        reasons = torn.group_by("reason").aggregate([("doc_id", "count")]).to_pylist()
        counts = ", ".join(f"{each['doc_id_count']:,} {each['reason']}" for each in reasons)
        what = "document is" if torn.num_rows == 1 else "documents are"
        notes.append(f"{tables.name}: {torn.num_rows:,} {what} not whole ({counts}); this run mends that")
    return notes


def mend_serving(store: Store, index: str, *, media: bool = False) -> list[str]:
    """Let what serves the texts of an index, or its media, be found and be readable; returns what was done.

    For before a run chooses which tables it writes: that depends on what serves.
    """
    if not store.exists:
        return []
    notes = []
    if (serving := IndexTables.serving(store, index, media=media)) is None:
        name = served_table(store, part_name(index, media=media))
        if name is None:
            return []
        serving = IndexTables(store, part_name(index, media=media), name)
        serving.serve()
        notes.append(f"the catalog did not say which table serves index {serving.index!r}; it is {name} again")
    return notes if serving.is_sealed else notes + _make_readable(store, serving)


def served_table(store: Store, part: str) -> str | None:
    """Name the table that served a part of an index last, where the catalog has lost it; None if that is not known.

    It is the table of the latest run in the log of runs that left its table to readers, or a rollback to it; where the
    log is lost, too, the only table that there is of this part.
    """
    runs = Runs(store, part).latest(_LOGGED)
    left = [run["table"] for run in runs if run["report"].get("served") or run["status"] == "rolled back"]
    index, _, media = part.partition("/")
    own = re.compile(rf"{re.escape(index)}__{'media__' if media else ''}(2__)?[0-9a-f]{{8}}")
    there = [name for name in store.tables() if own.fullmatch(name)]
    if left and left[0] in there:
        return left[0]
    return there[0] if len(there) == 1 else None


def find_torn(tables: IndexTables) -> pa.Table:
    """Find documents that are not whole; columns `doc_id`, `uri` and `reason`, those apart that are known to be.

    A document is whole when its chunks and its manifest row name the same run and the same number of chunks, no chunk
    is there twice, and no manifest row. Ids are folded into eight bytes: a million documents take 57 MB and
    2.9 CPU-s, in Python dicts they took 376 MB.
    """
    import pyarrow as pa

    columns = pa.schema([("doc_id", pa.string()), ("uri", pa.string())])
    found: list[pa.Table] = []

    def note(batch: pa.RecordBatch, odd: NDArray[np.bool_], reason: str) -> None:
        if odd.any():
            rows = pa.table(batch.select(columns.names).filter(pa.array(odd))).cast(columns)
            found.append(rows.append_column("reason", pa.array([reason] * rows.num_rows, pa.string())))

    known = [np.zeros(0, np.uint64)]
    held, counts, twice = _count(tables)
    whole = np.zeros(len(held), bool)
    doubled = _twice(decode(batch["doc_id"])[:, 0] for batch in tables.manifest.stream(["doc_id"]))
    for batch in tables.manifest.stream(["doc_id", "uri", "run_id", "chunks", "collection"]):
        chunks = batch["chunks"].fill_null(0).to_numpy(zero_copy_only=False)
        ids, keys = decode(batch["doc_id"])[:, 0], _keys(batch)
        places, there = _find(held, keys)
        same = there & (counts[places] == chunks) if len(held) else there
        whole[places[same]] = True
        known.append(ids[chunks == TORN])
        note(batch, _find(doubled, ids)[1], "twice in the manifest")
        # A document without text has no chunks, and nothing of it can be torn.
        odd = ~same & ~batch["collection"].fill_null(False).to_numpy(zero_copy_only=False) & (chunks > 0)
        note(batch, odd, "with other chunks than the manifest says")
    if not whole.all() or len(twice):
        left, blank = held[~whole], np.sort(np.concatenate(known))
        for batch in tables.chunks.stream(["id", "doc_id", "uri", "run_id"], "active"):
            unknown = ~_find(blank, decode(batch["doc_id"])[:, 0])[1]
            note(batch, _find(left, _keys(batch))[1] & unknown, "with chunks that the manifest does not know")
            note(batch, _find(twice, column_prefixes(batch["id"]))[1] & unknown, "with a chunk twice")
    nothing = columns.append(pa.field("reason", pa.string())).empty_table()
    each = pa.concat_tables([nothing, *found]).group_by("doc_id", use_threads=False)
    return each.aggregate([("uri", "min"), ("reason", "first")]).rename_columns(nothing.column_names)


def _make_readable(store: Store, tables: IndexTables) -> list[str]:
    """Mend the tables' files; manifests and failures that lack columns begin anew."""
    mended = [mend(store, part.name, ["doc_id"]) for part in tables.parts]
    notes = [each.sentence if each else None for each in mended]
    tables.reopen()
    notes.append(fit_columns(store, tables.manifest.name, schemas.DOCUMENTS))
    notes.append(fit_columns(store, tables.failures.name, schemas.FAILURES, optional=schemas.ADDED_LATER))
    tables.reopen()
    return [note for note in notes if note]


def _drop_hurt_indexes(tables: IndexTables) -> list[str]:
    """Drop search indexes that cannot be used; the run makes them again where they pay."""
    notes = []
    for part in (tables.chunks, tables.manifest):
        if (table := part.table) is None:
            continue
        for name, cause in torn_indexes(table).items():
            with store_errors(f"dropping index {name} of {part.name}"):
                table.drop_index(name)
            notes.append(f"search index {name} of {part.name} could not be used ({cause}); it is made anew")
    return notes


def _complete(store: Store, tables: IndexTables) -> list[str]:
    """Give the chunks the columns that somebody dropped; where one had values, all documents are written again."""
    chunks = tables.chunks
    if chunks.table is None:
        return []
    schema = chunks.schema
    missing = lacking(chunks.table, schema)
    if any(not schema.field(name).nullable for name in missing):
        note = begin_anew(store, chunks.name, missing)
        tables.reopen()
        return [note]
    if not missing:
        return [note] if (note := fit_columns(store, chunks.name, schema)) else []
    if lost := lacking(chunks.table, schema, schemas.ADDED_LATER):
        mark_torn(tables, all_documents(tables))  # first: whatever becomes of this run, the next one writes them
        chunks.create()
        return [f"{chunks.name} lacked {', '.join(lost)}; all documents are written again, from the embedding cache"]
    return [f"{chunks.name} lacks {', '.join(missing)}: documents get them as they change, or now with --full"]


def all_documents(tables: IndexTables) -> pa.Table:
    """List the documents of the manifest; columns `doc_id` and `uri`."""
    import pyarrow as pa

    columns = pa.schema([("doc_id", pa.string()), ("uri", pa.string())])
    batches = tables.manifest.stream(columns.names, "collection = false")
    return pa.concat_tables(
        [columns.empty_table(), *(pa.table(batch.select(columns.names)).cast(columns) for batch in batches)]
    )


def mark_torn(tables: IndexTables, torn: pa.Table) -> None:
    """Let documents look changed and held: with a manifest row each that no version matches."""
    import pyarrow as pa

    manifest = tables.manifest
    collections = {row["uri"]: row["doc_id"] for row in manifest.all(["uri", "doc_id", "collection"])
                   if row["collection"]}  # fmt: skip
    blank = {"collection": False, "version": "", "content_hash": "", "fingerprint": "", "marker": 0, "title": "",
             "chunks": TORN, "tokens": 0, "run_id": None, "updated_at": datetime.now(UTC)}  # fmt: skip
    for part in torn.to_batches(_PART):
        rows = manifest.rows(part["doc_id"].to_pylist())
        for doc in part.to_pylist():
            known = rows.get(doc["doc_id"]) or {**doc, "parent": _parent(doc["uri"], collections)}
            rows[doc["doc_id"]] = known | blank
        # Not merged: that would leave what is there twice. A kill in between leaves chunks that the manifest does not
        # know, which the next run finds.
        manifest.delete(list(rows))
        manifest.append(pa.Table.from_pylist(list(rows.values()), schema=schemas.DOCUMENTS))
    manifest.forget_markers(list(collections.values()))


def _count(tables: IndexTables) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.uint64]]:
    """Count the chunks of each document and run; their keys, sorted, the counts, and ids of chunks there are twice."""
    keys, counts, ids = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)], []
    for batch in tables.chunks.stream(["id", "doc_id", "run_id"], "active"):
        if not batch.num_rows:
            continue
        ids.append(column_prefixes(batch["id"]))
        each = _keys(batch)
        starts = np.flatnonzero(np.diff(each, prepend=~each[:1]))  # chunks of one document lie together
        keys.append(each[starts])
        counts.append(np.diff(starts, append=len(each)).astype(np.int32))
    found, number = np.concatenate(keys), np.concatenate(counts)
    order = np.argsort(found)
    found, number = found[order], number[order]
    starts = np.flatnonzero(np.diff(found, prepend=~found[:1]))
    number = np.add.reduceat(number, starts, dtype=np.int32) if len(starts) else number
    return found[starts], number, _twice(ids)


def _twice(parts: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Find the numbers that are there more than once, sorted."""
    each = np.sort(np.concatenate([np.zeros(0, np.uint64), *parts]))
    return np.unique(each[1:][each[1:] == each[:-1]])


def _parent(uri: str, collections: dict[str, str]) -> str | None:
    """Find the collection that a row `path#id` came from."""
    heads = (uri[:at] for at, letter in enumerate(uri) if letter == "#")
    return next((collections[head] for head in heads if head in collections), None)


def _keys(batch: pa.RecordBatch) -> NDArray[np.uint64]:
    """Fold document and run into eight bytes."""
    runs = batch["run_id"].dictionary_encode()
    numbers = np.array([int(digest("run", run or "", size=8), 16) for run in runs.dictionary.to_pylist()] + [0],
                       np.uint64)  # fmt: skip
    places = runs.indices.fill_null(len(numbers) - 1).to_numpy(zero_copy_only=False)
    return decode(batch["doc_id"])[:, 0] ^ numbers[places]


def _find(sorted_: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find numbers; their places, and whether they are there."""
    if not len(sorted_):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(sorted_, wanted), len(sorted_) - 1)
    return places, sorted_[places] == wanted
