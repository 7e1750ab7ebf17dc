"""What `relance init --from` writes about a database: a table, and which of its columns are what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from relance.errors import InputError
from relance.sources.sql.address import read_address
from relance.sources.sql.relation import parts_of
from relance.sources.sql.servers import Server, Shape, server_of

__all__ = ["first_look"]

_TIMEOUT_S = 30.0
_SHOWN = 20
_TITLE = re.compile(r"title|name|subject|headline", re.IGNORECASE)
_ADDRESS = re.compile(r"ur[il]$|link$|address$|_at$|hash$|slug$|email$", re.IGNORECASE)


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
        shape = server.shape(connection, schema, name)
    return {"type": "sql", "url": url, "table": table, "rows": _rows(shape, table)}


def _only_table(server: Server, connection: Any) -> str:
    tables = server.tables(connection, "")
    if len(tables) == 1:
        return tables[0]
    shown = ", ".join(tables[:_SHOWN]) or "no table that may be read"
    more = ", …" if len(tables) > _SHOWN else ""
    hint = f"; name one behind the address, as {server.address.shown}#{tables[0]}" if tables else ""
    raise InputError(f"{server.address.shown} has {shown}{more}{hint}")


def _rows(shape: Shape, table: str) -> dict[str, Any]:
    """Choose: words are the text, a short name is the title, everything else can be filtered by."""
    keys = set(shape.primary) or {"id"} & set(shape.names)
    words = [each.name for each in shape.columns if each.kind == "text" and each.name not in keys]
    texts = [name for name in words if not _ADDRESS.search(name)]
    if not texts:
        raise InputError(f"table {table} has no column with words; its columns are {', '.join(shape.names)}")
    rows: dict[str, Any] = {"text": texts}
    title = next((name for name in texts if _TITLE.search(name)), "")
    if title:
        rows["title"] = title
    others = [each.name for each in shape.columns if each.name not in {*keys, *texts} and each.kind != "bytes"]
    return rows | ({"metadata": others} if others else {})
