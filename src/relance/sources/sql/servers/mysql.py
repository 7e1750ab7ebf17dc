"""MySQL and MariaDB, by PyMySQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from relance.errors import ConfigurationError, MissingExtraError, RelanceError, SourceError
from relance.sources.sql.servers.server import FETCH, AwayError, Column, Kind, MissingTableError, Server, Shape

__all__ = ["MySql"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), "int"),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), "text"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "geometry"), "bytes"),
    "uuid": "text",
    "json": "json",
}
_OPTIONS = {"ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "unix_socket", "charset"}
_COLUMNS = """
SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE = 'NO' FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(%s, ''), DATABASE()) AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION
"""
_KEYS = """
SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(%s, ''), DATABASE()) AND TABLE_NAME = %s AND NON_UNIQUE = 0
ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX
"""
_PREFIXES = """
SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(%s, ''), DATABASE()) AND TABLE_NAME = %s AND SUB_PART IS NOT NULL
"""
_SIZE = """
SELECT AVG_ROW_LENGTH FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(NULLIF(%s, ''), DATABASE()) AND TABLE_NAME = %s
"""


class MySql(Server):
    """Unbuffered cursors in one read-only transaction with a consistent snapshot."""

    _two_sums = False  # known once there is a connection

    def connect(self) -> Any:
        """Connect and begin a transaction that only reads."""
        try:
            import pymysql
            from pymysql.cursors import SSCursor
        except ImportError as error:
            raise MissingExtraError("Reading MySQL and MariaDB", "mysql") from error
        address = self.address
        options: dict[str, Any] = {name: value for name, value in address.options if name in _OPTIONS}
        for name in ("ssl_verify_cert", "ssl_verify_identity"):
            if name in options:
                options[name] = options[name].lower() in {"1", "true", "yes"}
        connection = pymysql.connect(
            host=address.host or None, port=address.port, user=address.user or None, password=address.password,
            database=address.database, cursorclass=SSCursor, connect_timeout=10, read_timeout=self.timeout_s + 30,
            **{"charset": "utf8mb4", **options},
        )  # fmt: skip
        try:
            maria = "MariaDB" in connection.get_server_info()
            version = re.search(r"(\d+)\.(\d+)[.\d]*-MariaDB", connection.get_server_info())
            self._two_sums = version is not None and (int(version[1]), int(version[2])) >= (10, 8)
            limit = (
                f"max_statement_time={self.timeout_s:f}" if maria else f"max_execution_time={self.timeout_s * 1000:.0f}"
            )
            for statement in (
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                f"SET SESSION {limit}, time_zone='+00:00', net_write_timeout=3600",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ):
                with connection.cursor() as cursor:
                    cursor.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self, connection: Any) -> None:
        """Leave at once."""
        # A result that was not read to its end would be: all its rows come over the line first.
        connection._force_close()  # noqa: SLF001  # there is no other way to leave without that

    def explain(self, error: Exception) -> RelanceError | None:  # noqa: PLR0911  # a table of errors
        """Tell the client's errors apart."""
        import pymysql

        if not isinstance(error, pymysql.MySQLError):
            return None
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = str(error.args[1]) if len(error.args) > 1 else str(error)
        shown, text = self.address.shown, self.said(Exception(said))
        if number in {1969, 3024} or (number == 2013 and "timed out" in said):
            return self.too_slow()
        if number == 1146:
            return MissingTableError(f"{shown}: {text}")
        if number == 1049:
            return ConfigurationError(f"{shown}: there is no such database")
        if number in {1142, 1143, 1044}:
            return SourceError(f"{shown}: {text}; the user needs SELECT on it")
        if number in {1054, 1064, 1060, 1052, 1792, 1305, 1630}:
            return ConfigurationError(f"{shown}: {text}")
        if number in {2002, 2003, 1040, 1053}:
            return AwayError(f"{shown}: {text}")
        return SourceError(f"{shown}: {text}")

    def stream(self, connection: Any, statement: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Stream the rows of a statement."""
        cursor = connection.cursor()
        cursor.execute(statement, values or None)
        while rows := cursor.fetchmany(FETCH):
            yield list(rows)
        cursor.close()

    def shape(self, connection: Any, schema: str, table: str) -> Shape:
        """Look into the catalogue."""
        self.rows(connection, f"SELECT 1 FROM {self.from_table(schema, table)} LIMIT 0")  # noqa: S608  # quoted
        named = (schema, table)
        rows = self.rows(connection, _COLUMNS, named)
        columns = tuple(Column(name, of, _KINDS.get(str(of).lower(), "other")) for name, of, _ in rows)
        filled = {name for name, _, never_null in rows if never_null}
        indexes: dict[str, list[str]] = {}
        for index, column in self.rows(connection, _KEYS, named):
            indexes.setdefault(index, []).append(column)
        for (index,) in self.rows(connection, _PREFIXES, named):
            indexes.pop(index, None)
        keys = {index: tuple(each) for index, each in indexes.items() if set(each) <= filled}
        size = self.rows(connection, _SIZE, named)
        row_bytes = int(size[0][0] or 0) if size else 0
        return Shape(columns, tuple(keys.values()), keys.get("PRIMARY", ()), row_bytes=row_bytes)

    def columns_of_query(self, connection: Any, statement: str) -> tuple[Column, ...]:
        """Ask for no rows."""
        cursor = connection.cursor()
        cursor.execute(f"SELECT * FROM ({statement}\n) q LIMIT 0")  # noqa: S608  # one query
        found = tuple(
            Column(each[0], str(each[1]), "json" if each[1] == 245 else "other") for each in cursor.description
        )
        cursor.close()
        return found

    def tables(self, connection: Any, schema: str) -> list[str]:
        """List tables and views."""
        named = (
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(NULLIF(%s, ''), DATABASE())"
        )
        return [name for (name,) in self.rows(connection, f"{named} ORDER BY 1 LIMIT 1000", (schema,))]

    def hash(self, expressions: Sequence[str]) -> str:
        """Hash values: with two sums of 32 bits where the server has both, else with 60 bits of MD5.

        Of a million rows of 1 kB, MD5 takes 7 CPU-s, the two sums 4, and counting rows 2; QUOTE would add 4. Lengths
        keep values apart, and bytes have no collations that do not mix.
        """
        parts = (f"COALESCE(LENGTH({each}), 'x'), CAST({each} AS BINARY)" for each in expressions)
        joined = f"CONCAT_WS(',', {', '.join(parts)})"
        # Beyond max_allowed_packet a text is NULL: of such a row nothing is known, so it is read each time.
        if self._two_sums:
            return f"COALESCE((CRC32({joined}) << 32) | CRC32C({joined}), CRC32(UUID()))"
        return f"CAST(CONV(LEFT(COALESCE(MD5({joined}), MD5(UUID())), 15), 16, 10) AS UNSIGNED)"

    def text(self, expression: str) -> str:
        """Write an expression as text."""
        return f"CAST({expression} AS CHAR)"

    def quote(self, name: str) -> str:
        """Write a name in backticks."""
        return "`" + name.replace("`", "``") + "`"
