"""Rows of PostgreSQL, MySQL, MariaDB, SQLite and DuckDB."""

from relance.sources.sql.source import Sql

__all__ = ["Sql"]
