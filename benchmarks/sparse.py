"""HybridQuery to search sparse vectors in LanceDB, which has no index for them.

    uv run --group dev python benchmarks/sparse.py [--rows 1000 10000 100000] [--dimension 1024] [--queries 20]

Each table also has a text and a dense column, which a sparse search must not read. Documents have 60-120 of 250,002
terms, drawn by Zipf's law, so that the commonest are in most documents; a question has three common terms and five of
one document. The ways take turns, each in a process of its own:

scan    `relance.embedding.sparse.search_sparse`: stream the column, score every row.
labels  the same, but only rows that an index over lists of terms (LABEL_LIST) finds for the question's terms.
words   a full-text index over the terms as words gives 1,000 candidates, which are scored exactly. Not complete:
        BM25 knows nothing of the weights; recall says how many of the ten best it keeps.
dense   a search of the dense column without an index, as a yardstick.

The last column of the table is what a way keeps on disk for a row; `labels` and `words` need what `scan` has as well.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from relance.embedding.sparse import Sparse, search_sparse

VOCABULARY = 250_002
BATCH = 2000
K = 10
CANDIDATES = 1000
COLUMNS = {"scan": "sparse", "labels": "labels", "words": "words", "dense": "vector"}
WAYS = tuple(COLUMNS)
QUESTIONS = "questions.json"
Hits = list[tuple[str, float]]


def main() -> None:
    """Build a table of each size, ask it in each way, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument(
        "--rounds", type=int, default=3, help="the ways take turns, for a machine is not always as fast"
    )
    parser.add_argument("--child", nargs=3, metavar=("STEP", "WAY", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        step, way, folder = arguments.child
        steps = {
            "build": lambda: build(folder, arguments.rows[0], arguments.dimension, arguments.queries),
            "index": lambda: index(folder, way),
            "ask": lambda: ask(folder, way),
        }
        print(json.dumps(steps[step]()))
        return
    print("| rows | way | p50 ms | × scan | first ms | peak MB more | recall@10 | index s | bytes a row |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="relance-sparse-") as folder:

            def child(step: str, way: str, rows: int = rows, folder: str = folder) -> dict[str, Any]:
                # A process of its own for every step: what one has held would hide what the next one needs.
                command = [sys.executable, __file__, "--child", step, way, folder, "--rows", str(rows)]
                command += ["--dimension", str(arguments.dimension), "--queries", str(arguments.queries)]
                return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

            child("build", "")
            results = {way: child("index", way) for way in WAYS}
            rounds = [{way: child("ask", way) for way in WAYS} for _ in range(arguments.rounds)]
            for way in WAYS:
                results[way] |= merged([answers[way] for answers in rounds])
            report(rows, results)


def merged(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the rounds of one way."""
    return {
        "p50": median(time for answers in rounds for time in answers["times"][1:]),
        "first": median(answers["times"][0] for answers in rounds),
        "memory": max(answers["memory"] for answers in rounds),
        "hits": rounds[0]["hits"],
    }


def report(rows: int, results: dict[str, dict[str, Any]]) -> None:
    """Print one size."""
    for way, result in results.items():
        recall = "–" if way == "dense" else f"{mean(map(overlap, result['hits'], results['scan']['hits'])):.3f}"
        print(
            f"| {rows:,} | {way} | {result['p50']:.1f} | {result['p50'] / results['scan']['p50']:.2f} "
            f"| {result['first']:.0f} | {result['memory']:.0f} | {recall} | {result['build']:.1f} "
            f"| {result['bytes'] / rows:.0f} |",
            flush=True,
        )


def overlap(found: list[str], best: list[str]) -> float:
    """Say which part of the best was found."""
    return len(set(found) & set(best)) / len(best)


def index(folder: str, way: str) -> dict[str, float]:
    """Build what a way needs; say how long that took, and how much it and the column take on disk."""
    import lancedb
    from lancedb.index import FTS, LabelList

    table = lancedb.connect(folder).open_table("chunks")
    configs = {"labels": LabelList(), "words": FTS(base_tokenizer="whitespace", stem=False, remove_stop_words=False)}
    before, start = stored(folder), time.perf_counter()
    if way in configs:
        table.create_index(way, config=configs[way])
    build_s = time.perf_counter() - start
    return {"build": build_s, "bytes": stored(folder) - before + column_bytes(table, COLUMNS[way])}


def ask(folder: str, way: str) -> dict[str, Any]:
    """Ask all questions, the first one twice."""
    import lancedb

    table = lancedb.connect(folder).open_table("chunks")
    questions = [Sparse.of(*pairs) for pairs in json.loads((Path(folder) / QUESTIONS).read_text(encoding="utf-8"))]
    search = partial({"scan": scan, "labels": labels, "words": words, "dense": dense}[way], table)
    table.count_rows("active")
    base = peak()
    times, hits = [], []
    for question in [questions[0], *questions]:
        start = time.perf_counter()
        found = search(question)
        times.append((time.perf_counter() - start) * 1000)
        hits.append([name for name, _ in found])
    return {"times": times, "memory": peak() - base, "hits": hits[1:]}


def scan(table: Any, query: Sparse) -> Hits:
    """Score every row."""
    return search_sparse(table, query, k=K, where="active")


def labels(table: Any, query: Sparse) -> Hits:
    """Score the rows that have one of the terms."""
    # Plain numbers are int64: for them LanceDB converts the column row by row and leaves the index alone.
    terms = f"arrow_cast({query.indices.tolist()}, 'List(Int32)')"
    return search_sparse(table, query, k=K, where=f"array_has_any(labels, {terms}) AND active")


def words(table: Any, query: Sparse) -> Hits:
    """Score the rows that BM25 prefers."""
    from lancedb.query import MatchQuery

    from relance.embedding.sparse import _score

    match = MatchQuery(" ".join(f"t{term}" for term in query.indices), "words")
    rows = table.search(match, query_type="fts").where("active").select(["id", "sparse", "_score"])
    found = rows.limit(CANDIDATES).to_arrow().combine_chunks()
    hits, scores = _score(found["sparse"].chunk(0), query)
    best = np.argsort(-scores, kind="stable")[:K]
    return list(zip(found["id"].take(hits[best]).to_pylist(), scores[best].tolist(), strict=True))


def dense(table: Any, query: Sparse) -> Hits:
    """Compare some dense vector with every row."""
    size = table.schema.field("vector").type.list_size
    vector = np.random.default_rng(int(query.indices[0])).standard_normal(size).astype(np.float32)
    rows = table.search(vector, vector_column_name="vector").distance_type("cosine").where("active").limit(K)
    return [(row["id"], 1 - row["_distance"]) for row in rows.select(["id", "_distance"]).to_list()]


def ask_about(table: Any, queries: int) -> Iterator[Sparse]:
    """Make questions of three common terms and five of a document, the rare ones weighing more."""
    sample = table.search().where("active").select(["labels"]).limit(5000).to_arrow()["labels"].combine_chunks()
    terms, offsets = sample.values.to_numpy(), sample.offsets.to_numpy()
    counts = np.bincount(terms, minlength=VOCABULARY)
    common = np.argsort(-counts, kind="stable")[:30]
    rng = np.random.default_rng(3)
    for _ in range(queries):
        at = rng.integers(len(sample))
        own = rng.choice(terms[offsets[at] : offsets[at + 1]], 5, replace=False)
        indices = np.unique(np.concatenate([rng.choice(common, 3, replace=False), own]))
        yield Sparse.of(
            indices, np.log(2 * len(sample) / (1 + counts[indices])) * rng.uniform(0.03, 0.06, len(indices))
        )


def build(folder: str, rows: int, dimension: int, queries: int) -> None:
    """Write a table and questions for it."""
    import lancedb
    import pyarrow as pa

    from relance.embedding.sparse import sparse_type

    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False), pa.field("text", pa.string()),
            pa.field("active", pa.bool_(), nullable=False), pa.field("sparse", sparse_type()),
            pa.field("labels", pa.list_(pa.int32())), pa.field("words", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), dimension)),
        ]
    )  # fmt: skip
    table = lancedb.connect(folder).create_table("chunks", schema=schema)
    rng = np.random.default_rng(7)
    shares = 1 / np.arange(1, VOCABULARY + 1)
    ranks_by_chance = np.cumsum(shares / shares.sum())
    names = rng.permutation(VOCABULARY).astype(np.int32)  # a term's number says nothing about how common it is
    for start in range(0, rows, BATCH):
        n = min(BATCH, rows - start)
        document = np.repeat(np.arange(n), rng.integers(84, 151, n))
        ranks = np.minimum(np.searchsorted(ranks_by_chance, rng.random(len(document))), VOCABULARY - 1)
        pairs, times = np.unique(document * VOCABULARY + names[ranks], return_counts=True)
        document, terms = pairs // VOCABULARY, (pairs % VOCABULARY).astype(np.int32)
        # As models weigh them: common terms little, repeated ones somewhat more.
        rarity = np.log1p(np.argsort(names)[terms]) / np.log(VOCABULARY)
        values = (rarity * np.log1p(times) * rng.uniform(0.15, 0.45, len(terms))).astype(np.float32)
        offsets = np.searchsorted(document, np.arange(n + 1)).astype(np.int32)
        lists = [pa.ListArray.from_arrays(offsets, flat) for flat in (terms, values)]
        words = np.char.add("t", terms.astype(str))
        texts = [" ".join(words[begin:end]) for begin, end in pairwise(offsets)]
        table.add(pa.table(
            [
                pa.array([f"{(start + i) * 0x9E3779B97F4A7C15 % 2**128:032x}" for i in range(n)]), pa.array(texts),
                pa.array([True] * n), pa.StructArray.from_arrays(lists, fields=list(sparse_type())), lists[0],
                pa.array(texts),
                pa.FixedSizeListArray.from_arrays(rng.standard_normal(n * dimension, dtype=np.float32), dimension),
            ],
            schema=schema,
        ))  # fmt: skip
    table.optimize()
    questions = [(query.indices.tolist(), query.values.tolist()) for query in ask_about(table, queries)]
    (Path(folder) / QUESTIONS).write_text(json.dumps(questions), encoding="utf-8")


def column_bytes(table: Any, column: str) -> int:
    """Say what a column alone takes on disk: measured on up to 10,000 rows."""
    import lancedb

    rows = table.search().where("active").select([column]).limit(10_000).to_arrow()
    with tempfile.TemporaryDirectory(prefix="relance-sparse-") as folder:
        lancedb.connect(folder).create_table("column", rows)
        return stored(folder) * table.count_rows() // rows.num_rows


def stored(folder: str) -> int:
    """Add up the bytes of all files."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def peak() -> float:
    """Say how many MB this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
