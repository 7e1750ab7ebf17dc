"""The tables that all indexes of a store write: mended before a run uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relance.store import schemas
from relance.store.catalog import NAME as CATALOG
from relance.store.columns import begin_anew, fit_columns, lacking
from relance.store.mending import mend
from relance.store.runs import NAME as RUNS

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.store import Store

__all__ = ["mend_shared"]


def mend_shared(store: Store) -> list[str]:
    """Mend the catalog and the log of runs; returns what was done, and what is lost by it, as sentences.

    Costs 3 ms where nothing is wrong: both tables are small. In an object store nothing is looked at.
    """
    if store.local is None or not store.exists:
        return []
    return [
        *_mend(
            store,
            CATALOG,
            schemas.CATALOG,
            lost="which tables serve an index is read from the log of runs; free quotas may count from the start",
        ),
        *_mend(store, RUNS, schemas.RUNS, lost="`relance runs` and `relance rollback` may not know all earlier runs"),
    ]


def _mend(store: Store, name: str, schema: pa.Schema, *, lost: str) -> Iterator[str]:
    if (mended := mend(store, name, schema.names[:1])) is not None:
        yield f"{mended.sentence}; {lost}" if mended.lost else mended.sentence
    if (table := store.open(name)) is not None and (missing := lacking(table, schema)):
        yield f"{begin_anew(store, name, missing)}; {lost}"
    elif (note := fit_columns(store, name, schema)) is not None:
        yield note
