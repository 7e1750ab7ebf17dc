"""PostgreSQL, by psycopg."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from relance.documents import digest
from relance.errors import ConfigurationError, MissingExtraError, RelanceError, SourceError
from relance.sources.sql.servers.server import FETCH, AwayError, Column, Kind, MissingTableError, Server, Shape

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Postgres"]

# By the numbers of types, which never change: domains are looked through before.
_KINDS: dict[int, Kind] = {
    17: "bytes",
    **dict.fromkeys((20, 21, 23), "int"),
    **dict.fromkeys((19, 25, 1042, 1043), "text"),
    2950: "uuid",
    **dict.fromkeys((114, 3802), "json"),
    **dict.fromkeys((1082, 1083, 1114, 1184, 1266), "time"),
}
# A table and all that is read with it, which have to be tables of PostgreSQL's own for `xmin` to mean anything. Bytes
# of a row as its planner reckons: the density of the pages when the table was last analysed, and the pages there are
# now. For a table that was never analysed the density is unknown, so the size of a row is NULL.
_TABLE = """
WITH RECURSIVE parts AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND CASE WHEN %(schema)s = ''
    THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END
  UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN parts ON i.inhparent = parts.oid)
SELECT min(c.oid::bigint) FILTER (WHERE c.relname = %(table)s AND p.first),
  min(c.relkind::text) FILTER (WHERE p.first), count(*),
  bool_and(c.relkind IN ('r', 'm', 'p') AND COALESCE(a.amname, 'heap') = 'heap'),
  sum(pg_catalog.pg_table_size(c.oid)),
  sum(pg_catalog.pg_table_size(c.oid)) FILTER (WHERE c.relpages > 0 AND c.reltuples > 0) / nullif(sum(
    c.reltuples / c.relpages * pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int
  ) FILTER (WHERE c.relpages > 0 AND c.reltuples > 0), 0)
FROM (SELECT oid, row_number() OVER () = 1 AS first FROM parts) p
JOIN pg_catalog.pg_class c ON c.oid = p.oid LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
"""
_COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
  CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END::bigint
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS = """
SELECT i.indisprimary, array_agg(a.attname::text ORDER BY k.place)
FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place), pg_catalog.pg_attribute a
WHERE i.indrelid = %(oid)s AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
  AND i.indexprs IS NULL AND k.place <= i.indnkeyatts AND a.attrelid = i.indrelid AND a.attnum = k.number
GROUP BY i.indexrelid, i.indisprimary HAVING bool_and(a.attnotnull) ORDER BY i.indisprimary DESC, i.indexrelid
"""
_ERA = """
SELECT CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
  AND pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')
  THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) || '/'
    || (SELECT timeline_id::text FROM pg_catalog.pg_control_checkpoint()) ELSE '' END
"""


class Postgres(Server):
    """Server-side cursors in one read-only transaction at REPEATABLE READ."""

    def connect(self) -> Any:
        """Connect and begin a transaction that only reads."""
        _psycopg()
        from psycopg.types.json import set_json_loads

        connection = self._connected({})
        try:
            set_json_loads(partial(json.loads, parse_float=Decimal), connection)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            settings = {
                "statement_timeout": f"{int(self.timeout_s * 1000)}",
                "timezone": "UTC",  # what a time is written as decides whether a row has changed
                "datestyle": "ISO",
                "intervalstyle": "postgres",
                "synchronize_seqscans": "off",  # the same order each time
            }
            for name, value in settings.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def line(self, options: Mapping[str, str]) -> Generator[Any]:
        """Connect outside of any transaction, for as long as the block; raises as `snapshot`, at the first attempt."""
        connection = None
        try:
            connection = self._connected(options)
            yield connection
        except RelanceError:
            raise
        except Exception as error:
            raise (self.explain(error) or error) from None
        finally:
            if connection is not None:
                connection.close()

    def _connected(self, more: Mapping[str, str]) -> Any:
        psycopg = _psycopg()
        address = self.address
        given = {"host": address.host, "port": address.port if address.host else "", "user": address.user,
                 "password": address.password, "dbname": address.database}  # fmt: skip
        options: dict[str, Any] = (
            {"connect_timeout": "10", "application_name": "relance"} | dict(more) | dict(address.options)
        )
        options |= {name: value for name, value in given.items() if value}
        # Poolers between us and the server know no prepared statements.
        return psycopg.connect(autocommit=True, prepare_threshold=None, **options)

    def explain(self, error: Exception) -> RelanceError | None:  # noqa: PLR0911  # a table of errors
        """Tell the client's errors apart."""
        psycopg = _psycopg()
        if not isinstance(error, psycopg.Error):
            return None
        state, said = error.sqlstate or "", self.said(error)
        shown = self.address.shown
        if state == "57014":
            return self.too_slow()
        if state == "42P01":
            return MissingTableError(f"{shown}: {said}")
        if state == "3D000" or (not state and "does not exist" in said and "database" in said):
            return ConfigurationError(f"{shown}: there is no such database")
        if "authentication failed" in said or "no password supplied" in said:
            return SourceError(f"{shown}: the server refuses the user or the password; check both in `url`")
        if state == "42501":
            return SourceError(f"{shown}: {said}; the user needs SELECT on it")
        if state.startswith("42") or state == "25006":  # the latter: it would write
            return ConfigurationError(f"{shown}: {said}")
        if state == "57P03" or (not state and isinstance(error, psycopg.OperationalError) and "FATAL" not in said):
            return AwayError(f"{shown}: {said}")
        return self.broke(error)

    def stream(self, connection: Any, statement: str, values: Any = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Stream the rows of a statement."""
        with connection.cursor("relance") as cursor:
            cursor.execute(statement, values or None)
            while rows := cursor.fetchmany(FETCH):
                yield rows

    def copied(self, connection: Any, statement: str) -> Iterator[pa.Table]:
        """Stream it by COPY: a million rows take 2.3 s, with a cursor 10."""
        import pyarrow as pa
        from pyarrow import csv

        with tempfile.TemporaryFile(prefix="relance-copy-") as file:
            with connection.cursor() as cursor, cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT csv)") as copy:
                for line in copy:
                    file.write(line)
            if not file.tell():
                return
            file.seek(0)
            names = ["name", "version"]
            reader = csv.open_csv(
                file,
                csv.ReadOptions(column_names=names),
                csv.ParseOptions(newlines_in_values=True),
                csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
            )
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def shape(self, connection: Any, schema: str, table: str) -> Shape:
        """Look into the catalogue."""
        named = {"schema": schema, "table": table}
        oid, kind, parts, own, table_bytes, row_bytes = connection.execute(_TABLE, named).fetchone()
        if oid is None:
            raise MissingTableError(f"{self.address.shown}: there is no table {table!r}")
        connection.execute(f"SELECT 1 FROM {self.from_table(schema, table)} LIMIT 0")  # noqa: S608  # quoted; may we?
        columns = [Column(name, of, _KINDS.get(number, "other"))
                   for name, of, number in connection.execute(_COLUMNS, {"oid": oid})]  # fmt: skip
        keys = connection.execute(_KEYS, {"oid": oid}).fetchall()
        if kind == "r" and parts > 1:
            keys = []  # the index of a parent knows nothing of its children's rows
        era = connection.execute(_ERA).fetchone()[0]
        return Shape(
            tuple(columns),
            tuple(tuple(columns) for _, columns in keys),
            next((tuple(columns) for primary, columns in keys if primary), ()),
            xmin=bool(own) and kind != "v",
            era=digest("era", era, size=4),
            row_bytes=int(row_bytes or 0),
            table_bytes=int(table_bytes or 0),
        )

    def columns_of_query(self, connection: Any, statement: str) -> tuple[Column, ...]:
        """Ask for no rows."""
        found = connection.execute(f"SELECT * FROM ({statement}\n) q LIMIT 0").description  # noqa: S608  # one query
        return tuple(Column(each.name, each.type_display, _KINDS.get(each.type_code, "other")) for each in found)

    def tables(self, connection: Any, schema: str) -> list[str]:
        """List tables and views."""
        rows = connection.execute(
            "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND CASE WHEN %(schema)s = '' THEN n.nspname = "
            "ANY(current_schemas(false)) ELSE n.nspname = %(schema)s END ORDER BY 1 LIMIT 1000", {"schema": schema},
        )  # fmt: skip
        return [name for (name,) in rows]

    def hash(self, expressions: Sequence[str]) -> str:
        """Hash a row as text with 64 bits."""
        return f"pg_catalog.hashtextextended(ROW({', '.join(expressions)})::text, 0)"

    def selected(self, column: Column) -> str:
        """Write times in UTC as text."""
        name = self.quote(column.name)
        # 'infinity' and years before Christ have no form in Python; JSON's dates are the same text as Python's.
        return f"pg_catalog.to_json({name})" if column.kind == "time" else name


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError("Reading PostgreSQL", "postgres") from error
    return psycopg
