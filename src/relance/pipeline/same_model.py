"""A model is known by its name; whether another address serves the same one is asked before vectors are mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from relance.documents import Chunk, Document
from relance.errors import ConfigurationError
from relance.store.index_tables import made_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relance.pipeline.report import Report
    from relance.pipeline.runtime import Runtime
    from relance.store.index_tables import IndexTables

__all__ = ["SAME", "check_address"]

# The same weights on other hardware, or in another precision, give the same text vectors of a cosine of 0.999 and
# more; in 8 bits instead of 16 it is still above 0.99. Two models agree on a text by chance only: 0.0 to 0.3.
SAME = 0.99
_LOOKED_AT = 50  # stored texts among which one is looked for that is long enough to tell models apart
_LETTERS = 20


def check_address(runtime: Runtime, tables: IndexTables, report: Report) -> None:
    """Ask a stored text again where a space's model is at another address than before; at most one request.

    Vectors are shared by all indexes of a store, so the address of each space is noted in its catalog. Raises
    ConfigurationError, before anything is written, where another model answers there.
    """
    address: str = getattr(runtime.provider, "address", "")
    if not address or runtime.part == "media" or not runtime.provider.info.dimension:
        return
    catalog, key = tables.catalog, f"address/{runtime.space}"
    noted = catalog.get(key)
    if noted is not None and noted["address"] == address:
        return
    if (table := _a_table(runtime, tables)) is not None:
        declared, first = runtime.embedding.base_url, made_by(table).get("base_url", "")
        if noted is not None:
            report.notes += _compare(runtime, table, noted["address"], address)
        elif first != declared:  # a store of an earlier version: only what its spec said is known
            report.notes += _compare(runtime, table, first or "the provider's own address", address)
    catalog.put(key, {"address": address}, expected=noted)


def _compare(runtime: Runtime, table: Any, before: str, address: str) -> list[str]:
    """Return what there is to say of the new address."""
    found = _stored(runtime, table)
    if found is None:
        return []
    text, stored = found
    asked = _ask(runtime, text)
    cosine = float(stored @ asked / max(float(np.linalg.norm(stored) * np.linalg.norm(asked)), 1e-12))
    model = runtime.provider.info.name
    if cosine < SAME:
        msg = (
            f"{model} at {address} is another model than at {before}: the vector of a stored text has a cosine of "
            f"{cosine:.3f} there, less than {SAME}, and two models must not be mixed; nothing was written. Put "
            "embedding.base_url back, or set embedding.revision to a new name and run `relance reembed`"
        )
        raise ConfigurationError(msg)
    return [f"{model} is now at {address}: the same model, by a stored text (cosine {cosine:.4f})"]


def _a_table(runtime: Runtime, tables: IndexTables) -> Any | None:
    """Open a table with vectors of this space: the run's own, or that of another index of the store."""
    own = tables.chunks.table
    if own is not None and own.count_rows("active"):
        return own
    for name in runtime.store.tables():
        if name.rpartition("__")[2] == runtime.space and not name.startswith("relance__"):
            table = runtime.store.open(name)
            if table is not None and table.count_rows("active"):
                return table
    return None


def _stored(runtime: Runtime, table: Any) -> tuple[str, NDArray[np.float32]] | None:
    """Find what was embedded for a row, and its vector; None where no row has both."""
    from relance.embedding.embedder import vector_key

    columns = ["uri", "title", "heading_path", "text", "vector", *(["lead"] if "lead" in table.schema.names else [])]
    rows = table.search().where("active AND vector IS NOT NULL").select(columns).limit(_LOOKED_AT).to_list()
    rows.sort(key=lambda row: len(row["text"] or "") < _LETTERS)  # the first long one
    texts = [_input(runtime, row) for row in rows]
    space = runtime.provider.info.space
    known = runtime.cache.contains([vector_key(space, "document", text) for text in texts])
    # What is in the cache was embedded as it is; without it, a spec with another `context` than before would mislead.
    order = sorted(range(len(rows)), key=lambda at: not known[at])
    return next(((texts[at], np.asarray(rows[at]["vector"], np.float32)) for at in order), None)


def _input(runtime: Runtime, row: dict[str, Any]) -> str:
    from relance.chunkers import embedding_text

    document = Document(row["uri"], row["text"] or "", "", "", row["title"] or "")
    chunk = Chunk(0, len(document.text), 0, tuple(row["heading_path"] or ()), row.get("lead") or "")
    return embedding_text(document, chunk, runtime.spec.chunking)


def _ask(runtime: Runtime, text: str) -> NDArray[np.float32]:
    from relance.embedding.runtime import EmbeddingLoop

    with EmbeddingLoop(runtime.provider, runtime.embedding, None, meter=runtime.meter, account=runtime.account) as loop:
        result = loop.call([text])
    if result.failures:
        msg = f"{runtime.provider.info.name} refuses a text that it has embedded before: {result.failures[0]}"
        raise ConfigurationError(msg)
    return result.vectors[0]
