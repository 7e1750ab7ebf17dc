"""What is particular to a server: markers, snapshots, types, rights, time-outs, and connections that break."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from databases import Database
from rows import rows
from servers import free_port, postgres_server, program

from relance.errors import ConfigurationError, DocumentError, RelanceError, SourceError
from relance.parsers.media_types import JSONL
from relance.sources.sql import Sql
from relance.sources.sql.servers.postgres import Postgres


def lines(source: Sql) -> list[dict]:
    """Read the only table as the parser gets it."""
    (found,) = [*source.list()]
    return [json.loads(line) for line in source.read(found).data.decode("utf-8-sig").splitlines()]


def version(source: Sql) -> str:
    (found,) = [*source.list()]
    return found.version


def url_of(database: Database, user: str, password: str) -> str:
    return f"{database.kind}://{user}:{password}@{database.url.rpartition('@')[2]}"


# -- markers ---------------------------------------------------------------------------------------------------


def test_xmin_says_what_was_written(postgres):
    postgres.fill()
    source = postgres.source()
    before = version(source)
    assert version(source) == before
    postgres.execute("UPDATE notes SET year = year WHERE id = 4")
    assert version(source) != before


def test_freezing_and_rewriting_a_table_embed_nothing(postgres, log):
    postgres.fill()
    postgres.index().ingest()
    bought = len(log())
    before = version(postgres.source())
    postgres.execute("VACUUM FREEZE notes")
    assert version(postgres.source()) == before
    for statement in ("VACUUM FULL notes", "ALTER TABLE notes ALTER COLUMN year TYPE bigint"):
        postgres.execute(statement)
        assert postgres.index().ingest().unchanged == 9
    assert len(log()) == bought


def test_a_restored_dump_embeds_nothing(postgres, log):
    postgres.fill()
    postgres.index().ingest()
    bought = len(log())
    dump = subprocess.run(
        [program("pg_dump", "postgresql"), "--clean", "--no-owner", postgres.url], capture_output=True, check=True
    ).stdout
    subprocess.run(
        [program("psql", "postgresql"), "-q", "-v", "ON_ERROR_STOP=1", postgres.url], input=dump, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    report = postgres.index().ingest()
    assert (report.unchanged, report.removed) == (9, 0)
    assert len(log()) == bought


def test_views_and_partitions_and_children_are_followed(postgres):
    postgres.fill()
    postgres.execute(
        "CREATE VIEW seen AS SELECT id, text FROM notes WHERE year > 2004",
        "CREATE MATERIALIZED VIEW kept AS SELECT id, text FROM notes",
        "CREATE TABLE parts (id int, text text, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (100)",
        "INSERT INTO parts SELECT id, text FROM notes",
        "CREATE TABLE parent (id int PRIMARY KEY, text text)",
        "CREATE TABLE child () INHERITS (parent)",
        "INSERT INTO child VALUES (1, 'Of a child.')",
    )
    given = {"table": ["seen", "kept", "parts", "parent"]}
    index = postgres.index(**given)
    assert index.ingest().added == 4 + 9 + 9 + 1
    keyed = {item.uri.rpartition("/")[2]: postgres.source(**given).keys(item, frozenset()) is not None
             for item in postgres.source(**given).list()}  # fmt: skip
    assert keyed == {"seen": False, "kept": False, "parts": True, "parent": False}
    postgres.execute("UPDATE notes SET text = 'Other.' WHERE id = 8", "UPDATE parts SET text = 'Other.' WHERE id = 8",
                     "REFRESH MATERIALIZED VIEW kept", "UPDATE child SET text = 'Other.'")  # fmt: skip
    report = index.ingest()
    assert (report.changed, report.removed) == (4, 0)


def test_a_schema_may_be_named(postgres):
    postgres.execute('CREATE SCHEMA "my.schema"', 'CREATE TABLE "my.schema".notes (id int PRIMARY KEY, text text)',
                     """INSERT INTO "my.schema".notes VALUES (1, 'One.')""")  # fmt: skip
    index = postgres.index(table='"my.schema".notes')
    assert index.ingest().added == 1
    assert rows(index)[0]["uri"] == f"{postgres.shown}/my%2Eschema.notes#1"


def test_xmin_is_refused_where_there_is_none(sqlite):
    sqlite.fill()
    with pytest.raises(ConfigurationError, match="has no xmin"):
        version(sqlite.source(marker="xmin"))


# -- one state -------------------------------------------------------------------------------------------------


def test_a_writer_beside_the_listing_is_seen_whole_or_not_at_all(database, monkeypatch):
    """Two rows change together while the table is read: never is one old and the other new."""
    if database.kind == "duckdb":
        pytest.skip("a file of DuckDB has one process that writes, or several that read")
    if database.kind == "sqlite":
        database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text VARCHAR(99), year INTEGER)")
    database.many("INSERT INTO notes VALUES (?, ?, 1)", [(n, f"Row {n}.") for n in range(5000)])
    source = database.source(rows={"metadata": ["year"]})
    server = source._server()
    with server.snapshot() as connection:
        blocks = server.stream(connection, "SELECT id, year FROM notes ORDER BY id")
        found = next(blocks)
        database.execute("UPDATE notes SET year = 2")
        found += [row for block in blocks for row in block]
        again = server.rows(connection, "SELECT DISTINCT year FROM notes")
    assert len(found) == 5000
    assert {year for _, year in found} == {1}
    assert again == [(1,)]


# -- nothing but reading ---------------------------------------------------------------------------------------


def test_a_query_that_writes_is_refused_by_the_server(postgres):
    postgres.fill()
    postgres.execute("CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM notes; SELECT 1'")
    with pytest.raises(ConfigurationError, match="read-only"):
        version(postgres.source(query="SELECT wipe() AS id, 'x' AS text", name="q"))
    assert len(lines(postgres.source())) == 9


def test_a_statement_is_ended_in_time(database):
    database.fill(300)
    if database.kind == "duckdb":
        pytest.skip("its clock is a thread, and this would take as long as the processor likes")
    slow = {"postgresql": "pg_sleep(10)::text", "mariadb": "SLEEP(10)"}.get(database.kind)
    query = f"SELECT id, {slow} AS text FROM notes" if slow else (
        "SELECT a.id, a.text FROM notes a, notes b, notes c, notes d ORDER BY a.text || b.text || c.text || d.text"
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"took longer than timeout_s \(0.3 s\)"):
        version(database.source(query=query, name="q", timeout_s=0.3))


# -- rights, and what breaks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_table_that_may_not_be_read_stays_as_it_is(make_database, kind):
    database = make_database(kind)
    database.fill()
    database.execute(
        "CREATE TABLE other (id INTEGER PRIMARY KEY, text VARCHAR(99))", "INSERT INTO other VALUES (1, 'One.')"
    )
    if kind == "postgresql":
        database.execute("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 's3cret'",
                         "GRANT SELECT ON notes, other TO reader")  # fmt: skip
    else:
        name = database.url.rpartition("/")[2]
        database.execute("CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 's3cret'",
                         f"GRANT SELECT ON {name}.notes TO reader@'127.0.0.1'",
                         f"GRANT SELECT ON {name}.other TO reader@'127.0.0.1'")  # fmt: skip
    given = {"url": url_of(database, "reader", "s3cret"), "table": ["notes", "other"]}
    assert database.index(**given).ingest().added == 10
    if kind == "postgresql":
        database.execute("REVOKE SELECT ON notes FROM reader")
    else:
        database.execute(f"REVOKE SELECT ON {name}.notes FROM reader@'127.0.0.1'")
    database.execute("DELETE FROM notes WHERE id = 1", "UPDATE other SET text = 'Two.'")
    report = database.index(**given).ingest()
    assert (report.removed, report.changed, report.failed) == (0, 1, 1)
    assert "SELECT" in report.failures[0].reason
    if kind == "postgresql":
        database.execute("DROP OWNED BY reader", "DROP ROLE reader")


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_wrong_credentials_and_servers_that_are_away_show_no_password(make_database, kind):
    database = make_database(kind)
    database.fill()
    user = "prefect" if kind == "postgresql" else "relance"
    shown = []
    for url in (url_of(database, user, "wr0ng"), f"{kind}://{user}:wr0ng@127.0.0.1:{free_port()}/x"):
        source = database.source(url=url)
        with pytest.raises(SourceError) as caught:
            [*source.list()]
        shown += [str(caught.value), repr(source.spec), source.location().text, source.spec.model_dump_json()]
        with pytest.raises(DocumentError) as failed, source.open_rows(next(iter(database.source().list())), ["1"]):
            pass
        shown.append(str(failed.value))
    assert not any("wr0ng" in each for each in shown), shown
    assert source.location(f"{kind}://127.0.0.1/x/notes#1") is None


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_does_not_exist_is_said(make_database, kind):
    database = make_database(kind)
    with pytest.raises(ConfigurationError, match="no such database"):
        [*database.source(url=f"{database.url}x").list()]


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_does_not_exist_is_said_and_not_made(make_database, kind, tmp_path):
    with pytest.raises(ConfigurationError, match="there is no file"):
        [*make_database(kind).source().list()]
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_no_database_breaks_off(make_database, tmp_path):
    for kind in ("sqlite", "duckdb"):
        (tmp_path / f"rows.{kind}").write_bytes(b"no database at all, but long enough to look at " * 200)
        with pytest.raises(SourceError):
            [*make_database(kind).source().list()]


def test_a_connection_that_is_lost_while_keys_are_listed_removes_nothing(postgres, monkeypatch):
    postgres.fill()
    index = postgres.index()
    index.ingest()
    postgres.execute("DELETE FROM notes WHERE id = 1", "UPDATE notes SET text = 'x' WHERE id = 2")
    copied = Postgres.copied

    def cut(self, connection, statement):
        postgres.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        return copied(self, connection, statement)

    with monkeypatch.context() as patch:
        patch.setattr(Postgres, "copied", cut)
        report = index.ingest()
    assert (report.removed, report.changed, report.failed) == (0, 0, 1)
    assert "so what is indexed of it stays" in report.failures[0].reason
    assert len(rows(index)) == 9
    report = index.ingest()
    assert (report.removed, report.changed) == (1, 1)


def test_a_connection_that_is_lost_while_a_table_is_read_removes_nothing(postgres, monkeypatch):
    postgres.fill()
    index = postgres.index(query="SELECT id, text FROM notes", name="q")
    index.ingest()
    postgres.execute("DELETE FROM notes WHERE id = 1")
    streamed = Postgres.stream

    def cut(self, connection, statement, values=()):
        if '"text"' in statement and "COUNT" not in statement:
            postgres.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        yield from streamed(self, connection, statement, values)

    with monkeypatch.context() as patch:
        patch.setattr(Postgres, "stream", cut)
        report = index.ingest()
    assert (report.removed, report.changed, report.failed) == (0, 0, 1)
    assert "so what is indexed of it stays" in report.failures[0].reason
    assert len(rows(index)) == 9
    assert index.ingest().removed == 1


def test_a_server_that_dies_leaves_the_others_in_sync(postgres, tmp_path, docs):
    (docs / "a.md").write_text("A file.")
    with postgres_server() as url:
        mortal = Database("postgresql", url, tmp_path)
        mortal.fill()
        sources = [mortal.section(), {"type": "files", "root": "docs"}]
        index = mortal.index(sections={"sources": sources})
        assert index.ingest().added == 10
    (docs / "b.md").write_text("Another file.")
    report = index.ingest()
    assert (report.added, report.removed, report.failed) == (1, 0, 1)


def test_a_database_that_is_being_written_is_waited_for(sqlite):
    sqlite.fill()
    with contextlib.closing(sqlite3.connect(sqlite.folder / "rows.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM notes WHERE id = 1")
        assert len(lines(sqlite.source())) == 9
        writer.execute("COMMIT")
    assert len(lines(sqlite.source())) == 8


def test_a_file_of_duckdb_that_another_process_writes_is_away(duckdb):
    duckdb.fill()
    path = duckdb.folder / "rows.duckdb"
    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        try:
            with pytest.raises(SourceError, match="another process"):
                [*duckdb.source().list()]
        finally:
            os.kill(writer.pid, signal.SIGKILL)


def test_a_driver_that_is_not_installed_is_named_with_its_extra(monkeypatch, tmp_path):
    for kind, module, extra in (("postgresql", "psycopg", "postgres"), ("mysql", "pymysql", "mysql")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(RelanceError, match=rf"relance\[{extra}\]"):
            [*Database(kind, f"{kind}://u:p@127.0.0.1/x", tmp_path).source().list()]


def test_items_are_tables_of_rows(postgres):
    postgres.fill()
    (item,) = [*postgres.source().list()]
    assert (item.uri, item.media_type, item.source) == (f"{postgres.shown}/notes", JSONL, 1)


def test_the_size_of_a_row_is_known_though_statistics_are_missing_or_old(postgres: Database) -> None:
    """A row that counts as the whole table is a batch of its own."""

    def size() -> int:
        source = postgres.source()
        (table,) = source.list()
        found = source.keys(table, frozenset())
        assert found is not None
        (only,) = {size for keys in found for size in keys["size"].to_pylist()}
        return only

    texts = "SELECT n, repeat(md5(n::text), 30) FROM generate_series({}, {}) n"
    postgres.execute(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT) WITH (autovacuum_enabled = false)",
        "ALTER TABLE notes ALTER COLUMN text SET STORAGE EXTERNAL",  # not compressed
        f"INSERT INTO notes {texts.format(1, 3000)}",
    )
    assert 900 < size() < 2000, "never analysed"
    postgres.execute("ANALYZE notes", f"INSERT INTO notes {texts.format(3001, 9000)}")
    assert 900 < size() < 2000, "analysed when it had a third of its rows"
