"""SQLite, by the driver of Python."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from relance.errors import ConfigurationError, RelanceError, SourceError
from relance.sources.sql.servers.server import FETCH, AwayError, Column, Kind, MissingTableError, Server, Shape

__all__ = ["Sqlite"]

_STEPS = 100_000  # of SQLite's machine between two looks at the clock


class Sqlite(Server):
    """A file that is opened to be read, in one transaction."""

    place = "?"

    def connect(self) -> Any:
        """Connect and begin a transaction that only reads."""
        path = self.address.path
        if not path.is_file():
            raise ConfigurationError(f"there is no file {path}; is `url` right?")
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10, isolation_level=None)
        try:
            connection.text_factory = _decoded
            ends = time.monotonic() + self.timeout_s
            connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
            connection.create_function("relance_hash", -1, _hash, deterministic=True)
            connection.create_aggregate("relance_total", 1, _Total)  # ty: ignore[invalid-argument-type]
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()  # the state is that of the first look
        except BaseException:
            connection.close()
            raise
        return connection

    def explain(self, error: Exception) -> RelanceError | None:
        """Tell the client's errors apart."""
        if not isinstance(error, sqlite3.Error):
            return None
        shown, said = self.address.shown, self.said(error)
        if "interrupted" in said:
            return self.too_slow()
        if said.startswith("no such table"):
            return MissingTableError(f"{shown}: {said}")
        if said.startswith("no such") or "syntax error" in said or "readonly" in said:
            return ConfigurationError(f"{shown}: {said}")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return AwayError(f"{shown}: {said}")
        return SourceError(f"{shown}: {said}")

    def stream(self, connection: Any, statement: str, values: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Stream the rows of a statement."""
        cursor = connection.execute(statement, values)
        while rows := cursor.fetchmany(FETCH):
            yield rows

    def shape(self, connection: Any, schema: str, table: str) -> Shape:
        """Look into the catalogue."""
        place = f"{self.quote(schema)}." if schema else ""
        found = self.rows(connection, f"PRAGMA {place}table_xinfo({self.quote(table)})")
        if not found:
            raise MissingTableError(f"{self.address.shown}: there is no table {table!r}")
        columns = tuple(Column(each[1], each[2], _kind(each[2])) for each in found if each[6] != 1)
        primary = tuple(each[1] for each in sorted(found, key=lambda each: each[5]) if each[5])
        filled = {each[1] for each in found if each[3]}
        if len(primary) == 1 and next(each[2].upper() for each in found if each[5]) == "INTEGER":
            filled.add(primary[0])  # it is the number of the row
        keys = [primary] if primary and set(primary) <= filled else []
        for _, name, unique, _, partial, *_ in self.rows(connection, f"PRAGMA {place}index_list({self.quote(table)})"):
            parts = [each[2] for each in self.rows(connection, f"PRAGMA {place}index_info({self.quote(name)})")]
            if unique and not partial and set(parts) <= filled:
                keys.append(tuple(parts))
        pages = self.rows(connection, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0][0]
        rows = self.rows(connection, f"SELECT COUNT(*) FROM {self.from_table(schema, table)}")[0][0]  # noqa: S608  # quoted
        return Shape(columns, tuple(dict.fromkeys(keys)), primary, row_bytes=pages // max(rows, 1))

    def columns_of_query(self, connection: Any, statement: str) -> tuple[Column, ...]:
        """Ask for no rows."""
        found = connection.execute(f"SELECT * FROM ({statement}\n) q LIMIT 0").description  # noqa: S608  # one query
        return tuple(Column(each[0]) for each in found)

    def tables(self, connection: Any, schema: str) -> list[str]:
        """List tables and views."""
        place = f"{self.quote(schema)}." if schema else ""
        named = f"SELECT name FROM {place}sqlite_schema WHERE type IN ('table', 'view')"  # noqa: S608  # quoted
        return [name for (name,) in self.rows(connection, f"{named} ORDER BY 1 LIMIT 1000")]

    def hash(self, expressions: Sequence[str]) -> str:
        """Hash values with a function of ours."""
        # A function of ours cannot be given a text that is no UTF-8.
        form = "CASE typeof({0}) WHEN 'text' THEN CAST({0} AS BLOB) WHEN 'blob' THEN quote({0}) ELSE {0} END"
        forms = (form.replace("{0}", each) for each in expressions)
        return f"relance_hash({', '.join(forms)})"

    def total(self, expression: str) -> str:
        """Add the numbers up."""
        return f"relance_total({expression})"


def _kind(declared: str) -> Kind:
    """Tell what a column prefers to hold, by SQLite's rules."""
    name = declared.upper()
    if "INT" in name:
        return "int"
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return "text"
    return "other"


def _decoded(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data  # a text that is no UTF-8 costs its row, not the table


def _hash(*values: Any) -> int:
    return int.from_bytes(blake2b(repr(values).encode(errors="replace"), digest_size=8).digest(), "big", signed=True)


class _Total:
    """The sum, which may be larger than a number of SQLite."""

    def __init__(self) -> None:
        self.total = 0

    def step(self, value: int) -> None:
        self.total += value

    def finalize(self) -> str:
        return str(self.total)
