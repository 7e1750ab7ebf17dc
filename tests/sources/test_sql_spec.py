"""What a section of SQL may say, and queries that are refused before anything runs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from relance.config.sources import RowsSpec
from relance.sources.sql.address import read_address
from relance.sources.sql.json_lines import write_lines
from relance.sources.sql.one_query import refusal
from relance.sources.sql.relation import Relation, parts_of
from relance.sources.sql.row_names import ids_of, join
from relance.sources.sql.servers import Column
from relance.sources.sql.spec import SqlSpec

URL = "postgresql://u:s3cret@h/d"


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({}, "set one of `table` and `query`"),
        ({"table": "t", "query": "SELECT 1", "name": "q"}, "set one of"),
        ({"query": "SELECT 1"}, "a query needs `name`"),
        ({"table": "t", "name": "q"}, "`name` is for a query only"),
        ({"table": "a.b.c"}, "is no name of a table"),
        ({"table": "a."}, "is no name of a table"),
        ({"table": ["t", '"t"']}, "names a table twice"),
        ({"table": "t", "rows": None}, "is read row by row only"),
        ({"table": "t", "encoding": "utf-8"}, "has no encoding"),
        ({"table": "t", "key": ["a"], "rows": {"id": "b"}}, "both name rows"),
        ({"table": "t", "url": "postgre://u:s3cret@h/d"}, "did you mean postgres"),
        ({"table": "t", "url": "shop.db"}, "is no address of a database"),
        ({"table": "t", "url": "postgresql://u:s3cret@h"}, "names no database"),
        ({"table": "t", "url": "postgresql://u:s3#cret@h/d"}, "percent-encode"),
        ({"table": "t", "url": "postgresql://u:s3/cret@h/d"}, "percent-encode"),
        ({"table": "t", "url": "postgresql://u:s3cret@h:x/d"}, "percent-encode"),
        ({"table": "t", "url": "sqlite://shop.db"}, "names no file"),
        ({"table": "t", "url": "sqlite:///x.db", "notify": "c"}, "PostgreSQL only"),
        ({"table": "t", "timeout_s": 0}, "greater than 0"),
    ],
)
def test_a_wrong_section_is_refused_without_its_password(section, problem):
    with pytest.raises(ValidationError) as caught:
        SqlSpec.model_validate({"url": URL} | section)
    text = "; ".join(each["msg"] for each in caught.value.errors(include_input=False))
    assert problem in text
    assert "cret" not in text


def test_rows_are_there_without_being_said():
    assert SqlSpec.model_validate({"url": URL, "table": "t"}).rows == RowsSpec()


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t",
        "",
        "-- nothing",
        "SELECT 1; DROP TABLE t",
        "SELECT 1;;",
        "SELECT 1) q; DROP TABLE t; --",
        "SELECT 1) UNION (SELECT 2",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 'a\\''; DROP TABLE t; -- '",
        "SELECT 'a\\'; DROP TABLE t; -- '",
        "SELECT $$a$$; DROP TABLE t",
        "SELECT 'open",
        "SELECT 1 /* open",
        "CALL f()",
        "COPY t TO '/tmp/x'",
        "SET ROLE x",
        "/* SELECT */ INSERT INTO t VALUES (1)",
    ],
)
def test_what_is_not_one_query_that_reads_is_refused(query):
    assert refusal(query)
    with pytest.raises(ValidationError):
        SqlSpec.model_validate({"url": URL, "query": query or " ", "name": "q"})


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select 1 ;  ",
        "  (SELECT 1)",
        "-- why\nSELECT ';' AS a, \"b;c\" FROM t -- end",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT * FROM deleted WHERE note = 'it''s; fine' /* ; */",
        "SELECT created, updated FROM t WHERE a = ')'",
    ],
)
def test_a_query_that_reads_is_taken(query):
    assert refusal(query) == ""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@DB.example.com:5432/shop?sslmode=require", "postgresql://db.example.com/shop"),
        ("postgres+psycopg://u:p%40@h:5433/a%20b", "postgresql://h:5433/a%20b"),
        ("mariadb://h/d", "mariadb://h/d"),
        ("mysql://u@[::1]:3307/d", "mysql://[::1]:3307/d"),
        ("sqlite:///data/shop.db", "sqlite:///data/shop.db"),
        ("sqlite:///./data/../shop.db?x=1", "sqlite:///shop.db"),
        ("duckdb:////srv/shop.db", "duckdb:////srv/shop.db"),
    ],
)
def test_what_is_shown_of_an_address(url, shown, tmp_path):
    assert read_address(url, tmp_path).shown == shown


def test_passwords_are_decoded(tmp_path):
    address = read_address("postgresql://us%40er:p%2F%23%3A@h/d", tmp_path)
    assert (address.user, address.password) == ("us@er", "p/#:")


def test_no_two_relations_have_the_same_uri():
    uris = [Relation.of_table("x", each).uri for each in ("a.b", '"a.b"', "query:q", '"a%2Eb"')]
    uris += [Relation.of_query("x", each, "SELECT 1").uri for each in ("q", "a.b")]
    assert len(set(uris)) == len(uris)
    assert parts_of('"a""b"."c.d"') == ('a"b', "c.d")


def test_names_of_several_columns_lead_back_to_them():
    columns = [Column("a", kind="text"), Column("b", kind="int")]
    for values in (("x/1", 2), ("%2F", -3), ("", 1), ("a%25/b", 4)):
        assert ids_of(join([str(each) for each in values]), columns) == values
    for name in ("x", "x/1/2", "x/y", "x/01", "x/1_0", "x/ 1"):
        assert ids_of(name, columns) is None
    assert ids_of("no uuid", [Column("a", kind="uuid")]) is None


def test_lines_are_json_whatever_a_value_is(tmp_path):
    import io
    import json
    from decimal import Decimal
    from ipaddress import ip_address

    values = ('a\n"b\u2028\ud800', Decimal("1E+5"), Decimal("NaN"), float("inf"), ip_address("::1"), {"k": (1, b"x")})
    stream = io.BytesIO()
    size = write_lines(stream, [[values]], [str(number) for number in range(6)], [False] * 6)
    data = stream.getvalue()
    assert size == len(data)
    (line,) = data.decode("utf-8-sig").splitlines()
    found = json.loads(line)
    assert found == {
        "0": values[0], "1": 1e5, "2": None, "3": None, "4": "::1", "5": {"k": [1, {"bytes": 1}]}
    }  # fmt: skip
