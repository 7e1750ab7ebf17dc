"""What `relance init --from` writes about a database: a table, and which of its columns are what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relance.errors import InputError
from relance.sources.chosen_columns import chosen_columns
from relance.sources.sql.address import read_address
from relance.sources.sql.relation import Relation, parts_of
from relance.sources.sql.servers import Server, server_of
from relance.sources.sql.table_shape import shape_of

__all__ = ["first_look"]

_TIMEOUT_S = 30.0
_SHOWN = 20


def first_look(address: str) -> dict[str, Any]:
    """Write the section for a database, `…#TABLE` for one table of it.

    Raises InputError where there are several tables and none is named, or one has no text; errors of the server as
    they come.
    """
    url, _, table = address.partition("#")
    server = server_of(read_address(url, Path.cwd()), _TIMEOUT_S)
    with server.snapshot() as connection:
        table = table or _only_table(server, connection)
        schema, name = parts_of(table)
        shape = shape_of(server, connection, Relation("", table, name, schema))
    kinds = {each.name: each.kind for each in shape.columns}
    rows = chosen_columns(kinds, set(shape.primary) or {"id"} & kinds.keys(), table)
    return {"type": "sql", "url": url, "table": table, "rows": rows}


def _only_table(server: Server, connection: Any) -> str:
    tables = server.tables(connection, "")
    if len(tables) == 1:
        return tables[0]
    shown = ", ".join(tables[:_SHOWN]) or "no table that may be read"
    more = ", …" if len(tables) > _SHOWN else ""
    hint = f"; name one behind the address, as {server.address.shown}#{tables[0]}" if tables else ""
    raise InputError(f"{server.address.shown} has {shown}{more}{hint}")
