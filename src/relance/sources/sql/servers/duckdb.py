"""DuckDB, by its own client."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from relance.errors import ConfigurationError, MissingExtraError, RelanceError, SourceError
from relance.sources.sql.servers.server import FETCH, AwayError, Column, Kind, MissingTableError, Server, Shape

__all__ = ["DuckDb"]

_COLUMNS = """
SELECT column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = ? AND table_name = ? ORDER BY column_index
"""
_KEYS = """
SELECT constraint_type, constraint_column_names FROM duckdb_constraints()
WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""


class DuckDb(Server):
    """A file that is opened to be read, in one transaction."""

    place = "?"

    def connect(self) -> Any:
        """Connect and begin a transaction that only reads."""
        duckdb = _duckdb()
        path = self.address.path
        if not path.is_file():
            raise ConfigurationError(f"there is no file {path}; is `url` right?")
        connection = duckdb.connect(str(path), read_only=True)
        try:
            connection.execute("SET autoinstall_known_extensions = false")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("BEGIN TRANSACTION READ ONLY")
        except BaseException:
            connection.close()
            raise
        return connection

    def explain(self, error: Exception) -> RelanceError | None:
        """Tell the client's errors apart."""
        duckdb = _duckdb()
        if not isinstance(error, duckdb.Error):
            return None
        shown, said = self.address.shown, self.said(error)
        if isinstance(error, duckdb.InterruptException):
            return self.too_slow()
        if isinstance(error, duckdb.CatalogException) and "does not exist" in said:
            return MissingTableError(f"{shown}: {said}")
        if isinstance(error, (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException)):
            return ConfigurationError(f"{shown}: {said}")
        if isinstance(error, duckdb.IOException) and "lock" in said:
            return AwayError(f"{shown}: another process has it open to write")
        return SourceError(f"{shown}: {said}")

    def stream(self, connection: Any, statement: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Stream the rows of a statement."""
        timer = threading.Timer(self.timeout_s, connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            connection.execute(statement, list(values))
            while rows := connection.fetchmany(FETCH):
                yield rows
        finally:
            timer.cancel()

    def shape(self, connection: Any, schema: str, table: str) -> Shape:
        """Look into the catalogue."""
        named = (schema or "main", table)
        columns = tuple(Column(name, of, _kind(of)) for name, of in self.rows(connection, _COLUMNS, named))
        if not columns:
            raise MissingTableError(f"{self.address.shown}: there is no table {table!r}")
        found = self.rows(connection, _KEYS, named)
        filled = {name for of, names in found if of in {"NOT NULL", "PRIMARY KEY"} for name in names}
        primary = next((tuple(names) for of, names in found if of == "PRIMARY KEY"), ())
        unique = [tuple(names) for of, names in found if of == "UNIQUE" and set(names) <= filled]
        rows = self.rows(connection, f"SELECT COUNT(*) FROM {self.from_table(*named)}")[0][0]  # noqa: S608  # quoted
        row_bytes = 4 * self.address.path.stat().st_size // max(rows, 1)  # it is compressed
        return Shape(columns, tuple(filter(None, (primary, *unique))), primary, row_bytes=row_bytes)

    def columns_of_query(self, connection: Any, statement: str) -> tuple[Column, ...]:
        """Ask for no rows."""
        found = connection.execute(f"SELECT * FROM ({statement}\n) q LIMIT 0").description  # noqa: S608  # one query
        return tuple(Column(each[0], str(each[1]), _kind(str(each[1]))) for each in found)

    def tables(self, connection: Any, schema: str) -> list[str]:
        """List tables and views."""
        named = "SELECT table_name FROM information_schema.tables WHERE table_catalog = current_database()"
        rows = self.rows(connection, f"{named} AND table_schema = ? ORDER BY 1 LIMIT 1000", (schema or "main",))
        return [name for (name,) in rows]

    def hash(self, expressions: Sequence[str]) -> str:
        """Hash values."""
        return f"hash({', '.join(expressions)})"

    def total(self, expression: str) -> str:
        """Add the numbers up."""
        return f"SUM(CAST({expression} AS HUGEINT))"

    def selected(self, column: Column) -> str:
        """Write times in UTC as text."""
        name = self.quote(column.name)
        if column.kind == "time":  # as Python's it needs a library of time zones
            return f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%f+00:00')"
        return name


_INTS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(_INTS, "int"),
    "VARCHAR": "text",
    "UUID": "uuid",
    "BLOB": "bytes",
    "BIT": "bytes",
    "JSON": "json",
    "TIMESTAMP WITH TIME ZONE": "time",
}


def _kind(of: str) -> Kind:
    return _KINDS.get(of.upper(), "other")


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("Reading DuckDB", "duckdb") from error
    return duckdb
