"""What a table or a query is like; a table that is not there is named with the nearest one."""

from __future__ import annotations

from typing import Any

from relance.errors import ConfigurationError
from relance.parsers.records import close_name
from relance.sources.sql.relation import Relation
from relance.sources.sql.servers import Server, Shape
from relance.sources.sql.servers.server import MissingTableError

__all__ = ["shape_of"]


def shape_of(server: Server, connection: Any, relation: Relation) -> Shape:
    """Return columns and keys; ConfigurationError if there is no such table."""
    if relation.query:
        return Shape(server.columns_of_query(connection, relation.query))
    try:
        return server.shape(connection, relation.schema, relation.table)
    except Exception as error:
        if not isinstance(error, MissingTableError) and not isinstance(server.explain(error), MissingTableError):
            raise
        # A transaction that failed takes no other statement: the hint is looked up in another one.
        with server.snapshot() as other:
            there = server.tables(other, relation.schema)
    close = close_name(relation.table, there)
    hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(there[:20]) or 'none that may be read'}"
    raise ConfigurationError(f"{server.address.shown}: there is no table {relation.name!r}; {hint}")
