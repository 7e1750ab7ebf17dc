"""The stage that gives the chunks of a batch their vectors: from the embedding cache, or bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relance.embedding.budget import Budget, CostMeter
from relance.errors import RetryableError, StoppedError
from relance.pipeline.counts import Counts
from relance.pipeline.items import items_of
from relance.store.failures import Failure
from relance.store.vector_table import dense_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relance.embedding.embedder import Embedded
    from relance.embedding.job import Instead
    from relance.pipeline.batch import Batch
    from relance.pipeline.grant import Grant
    from relance.pipeline.parts import Part
    from relance.pipeline.runtime import Runtime

__all__ = ["embed", "missing", "tokens_of", "without"]


def embed(runtime: Runtime, part: Part, batch: Batch, grant: Grant) -> Batch:
    """Find or buy vectors; returns the batch with the columns `vector` and `sparse`, NULL for what others buy.

    A document with a refused text becomes a failure as a whole. Raises RetryableError where the service is away, and
    StoppedError where the run was stopped; what was bought by then is in the cache.
    """
    chunks = batch["chunks"]
    keys = chunks["key"].to_pylist()
    there = runtime.cache.contains(keys)
    has = _has_vector(chunks)
    at = np.array([not has[i] and (there[i] or key in grant.keys) for i, key in enumerate(keys)], dtype=bool)
    refused = {i: grant.refused[key] for i, key in enumerate(keys) if key in grant.refused and not at[i]}
    if not (at.any() or refused):
        return batch.becomes(dict(batch.tables), Counts())
    lost: dict[int, str] = {}
    if part.media:
        from relance.pipeline.media_inputs import MediaInputs

        pictures = MediaInputs(runtime, chunks.filter(pa.array(at)), items_of(batch["items"]), grant.keys)
        lost = {i: pictures.failures[key] for i, key in enumerate(keys) if at[i] and key in pictures.failures}
        inputs = [each for each, i in zip(pictures.inputs, np.flatnonzero(at).tolist(), strict=True) if i not in lost]
        at[list(lost)] = False
        result = _obtain(runtime, inputs, chunks.filter(pa.array(at)), grant, instead=pictures.instead)
        pictures.forget()
    else:
        some = chunks.filter(pa.array(at))
        result = _obtain(runtime, part.inputs(some), some, grant)
    places = np.flatnonzero(at)
    refused |= {int(places[i]): reason for i, reason in result.failures.items()}
    tables = dict(batch.tables) | {"chunks": _with_vectors(runtime, chunks, has, places, result)}
    reasons: dict[str, Failure] = {}
    uris, ids = chunks["uri"], chunks["doc_id"]
    for i, reason in sorted((refused | lost).items()):
        reasons.setdefault(ids[i].as_py(), Failure(uris[i].as_py(), reason, "embed", retryable=i in lost))
    counts = {"reused": float(result.reused + result.duplicates)}
    refusals = {keys[i]: reason for i, reason in refused.items()}
    return batch.becomes(without(tables, list(reasons)), Counts(counts, tuple(reasons.values()), refusals))


def missing(batch: Batch) -> list[str]:
    """Name the vectors that a batch still lacks, each once."""
    chunks = batch["chunks"]
    return list(dict.fromkeys(chunks.filter(pa.array(~_has_vector(chunks)))["key"].to_pylist()))


def without(tables: dict[str, pa.Table], doc_ids: list[str]) -> dict[str, pa.Table]:
    """Take documents out of a batch."""
    if not doc_ids:
        return tables
    gone = pa.array(doc_ids, pa.string())
    return tables | {
        name: tables[name].filter(pc.invert(pc.is_in(tables[name]["doc_id"], gone))) for name in ("chunks", "documents")
    }


def _obtain(runtime: Runtime, inputs: list[Any], chunks: pa.Table, grant: Grant, *,
            instead: Instead | None = None) -> Embedded:  # fmt: skip
    elsewhere = runtime.meter is None
    if elsewhere:
        runtime.embedder.share(grant.share)
    refusals = runtime.embedder.refusals
    try:
        return runtime.embedder.call(
            inputs, tokens_of(chunks), keys=chunks["key"].to_pylist(), meter=_meter(runtime, grant), instead=instead
        )  # fmt: skip
    except RetryableError as error:
        if runtime.stopped():
            raise StoppedError(str(error)) from error
        raise
    finally:
        runtime.cache.drain()
        if elsewhere:
            runtime.ledger.add(refusals=runtime.embedder.refusals - refusals)


def _has_vector(chunks: pa.Table) -> NDArray[np.bool_]:
    name = next((name for name in ("vector", "sparse") if name in chunks.column_names), None)
    if name is None:
        return np.zeros(chunks.num_rows, dtype=bool)
    return chunks[name].is_valid().to_numpy()


def tokens_of(chunks: pa.Table) -> NDArray[np.int64]:
    """Return the tokens of what is embedded for each chunk, shape (chunks,)."""
    return pc.coalesce(chunks["input_tokens"], chunks["tokens"].cast(pa.int64())).to_numpy()


def _meter(runtime: Runtime, grant: Grant) -> CostMeter | None:
    if runtime.meter is not None:
        return runtime.meter
    return CostMeter(runtime.provider.info, Budget(grant.usd))


def _with_vectors(runtime: Runtime, chunks: pa.Table, has: NDArray[np.bool_], places: NDArray[np.int64],
                  result: Embedded) -> pa.Table:  # fmt: skip
    """Fill in the vectors of a call at their places."""
    info, n = runtime.provider.info, chunks.num_rows
    found = np.zeros(n, dtype=bool)
    found[[place for i, place in enumerate(places) if i not in result.failures]] = True
    columns: dict[str, Any] = {}
    if info.dimension:
        if len(places) == n and not result.failures:
            matrix = result.vectors
        else:
            matrix = np.zeros((n, info.dimension), np.float32)
            if has.any():
                matrix[has] = dense_matrix(chunks["vector"])[has]
            matrix[places] = result.vectors
        lacks = ~(has | found)
        columns["vector"] = pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(matrix).reshape(-1)),
            info.dimension,
            mask=pa.array(lacks) if lacks.any() else None,
        )
    if info.sparse:
        from relance.embedding.sparse import from_arrow, to_arrow

        values = from_arrow(chunks["sparse"].combine_chunks()) if "sparse" in chunks.column_names else [None] * n
        for i, place in enumerate(places):
            values[place] = result.sparse[i]
        columns["sparse"] = to_arrow(values)
    for name, column in columns.items():
        chunks = (
            chunks.set_column(chunks.column_names.index(name), name, column)
            if name in chunks.column_names
            else chunks.append_column(name, column)
        )
    return chunks
