"""More like this: a document stands for what is looked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import document_id
from relance.errors import ConfigurationError, InputError
from relance.search.filters.literals import quoted

__all__ = ["NoSuchDocumentError", "except_like", "has_document", "meant", "uri_of", "vector_of"]

_LOOKED_AT = 20_000  # rows among whose uris the one that was meant is looked for


class NoSuchDocumentError(InputError):
    """An index has no document of this uri."""


def uri_of(table: Any, name: str) -> str:
    """Find the uri of a picture or film that is named by its address; a name that is no address of any stays."""
    if has_document(table, name):
        return name
    rows = table.search().where(f"url = {quoted(name)} AND active").select(["uri"]).limit(1).to_list()
    return rows[0]["uri"] if rows else name


def has_document(table: Any, uri: str) -> bool:
    """Whether the table has rows of a document."""
    return bool(table.count_rows(_of(uri)))


def vector_of(table: Any, uri: str, tables: Callable[[], Sequence[Any]]) -> NDArray[np.float32]:
    """Return a document's vector: the mean of its chunks' unit vectors, made unit length; shape (dimension,).

    Raises NoSuchDocumentError where there is no such document, with the uri that may be meant in any of the index's
    `tables` (opened for that alone), and ConfigurationError where the table has no dense vectors.
    """
    if "vector" not in table.schema.names:
        msg = f"{table.name} has sparse vectors only; more like this needs embedding.output_type dense or dense&sparse"
        raise ConfigurationError(msg)
    from relance.store.vector_table import dense_matrix

    rows = table.search().where(_of(uri)).select(["vector"]).limit(None).to_arrow()
    if not rows.num_rows:
        close = meant([uri], *tables()).get(uri)
        told = f"; did you mean {close!r}?" if close else "; uris are as searches return them"
        raise NoSuchDocumentError(f"there is no document {uri!r} in this index{told}")
    vectors = dense_matrix(rows["vector"]).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    mean = vectors.mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)


def except_like(table: Any, *uris: str) -> str | None:
    """Write the condition that leaves documents out, and with media their copies elsewhere; None for no documents."""
    from relance.store.schemas import in_lists

    column, values = "uri", list(uris)
    if "content_hash" in table.schema.names:
        column = "content_hash"
        found = [table.search().where("active").where(some).select([column]).limit(None).to_arrow()[column].to_pylist()
                 for some in in_lists("uri", values)]  # fmt: skip
        values = sorted({value for each in found for value in each if value})
    return " AND ".join(f"NOT ({some.to_sql()})" for some in in_lists(column, values)) or None


def meant(uris: list[str], *tables: Any) -> dict[str, str]:
    """Say of uris that the tables do not have which ones may be meant; those that are like none are left out."""
    known: set[str] = set()
    for table in tables:
        known.update(table.search().where("active").select(["uri"]).limit(_LOOKED_AT).to_arrow()["uri"].to_pylist())
    # A file may have been named without its folder, which to difflib is not like its path.
    names = {uri.rpartition("/")[2]: uri for uri in sorted(known)} | {uri: uri for uri in known}
    close = {uri: get_close_matches(uri, names, 1) for uri in uris}
    return {uri: names[found[0]] for uri, found in close.items() if found}


def _of(uri: str) -> str:
    return f"doc_id = {quoted(document_id(uri))} AND active"  # the column large tables are indexed by
