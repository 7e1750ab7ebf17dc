"""Sparse vectors, and how they are searched.

LanceDB stores them as a struct of two lists and has neither a type nor an index for them, so a search streams the
column and scores every row exactly: always complete, always current, nothing to build and nothing to maintain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relance.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sparse", "from_arrow", "search_sparse", "sparse_type", "to_arrow"]

_MAX_INDEX = np.iinfo(np.int32).max
# 6 MB of a hundred non-zeros a row. LanceDB's own 1,024 take twice as long, for each batch has to cross into Python.
_BATCH_ROWS = 8192


@dataclass(slots=True, frozen=True, eq=False)
class Sparse:
    """A vector most of whose components are zero; `Sparse.of` makes one from any pairs.

    Attributes:
        indices: int32, shape (non-zeros,), ascending, each once: places in the model's vocabulary.
        values: float32, shape (non-zeros,), finite and not zero.
    """

    indices: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, indices: ArrayLike, values: ArrayLike) -> Sparse:
        """Sort pairs by index, add up the values of an index named twice, and leave out zeros.

        Raises InputError unless indices are whole numbers from 0 to 2³¹ - 1 and values are finite, as many of each.
        """
        try:
            keys, weights = np.asarray(indices), np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError("A sparse vector needs a list of indices and a list of numbers.") from error
        if keys.ndim != 1 or keys.shape != weights.shape:
            msg = f"A sparse vector needs as many values as indices; their shapes are {weights.shape} and {keys.shape}."
            raise InputError(msg)
        if keys.size and not (keys.dtype.kind in "iu" and keys.min() >= 0 and keys.max() <= _MAX_INDEX):
            raise InputError(f"The indices of a sparse vector are whole numbers from 0 to {_MAX_INDEX:,}.")
        unique, places = np.unique(keys, return_inverse=True)
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused below
            totals = np.bincount(places, weights, minlength=len(unique)).astype(np.float32)
        if not np.isfinite(totals).all():
            raise InputError("A sparse vector has a value that is not a finite float32 number.")
        return cls(unique[totals != 0].astype(np.int32), totals[totals != 0])

    def dot(self, other: Sparse) -> float:
        """Compute the inner product in float64."""
        _, mine, theirs = np.intersect1d(self.indices, other.indices, assume_unique=True, return_indices=True)
        return float(self.values[mine].astype(np.float64) @ other.values[theirs].astype(np.float64))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sparse):
            return NotImplemented
        return np.array_equal(self.indices, other.indices) and np.array_equal(self.values, other.values)

    __hash__ = None  # its arrays can be written to


def sparse_type() -> pa.DataType:
    """Return the Arrow type of a column of sparse vectors: `struct<indices: list<int32>, values: list<float32>>`."""
    import pyarrow as pa

    return pa.struct([pa.field("indices", pa.list_(pa.int32())), pa.field("values", pa.list_(pa.float32()))])


def to_arrow(vectors: Sequence[Sparse | None]) -> pa.StructArray:
    """Return a column of `sparse_type`; None becomes NULL."""
    import pyarrow as pa

    present = [vector for vector in vectors if vector is not None]
    lengths = [0 if vector is None else len(vector.indices) for vector in vectors]
    offsets = pa.array(np.cumsum([0, *lengths]), pa.int32())
    # The empty array in front gives the type where there is no vector at all.
    indices = np.concatenate([np.zeros(0, np.int32), *(vector.indices for vector in present)])
    values = np.concatenate([np.zeros(0, np.float32), *(vector.values for vector in present)])
    lists = [pa.ListArray.from_arrays(offsets, flat) for flat in (indices, values)]
    missing = pa.array([vector is None for vector in vectors], pa.bool_())
    return pa.StructArray.from_arrays(lists, fields=list(sparse_type()), mask=missing)


def from_arrow(column: pa.StructArray) -> list[Sparse | None]:
    """Return the vectors of a column, which share the memory of one without NULL; NULL becomes None."""
    offsets, indices, values = _flat(column.drop_null() if column.null_count else column)
    spans = iter(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
    vectors = (Sparse(indices[start:end], values[start:end]) for start, end in spans)
    return [next(vectors) if there else None for there in column.is_valid().to_pylist()]


def search_sparse(
    table: Any, query: Sparse, *, k: int, where: str | None = None, column: str = "sparse"
) -> list[tuple[str, float]]:
    """Return the `k` rows with the largest inner products, as (id, product): best first, equals by id.

    Rows without a common term are no hits, whatever `k`. Exact, and the same with or without indexes on the table;
    time grows with the rows (3 µs each), memory only with `k`.

    Measured with benchmarks/sparse.py on two cores, 60-120 non-zeros a row, 592 bytes a row on disk: 6 ms for 1,000
    rows, 28 ms for 10,000, 0.3 s and 160 MB for 100,000 (a half to a quarter of what comparing dense vectors of 1,024
    with every row takes); about 3.5 s and 173 MB for a million, on a busy machine. What could prune:

    - An index over lists of terms (LABEL_LIST): 1.2-1.5 times the time. Most rows share some common term with most
      questions, so that there is nothing to prune. It takes 493 bytes a row more.
    - A full-text index over the terms as words, its best 1,000 scored exactly: 0.24 times the time at 100,000 rows,
      0.05 at a million. But it loses up to one of the ten best (recall 0.995 on average), needs the terms once more as
      text (602 bytes a row with the index), and an index to build and to keep current.

    Neither is worth it up to some 100,000 rows. Beyond, the second would be what to add, by choice, for it may miss.

    Args:
        table: a LanceDB table with columns `id` and `column`, the latter of `sparse_type`; cells may be NULL.
        query: made by the model that made the column.
        k: at most so many hits.
        where: SQL condition that decides which rows take part; LanceDB's own error comes through if it is wrong.
        column: where the vectors are.
    """
    if column not in table.schema.names:
        msg = f"{table.name} has no sparse vectors (no column `{column}`); build the index with a model that makes them"
        raise ConfigurationError(msg)
    if k < 1 or not query.indices.size:
        return []
    # Whatever the condition, with one LanceDB reads on all cores; without, a third more slowly.
    rows = table.search().where(where or "true").select(["id", column]).limit(None)
    found: list[tuple[str, float]] = []
    floor = -math.inf
    for batch in rows.to_batches(_BATCH_ROWS):
        there = batch.filter(batch.column(column).is_valid()) if batch.column(column).null_count else batch
        hits, scores = _score(there.column(column), query)
        kept = scores >= (max(floor, np.partition(scores, -k)[-k]) if len(scores) > k else floor)
        found += zip(there.column("id").take(hits[kept]).to_pylist(), scores[kept].tolist(), strict=True)
        if len(found) >= 2 * k:  # not after every batch: sorting a hundred thousand takes longer than reading one
            found = _ranked(found)[:k]
            floor = found[-1][1]
    return _ranked(found)[:k]


def _ranked(hits: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def _flat(column: pa.StructArray) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Return where the vectors of a column without NULL begin and end, and all their indices and values; no copies."""
    if not len(column):
        return np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32)
    offsets, flat = [], []
    for lists in (column.field("indices"), column.field("values")):
        bounds = lists.offsets.to_numpy()
        offsets.append(bounds - bounds[0])
        flat.append(lists.values.to_numpy()[bounds[0] : bounds[-1]])  # a slice of a column keeps the whole of it
    return offsets[0], flat[0], flat[1]


def _score(column: pa.StructArray, query: Sparse) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which rows of a column without NULL have a term of the query, and their inner products with it."""
    offsets, indices, values = _flat(column)
    # Nearly all terms are not of the query. A table of their low 16 bits, small enough for the cache, finds that out
    # four times faster than a search in the query does, and however large an index may be.
    wanted = np.zeros(1 << 16, dtype=bool)
    wanted[query.indices.astype(np.uint16)] = True
    at = np.flatnonzero(wanted.take(indices.astype(np.uint16)))
    places = np.searchsorted(query.indices, indices[at])
    places[places == len(query.indices)] = 0
    same = query.indices[places] == indices[at]
    at, places = at[same], places[same]
    rows = np.searchsorted(offsets, at, side="right") - 1
    scores = np.bincount(rows, query.values[places].astype(np.float64) * values[at], minlength=len(column))
    hits = rows[np.diff(rows, prepend=-1) > 0]
    return hits, scores[hits]
