"""What the values of each server become."""

from __future__ import annotations

import json

from rows import rows

from relance.sources.sql import Sql


def lines(source: Sql) -> list[dict]:
    """Read the only table as the parser gets it."""
    (found,) = [*source.list()]
    return [json.loads(line) for line in source.read(found).data.decode("utf-8-sig").splitlines()]


def test_types_of_postgres(postgres):
    postgres.execute(
        "CREATE TYPE mood AS ENUM ('glad', 'sad')", "CREATE DOMAIN tag AS text",
        """CREATE TABLE notes (id uuid PRIMARY KEY, text text, n numeric(10, 2), f float8, d date, at timestamptz,
           plain timestamp, span interval, mood mood, tag tag, list int[], j json, jb jsonb, ip inet, r int4range,
           b boolean)""",
        """INSERT INTO notes VALUES ('6f1c2d30-0000-4000-8000-000000000001', 'One.', 1.50, 'NaN', '2024-02-29',
           '2024-01-01 12:00:00.5+02', 'infinity', '1 day 2 hours', 'glad', 'x', '{1,2}', '{"a": [1, {"b": 1.10}]}',
           '{"k": "v"}', '10.0.0.1', '[1,5)', true)""",
    )  # fmt: skip
    wanted = ["n", "f", "d", "at", "plain", "span", "mood", "tag", "list", "j", "jb", "ip", "r", "b"]
    given = {"rows": {"text": ["{text} {n} {j.a.1.b} {jb.k}"], "metadata": wanted}}
    (row,) = lines(postgres.source(**given))
    assert row == {
        "id": "6f1c2d30-0000-4000-8000-000000000001", "text": "One.", "n": 1.5, "f": None, "d": "2024-02-29",
        "at": "2024-01-01T10:00:00.5+00:00", "plain": "infinity", "span": 93600.0, "mood": "glad", "tag": "x",
        "list": [1, 2], "j": {"a": [1, {"b": 1.1}]}, "jb": {"k": "v"}, "ip": "10.0.0.1", "r": "[1, 5)", "b": True,
    }  # fmt: skip
    index = postgres.index(**given)
    index.ingest()
    assert rows(index)[0]["text"] == "One. 1.50 1.10 v"
    postgres.execute("UPDATE notes SET text = 'Two.'")
    assert index.ingest().changed == 1  # found again by its UUID


def test_types_of_mariadb(mariadb):
    mariadb.execute(
        """CREATE TABLE notes (id BIGINT UNSIGNED PRIMARY KEY, text TEXT, n DECIMAL(10, 2), at TIMESTAMP NULL,
           d DATE, t TIME, e ENUM('a', 'b'), j JSON)""",
        "SET time_zone = '+02:00'",
        """INSERT INTO notes VALUES (18446744073709551615, 'One.', 1.50, '2024-01-01 12:00:00', '2024-02-29', '01:00:00',
           'a', '{"k": 1}')""",
    )  # fmt: skip
    given = {"rows": {"metadata": ["n", "d", "t", "e", "j"]}}
    assert lines(mariadb.source(**given)) == [
        {
            "id": 18446744073709551615,
            "text": "One.",
            "n": 1.5,
            "d": "2024-02-29",
            "t": 3600.0,
            "e": "a",
            "j": '{"k": 1}',
        }
    ]
    index = mariadb.index(**given)
    assert index.ingest().added == 1
    mariadb.execute("UPDATE notes SET text = 'Two.'")
    assert index.ingest().changed == 1


def test_types_of_sqlite_are_those_of_each_value(sqlite):
    sqlite.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text, year)",
                   "INSERT INTO notes VALUES (1, 'One.', 2), (2, 5, 2.0), (3, 'Three.', 'x'), (4, x'ff00', 1)",
                   "INSERT INTO notes VALUES (5, CAST(x'61ff' AS TEXT), NULL)")  # fmt: skip
    given = {"rows": {"metadata": ["year"]}}
    report = sqlite.index(**given).ingest()
    assert (report.added, report.failed) == (3, 2)
    assert any("bytes" in failure.reason for failure in report.failures if failure.uri.endswith("#4"))
    found = {row["uri"][-1]: row["metadata"]["year"] for row in rows(sqlite.index(**given))}
    assert found == {"1": 2, "2": 2.0, "3": "x"}


def test_types_of_duckdb(duckdb):
    duckdb.execute(
        """CREATE TABLE notes (id UUID PRIMARY KEY, text VARCHAR, moment TIMESTAMPTZ, l INTEGER[], s STRUCT(a INTEGER),
           n DECIMAL(10, 2), j JSON)""",
        """INSERT INTO notes VALUES ('6f1c2d30-0000-4000-8000-000000000001', 'One.', '2024-01-01 12:00:00+02', [1, 2],
           {'a': 1}, 1.50, '{"k": 1.10}')""",
    )  # fmt: skip
    given = {"rows": {"metadata": ["moment", "l", "s", "n", "j"]}}
    assert lines(duckdb.source(**given)) == [
        {"id": "6f1c2d30-0000-4000-8000-000000000001", "text": "One.", "moment": "2024-01-01T10:00:00.000000+00:00",
         "l": [1, 2], "s": {"a": 1}, "n": 1.5, "j": {"k": 1.1}}
    ]  # fmt: skip
    index = duckdb.index(**given)
    assert index.ingest().added == 1
    duckdb.execute("UPDATE notes SET text = 'Two.'")
    assert index.ingest().changed == 1


def test_columns_of_different_collations_and_nulls_are_told_apart(mariadb):
    mariadb.execute(
        """CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, a VARCHAR(9) COLLATE utf8mb4_bin,
           b VARCHAR(9) CHARACTER SET latin1, c VARCHAR(9))""",
        "INSERT INTO notes VALUES (1, 'One.', 'x', 'é', NULL)",
    )
    source = mariadb.source(rows={"metadata": ["a", "b", "c"]})
    seen = set()
    for values in (
        "'x', 'é', NULL",
        "'x', 'é', ''",
        "NULL, 'x', 'é'",
        "'', 'x', 'é'",
        "'x', NULL, 'é'",
        "'x,1', 'é', 'x'",
    ):
        mariadb.execute(f"REPLACE INTO notes VALUES (1, 'One.', {values})")
        (item,) = source.list()
        seen.add(item.version)
    assert len(seen) == 6
