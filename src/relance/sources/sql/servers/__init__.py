"""The databases that are spoken to, one file each."""

from __future__ import annotations

from relance.sources.sql.address import Address
from relance.sources.sql.servers.duckdb import DuckDb
from relance.sources.sql.servers.mysql import MySql
from relance.sources.sql.servers.postgres import Postgres
from relance.sources.sql.servers.server import Column, Server, Shape
from relance.sources.sql.servers.sqlite import Sqlite

__all__ = ["Column", "Server", "Shape", "server_of"]

_SERVERS: dict[str, type[Server]] = {
    "postgresql": Postgres,
    "mysql": MySql,
    "mariadb": MySql,
    "sqlite": Sqlite,
    "duckdb": DuckDb,
}


def server_of(address: Address, timeout_s: float) -> Server:
    """Choose how to speak to a database; opens nothing."""
    return _SERVERS[address.kind](address, timeout_s)
