"""A table of a database with many rows: the first run, one that finds nothing, one after a single row changed.

    uv run python benchmarks/sql.py postgresql://me@127.0.0.1/postgres [ROWS [TIMES]]

The table `relance_benchmark` is made anew; a text has 32 characters TIMES (30) times.
Vectors are fake; what is measured is all the rest.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from relance.config import IndexSpec
from relance.index import Index

COLUMNS = "id INTEGER PRIMARY KEY, name VARCHAR(100), text TEXT, year INTEGER"


@contextmanager
def measured(what: str) -> Generator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what:28} {time.perf_counter() - wall:8.2f} s  {time.process_time() - cpu:8.2f} CPU-s  {most:6.0f} MB",
        flush=True,
    )


def run(url: str, statement: str) -> None:
    if url.startswith("postgres"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())
        return
    import pymysql

    from relance.sources.sql.address import read_address

    at = read_address(url, Path())
    connection = pymysql.connect(host=at.host, port=at.port, user=at.user, password=at.password, database=at.database,
                                 autocommit=True)  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)


def main(url: str, rows: int, times: int) -> None:
    numbers = (
        f"generate_series(1, {rows}) n" if url.startswith("postgres") else f"(SELECT seq AS n FROM seq_1_to_{rows}) n"
    )
    text = "CONCAT('Row ', n, ' ', repeat(md5({}), {}))".format("n::text" if url.startswith("postgres") else "n", times)
    run(url, "DROP TABLE IF EXISTS relance_benchmark")
    run(url, f"CREATE TABLE relance_benchmark ({COLUMNS})")
    run(url, f"INSERT INTO relance_benchmark SELECT n, CONCAT('name ', n), {text}, 2000 FROM {numbers}")
    with tempfile.TemporaryDirectory() as folder:
        declared = {
            "name": "rows",
            "sources": [
                {"type": "sql", "url": url, "table": "relance_benchmark", "rows": {"metadata": ["year", "name"]}}
            ],
            "chunking": {"strategy": "whole"},
            "embedding": {"model": "fake/hash"},
            "store": {"uri": f"{folder}/db"},
            "folder": Path(folder),
        }

        def index() -> Index:
            return Index(IndexSpec.model_validate(declared))

        with measured("first run"):
            print(index().ingest().added, "rows")
        for _ in range(2):
            with measured("nothing has changed"):
                assert index().ingest().unchanged == rows
        run(url, "UPDATE relance_benchmark SET text = 'Something else.' WHERE id = 777")
        with measured("one row has changed"):
            assert index().ingest().changed == 1
        run(url, "UPDATE relance_benchmark SET text = 'Another thing.' WHERE id = 778")
        with measured("one row, which is named"):
            uri = next(iter(index().search("x", k=1))).uri.partition("#")[0]
            assert index().ingest(only=[f"{uri}#778"]).changed == 1
    run(url, "DROP TABLE relance_benchmark")


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[2:]]
    main(sys.argv[1], *given, *(1_000_000, 30)[len(given) :])
