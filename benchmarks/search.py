"""What a search costs through relance beside the same LanceDB call, exact and indexed, and how much the index finds.

    uv run --group dev python benchmarks/search.py [--rows 100000] [--dimension 1024] [--queries 50]

The table is one relance made: its columns, its full-text and its vector index (IVF_RQ, cosine). Vectors are clustered,
as those of texts are: 500 centres, and around each what differs a little less than they do. Questions are vectors near
those of documents, so no model is asked; words are drawn by Zipf's law. The ways take turns, query by query, for a
machine is not always as fast.

raw      `table.search(vector).distance_type("cosine").limit(10)`, all columns of a hit, with relance's `refine_factor`
         where there is an index. LanceDB's own hybrid search looks ten deep into each list, relance a thousand.
relance  `search_table` with the same vector: also which indexes there are, highlights, and hits as objects.
index    `Index.search` with a question that was asked before: also which table serves the index.

recall@10 is against the same search before there was a vector index.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.config import IndexSpec
from relance.documents import Chunk, Document
from relance.embedding.providers import open_provider
from relance.index import Index
from relance.search import search_table
from relance.search.hybrid_query import refine_factor
from relance.search.query_encoder import Asked
from relance.store import maintenance, open_store
from relance.store.chunks import EmbeddedDocument
from relance.store.index_tables import IndexTables

K = 10
BATCH = 2000
WORDS = 20_000
CENTRES = 500
RETENTION = timedelta(days=1)
COLUMNS = [
    "id",
    "uri",
    "title",
    "heading_path",
    "text",
    "start_char",
    "end_char",
    "page",
    "seq",
    "media_type",
    "metadata",
]
Times = dict[str, list[float]]


def main() -> None:
    """Build a table, ask it in each way, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--queries", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="relance-search-") as folder:
        index, questions = build(Path(folder), arguments.rows, arguments.dimension, arguments.queries)
        table = index.table()
        index_words(table)
        print(f"{arguments.rows:,} × {arguments.dimension}, k = {K}, {arguments.queries} questions; ms p50 / p95\n")
        print("| search | raw | relance | × raw | index | × raw | recall@10 |")
        print("|---|---|---|---|---|---|---|")
        truth = exact(table, questions)
        report("dense, exact", *ask(index, table, questions, "dense"), truth)
        merged = [
            {hit.id for hit in search_table(table, text, (vector, None), mode="hybrid", k=K)}
            for text, vector in questions
        ]
        began = time.perf_counter()
        maintenance.refresh_indexes(table, retention=RETENTION, language="english")
        built = time.perf_counter() - began
        report("dense, indexed", *ask(index, table, questions, "dense"), truth)
        report("dense, indexed, filter", *ask(index, table, questions, "dense", "year >= 2000"), None)
        report("full-text", *ask(index, table, questions, "full-text"), None)
        report("hybrid", *ask(index, table, questions, "hybrid"), merged)
        print(f"\nindex built in {built:.1f} s")


def index_words(table: Any) -> None:
    """Make the full-text index alone, as relance makes it."""
    from lancedb.index import FTS

    table.create_index("text", config=FTS(base_tokenizer="icu", remove_stop_words=False))


def build(folder: Path, rows: int, dimension: int, queries: int) -> tuple[Index, list[tuple[str, NDArray[np.float32]]]]:
    """Write an index without embedding anything; returns it with questions in words and as vectors."""
    spec = IndexSpec.model_validate(
        {
            "name": "bench",
            "sources": [{"type": "files", "root": "docs"}],
            "embedding": {"model": "fake/hash", "dimension": dimension},
            "store": {"uri": "db"},
            "folder": folder,
        }
    )
    rng = np.random.default_rng(7)
    centres = unit(rng.normal(size=(CENTRES, dimension)))
    weights = 1 / np.arange(1, WORDS + 1)
    weights /= weights.sum()
    store = open_store(spec)
    tables = IndexTables.for_model(store, spec, open_provider(spec.embedding).info)
    kept: list[NDArray[np.float32]] = []
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        vectors = unit(
            centres[rng.integers(CENTRES, size=count)] + 0.9 / np.sqrt(dimension) * rng.normal(size=(count, dimension))
        )
        words = rng.choice(WORDS, size=(count, 60), p=weights)
        documents = []
        for at in range(count):
            text = " ".join(f"w{word}" for word in words[at])
            document = Document(
                f"docs/{start + at}.md", text, "text/markdown", "", metadata={"year": 1980 + (start + at) % 45}
            )
            documents.append(EmbeddedDocument(document, [Chunk(0, len(text), 60)], vectors[at : at + 1]))
        tables.chunks.replace(documents, known=[], run_id="bench", now=datetime.now(UTC))
        kept.append(vectors[: 1 + queries * BATCH // rows])
    tables.serve()
    near = np.concatenate(kept)
    near = near[rng.permutation(len(near))[:queries]]
    asked = unit(near + 0.5 / np.sqrt(dimension) * rng.normal(size=near.shape))
    maintenance.compact(tables.chunks.table, retention=RETENTION)
    return Index(spec), [(" ".join(f"w{word}" for word in rng.choice(2000, size=4)), vector) for vector in asked]


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Give rows unit length."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def exact(table: Any, questions: list[tuple[str, NDArray[np.float32]]]) -> list[set[str]]:
    """Find the ten nearest of each question without an index."""
    found = []
    for _, vector in questions:
        query = table.search(vector).distance_type("cosine").bypass_vector_index().limit(K)
        found.append({row["id"] for row in query.select(["id", "_distance"]).to_list()})
    return found


def ask(
    index: Index, table: Any, questions: list[tuple[str, NDArray[np.float32]]], mode: Any, condition: str | None = None
) -> tuple[Times, list[set[str]]]:
    """Ask every question in each way, in turns; returns milliseconds by way, and what relance found."""
    indexed = "vector" in {column for each in table.list_indices() for column in each.columns}
    where = "json_get_int(metadata, 'year') >= 2000" if condition else None
    times: Times = {"raw": [], "relance": [], "index": []}
    found = []
    answers = {text: Asked((vector, None), "cached", "none") for text, vector in questions}
    searcher: Any = index._searcher  # noqa: SLF001  # its questions are as if they had been asked before
    searcher._questions.embed = lambda table, question, **_: answers[question]  # noqa: SLF001, ARG005
    for text, vector in questions:
        ways: dict[str, Callable[[], Any]] = {
            "raw": lambda text=text, vector=vector: raw(table, text, vector, mode, where, indexed=indexed),
            "relance": lambda text=text, vector=vector: search_table(
                table, text, (vector, None), mode=mode, k=K, where=where
            ),
            "index": lambda text=text: index.search(text, k=K, mode=mode, filter=condition),
        }  # fmt: skip
        for name, way in ways.items():
            way()
            began = time.perf_counter()
            hits = way()
            times[name].append((time.perf_counter() - began) * 1000)
        found.append({hit.id for hit in hits})
    return times, found


def raw(table: Any, text: str, vector: Any, mode: str, where: str | None, *, indexed: bool) -> Any:
    """Make the call of LanceDB's that a person would write."""
    from lancedb.query import MatchQuery

    if mode == "full-text":
        query = table.search(MatchQuery(text, "text"), query_type="fts").select([*COLUMNS, "_score"])
    elif mode == "dense":
        query = (
            table.search(vector, vector_column_name="vector").distance_type("cosine").select([*COLUMNS, "_distance"])
        )
        query = query.refine_factor(refine_factor(K)) if indexed else query
    else:
        query = (
            table.search(query_type="hybrid", vector_column_name="vector").vector(vector).text(MatchQuery(text, "text"))
        )
        query = query.distance_type("cosine").rerank()
        query = query.refine_factor(refine_factor(K)) if indexed else query
    return (query.where(where) if where else query).limit(K).to_list()


def report(name: str, times: Times, found: list[set[str]], truth: list[set[str]] | None) -> None:
    """Print a row of the table."""
    base = median(times["raw"])
    cells = [f"{median(times['raw']):.1f} / {p95(times['raw']):.1f}"]
    for way in ("relance", "index"):
        cells += [f"{median(times[way]):.1f} / {p95(times[way]):.1f}", f"{median(times[way]) / base:.2f}"]
    recall = "" if truth is None else f"{np.mean([len(a & b) / K for a, b in zip(found, truth, strict=True)]):.3f}"
    print(f"| {name} | {' | '.join(cells)} | {recall} |", flush=True)


def p95(values: list[float]) -> float:
    """Take the value that 95 percent do not exceed."""
    return float(np.percentile(values, 95))


if __name__ == "__main__":
    main()
