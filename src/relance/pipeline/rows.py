"""Rows of collections: discovery has read them already, so they become documents column by column."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import digests, document_id
from relance.pipeline.tables import DOCUMENTS, READ, filled
from relance.store.failures import Failure

if TYPE_CHECKING:
    from relance.pipeline.fingerprints import Fingerprints
    from relance.pipeline.text_reader import TextReader

__all__ = ["load_rows", "permitted"]

# What of a row's metadata has to be decoded: letters that were escaped, and names that stand before them, too.
_DECODED = r'\\u|"path"|"media_type"'


def load_rows(items: pa.Table, manifest: pa.Table, fingerprints: Fingerprints, *, full: bool,
              hashes: pa.ChunkedArray | None = None) -> tuple[pa.Table, ...]:  # fmt: skip
    """Make documents of rows that have a text: those to be split (`READ`), and those that did not really change.

    A row costs 4 µs this way; an Item, its JSON and a Document for each took 25. `hashes` are of the rows' content,
    where their version is not.
    """
    hashes = items["version"] if hashes is None else hashes
    rows = items.num_rows
    marks = _per_pair(items, "source", "media_type", lambda source, media_type: fingerprints.named(
        source, media_type, row=True))  # fmt: skip
    parents = items["parent"].combine_chunks().dictionary_encode()
    ids = pa.array([document_id(uri) for uri in parents.dictionary.to_pylist()], pa.string())
    versions = {
        "version": items["version"],
        "fingerprint": marks,
        "marker": _markers(items, marks),
    }
    places = pc.index_in(items["doc_id"], manifest["doc_id"])
    known = manifest.take(places)
    allowed = pc.or_(
        pc.equal(known["fingerprint"], marks),
        pc.is_in(known["fingerprint"], _listed(fingerprints.spared)),
    )
    same = pc.and_(pc.equal(known["content_hash"], hashes), allowed).fill_null(False)
    if full:
        same = pa.chunked_array([pa.repeat(False, rows)])
    kept = versions if not fingerprints.spared else versions | _spared(items, known, marks, fingerprints.spared)
    touched = pa.table([kept.get(name, known[name]) for name in DOCUMENTS.names], schema=DOCUMENTS).filter(same)
    columns = {
        **versions,
        "doc_id": items["doc_id"],
        "uri": items["uri"],
        "parent": ids.take(parents.indices),
        "collection": pa.repeat(False, rows),
        "content_hash": hashes,
        "title": items["title"],
        "chunks": pa.repeat(pa.scalar(0, pa.int32()), rows),
        "tokens": pa.repeat(pa.scalar(0, pa.int64()), rows),
        "media_type": items["media_type"],
        "text": items["text"].cast(pa.large_string()),
        "syntax": pa.repeat("row", rows),
        "metadata": _metadata(items),
    }
    return filled(columns, READ, rows).filter(pc.invert(same)), touched


def permitted(read: pa.Table, items: pa.Table, readers: Sequence[TextReader]) -> tuple[pa.Table, tuple[Failure, ...]]:
    """Take out of the metadata who may see a row; returns with the rows warnings of those that do not say it.

    Of sources whose documents are for everybody nothing is decoded.
    """
    permits = {source: readers[source].permits for source in items["source"].unique().to_pylist()}
    if all(each.access is None for each in permits.values()):
        return read, ()
    sources = items["source"].take(pc.index_in(read["doc_id"], items["doc_id"])).to_pylist()
    access: list[Sequence[str] | None] = []
    written: list[str] = []
    failed = []
    for uri, source, text in zip(read["uri"].to_pylist(), sources, read["metadata"].to_pylist(), strict=True):
        if permits[source].access is None:
            access.append(None)
            written.append(text)
            continue
        metadata = json.loads(text)
        allowed, problem = permits[source].take(metadata)
        access.append(allowed)
        written.append(_dumps(metadata))
        if problem:
            failed.append(Failure(uri, problem, "load", indexed=True))
    for name, values in (("metadata", written), ("access", access)):
        at = READ.get_field_index(name)
        read = read.set_column(at, READ.field(at), pa.array(values, READ.field(at).type))
    return read, tuple(failed)


def _spared(items: pa.Table, known: pa.Table, marks: pa.Array, spared: frozenset[str]) -> dict[str, pa.Array]:
    """Give rows that are left as they are the fingerprint they have."""
    stays = pc.is_in(known["fingerprint"], _listed(spared))
    kept = pc.if_else(stays, known["fingerprint"], marks).combine_chunks()
    return {"fingerprint": kept, "marker": _markers(items, kept)}


def _markers(items: pa.Table, marks: pa.Array) -> pa.Array:
    return pa.array(np.frombuffer(digests("marker", items["version"].to_pylist(), marks.to_pylist(), size=8), "<i8"))


def _listed(spared: frozenset[str]) -> pa.Array:
    return pa.array(sorted(spared), pa.string())


def _metadata(items: pa.Table) -> pa.Array:
    """Write where each row is before what its parser said of it, as JSON."""
    where = _per_pair(items, "parent", "media_type", lambda parent, media_type: _dumps(
        {"path": parent, "media_type": media_type}))  # fmt: skip
    own = items["metadata"].combine_chunks()
    joined = pc.binary_join_element_wise(pc.utf8_slice_codeunits(where, 0, -1), pc.utf8_slice_codeunits(own, 1), ", ")
    made = pc.if_else(pc.equal(own, "{}"), where, joined)
    at = pc.match_substring_regex(own, _DECODED)
    if at.true_count:
        pairs = zip(where.filter(at).to_pylist(), own.filter(at).to_pylist(), strict=True)
        decoded = [_dumps(json.loads(before) | json.loads(after)) for before, after in pairs]
        made = pc.replace_with_mask(made, at, pa.array(decoded, pa.string()))
    return made


def _per_pair(items: pa.Table, first: str, second: str, make: Callable[..., str]) -> pa.Array:
    """Return a text for each row, made once for each pair of values."""
    one, two = items[first].combine_chunks().dictionary_encode(), items[second].combine_chunks().dictionary_encode()
    size = max(1, len(two.dictionary))
    pairs, places = np.unique(one.indices.to_numpy() * size + two.indices.to_numpy(), return_inverse=True)
    made = [make(one.dictionary[int(pair) // size].as_py(), two.dictionary[int(pair) % size].as_py()) for pair in pairs]
    return pa.array(made, pa.string()).take(pa.array(places))


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
