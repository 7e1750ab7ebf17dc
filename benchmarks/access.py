"""What it costs to search as somebody: the same questions as the owner and as a reader, taking turns.

    uv run --group dev python benchmarks/access.py [--rows 100000] [--dimension 256] [--queries 40]

The tables are those of `benchmarks/search.py`, with permissions: of 1,000 groups each chunk is for one to three, and
the reader is in ten, so that this reader sees some 2 % of them. Factors are medians over pairs of searches, one after
the other; those of CPU time hold on a busy machine, too.

restricted   every chunk has principals, and they are indexed (LABEL_LIST), as a run leaves them.
not indexed  the same table without that index.
mixed        half of the chunks say nothing (NULL), as after `access` was added to one of two sources.
settled      the same table after the end of a run, which writes `*` there; what that takes is printed, too.
open         a table that has the column, and no permissions: the reader costs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import search as searching

import relance
from relance.config import AccessSpec
from relance.index import Index
from relance.search.query_encoder import Asked, QueryEncoder
from relance.store.maintenance import refresh_indexes
from relance.store.open_rows import settle_open_rows

GROUPS, OF_READER = 1000, 10
CASES = ("restricted", "not indexed", "mixed", "settled", "open")
MODES = ("dense", "full-text", "hybrid")


def main() -> None:
    """Build a table for each case, and print what readers cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    arguments = parser.parse_args()
    reader = [f"group:{number}" for number in range(OF_READER)]
    print("| table | search | sees | p50, × owner | CPU, × owner |\n|" + "---|" * 5)
    for case in arguments.cases:
        with tempfile.TemporaryDirectory(prefix="relance-access-") as folder, contextlib.ExitStack() as exits:
            index = Index(searching.declared(Path(folder), arguments.dimension))
            with mock.patch.object(searching, "chunk_rows", partial(rows_with_access, case, searching.chunk_rows)):
                questions = searching.build(index.spec, arguments.rows, arguments.dimension, arguments.queries)
            refresh_indexes(index.table(), retention=searching.RETENTION, language="english")
            if case == "not indexed":
                table = index.table()
                for each in table.list_indices():
                    if each.columns == ["access"]:
                        table.drop_index(each.name)
            if case == "settled":
                settle(index)
            vectors = dict(questions)

            def answer(_: QueryEncoder, __: Any, text: str, known: Any = vectors, **___: Any) -> Asked:
                """Take the vector that was made with the question."""
                return Asked((known[text], None), "cached", "")

            exits.enter_context(mock.patch.object(QueryEncoder, "embed", answer))
            report(case, index, reader, [text for text, _ in questions])


def settle(index: Index) -> None:
    """Write `*` where rows say nothing, and refresh the indexes, as the end of a run does."""
    restricted = [each.model_copy(update={"access": AccessSpec()}) for each in index.spec.sources]
    spec, table = index.spec.model_copy(update={"sources": restricted}), index.table()
    began, busy = time.perf_counter(), time.process_time()
    rows = settle_open_rows(table, spec)
    written, cpu = time.perf_counter() - began, time.process_time() - busy
    refresh_indexes(table, retention=searching.RETENTION, language="english")
    took, all_cpu = time.perf_counter() - began, time.process_time() - busy
    print(
        f"settled {rows:,} rows in {written:.2f} s ({cpu:.2f} CPU-s), with indexes {took:.2f} s ({all_cpu:.2f} CPU-s)"
    )


def rows_with_access(case: str, make: Any, schema: pa.Schema, *arguments: Any) -> pa.Table:
    """Give the rows of the benchmark their readers."""
    rows = make(schema, *arguments)
    chance = np.random.default_rng(rows.num_rows + arguments[-1])
    groups = [[f"group:{g}" for g in chance.integers(0, GROUPS, chance.integers(1, 4))] for _ in range(rows.num_rows)]
    access = [
        None if case == "open" or (case in {"mixed", "settled"} and n % 2) else each for n, each in enumerate(groups)
    ]
    at = rows.schema.get_field_index("access")
    return rows.set_column(at, rows.schema.field(at), pa.array(access, pa.list_(pa.string())))


def report(case: str, index: Index, reader: list[str], texts: list[str]) -> None:
    """Ask as the owner and as a reader by turns."""
    with index:
        seen = index.for_principals(reader).visible().count_rows("active") / index.table().count_rows("active")
        for mode in MODES:
            pairs, cpus = [], []
            for text in texts:
                took, cpu = {}, {}
                for who, principals in {"owner": relance.OWNER, "reader": reader}.items():
                    for _ in range(2):  # the second time counts
                        began, busy = time.perf_counter(), time.process_time()
                        index.search(text, mode=mode, principals=principals)
                        took[who], cpu[who] = time.perf_counter() - began, time.process_time() - busy
                pairs.append(took["reader"] / took["owner"])
                cpus.append(cpu["reader"] / cpu["owner"])
            print(
                f"| {case} | {mode} | {seen:.1%} | {median(pairs):.2f} | {median(cpus):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
