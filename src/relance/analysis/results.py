"""Tables of what was found out about an index, beside its own: `<index>__clusters`, `<index>__classes` and so on."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from relance.errors import ConfigurationError
from relance.store import open_store
from relance.store.faults import store_errors
from relance.store.visible_table import VisibleTable

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["may_see", "read_results", "result_table", "write_results"]


def result_table(index: Index, kind: str) -> str:
    """Name the table of results: no vector space is called by a word, so none of the index's own can be hit."""
    return f"{index.spec.name}__{kind}"


def write_results(index: Index, kind: str, rows: Any, metadata: dict[str, str] | None = None) -> str:
    """Put an Arrow table in the place of the last results, in one commit; returns the table's name.

    `metadata` says how they were made; read again from the schema as bytes.
    """
    store, name = open_store(index.spec), result_table(index, kind)
    mode = "create" if store.open(name) is None else "overwrite"  # overwriting nothing makes Lance warn on stderr
    with store_errors(f"writing {name}"):
        store.db.create_table(name, rows.replace_schema_metadata(metadata or {}), mode=mode)
    return name


def read_results(index: Index, kind: str) -> Any | None:
    """Read the last results as an Arrow table; None if there are none that the reader of the index may see."""
    table = open_store(index.spec).open(result_table(index, kind))
    if table is None:
        return None
    rows = table.to_arrow()
    return rows if may_see(index, rows) else None


def may_see(index: Index, results: Any) -> bool:
    """Whether the reader of an index may see results: only where these are about documents that the reader sees now.

    Results say something about every document they were made of: names of clusters are words of their texts.
    """
    tables = []
    for media in (False, True) if index.spec.media is not None else (False,):
        with contextlib.suppress(ConfigurationError):  # it is not in the store yet
            tables.append(index.visible(media=media))
    if not any(isinstance(table, VisibleTable) for table in tables):
        return True
    if "uri" not in results.schema.names:
        return False
    seen: set[str] = set()
    for table in tables:
        seen.update(table.search().where("active").select(["uri"]).limit(None).to_arrow()["uri"].to_pylist())
    return seen.issuperset(results["uri"].to_pylist())
