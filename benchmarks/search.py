"""What a search costs through relance beside the same LanceDB call, exact and indexed, and how much the index finds.

    uv run --group dev python benchmarks/search.py [--rows 100000] [--dimension 1024] [--queries 50] [--keep FOLDER]

The table is one relance made: its columns, its full-text and its vector index (IVF_RQ, cosine). Vectors are clustered,
as those of texts are: 500 centres, and around each what differs a little less than they do. Questions are vectors near
those of documents, so no model is asked; words are drawn by Zipf's law. The ways take turns, query by query, for a
machine is not always as fast: factors are medians over these pairs, and those of CPU time hold on a busy machine, too.

raw      `table.search(vector).distance_type("cosine").limit(10)`, all columns of a hit, with relance's `refine_factor`
         where there is an index. LanceDB's own hybrid search looks ten deep into each list, relance a thousand.
table    `TextSearch` with the same vector and an open table: also highlights, and hits as objects.
index    `Index.search` with a question that was asked before: also which table serves the index, in which version.

recall@10 is against the same search before there was a vector index. The eight clients are threads of this process;
those of the pages are clients over HTTP, whose own time counts as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import httpx
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relance.config import IndexSpec
from relance.documents import document_id
from relance.embedding.providers import open_provider
from relance.explore import running
from relance.index import Index
from relance.search import TextSearch
from relance.search.hybrid_query import refine_factor
from relance.search.query_encoder import Asked, QueryEncoder
from relance.store import maintenance, open_store, schemas
from relance.store.index_tables import IndexTables
from relance.store.open_tables import OpenTables

K = 10
BATCH = 2000
WORDS = 20_000
CENTRES = 500
RETENTION = timedelta(days=1)
COLUMNS = ["id", "uri", "title", "heading_path", "text", "start_char", "end_char", "page", "seq", "media_type",
           "metadata"]  # fmt: skip
FILTER = "year >= 2000"
CLIENTS, ROUNDS, EACH = 8, 3, 10
Questions = list[tuple[str, NDArray[np.float32]]]
Times = dict[str, list[float]]


def main() -> None:
    """Build a table, ask it in each way, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="empty folder for the index, or the one of an earlier time")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as exits:
        folder = arguments.keep or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="relance-search-")))
        index = Index(declared(folder, arguments.dimension))
        if not (folder / "questions.json").exists():
            questions = build(index.spec, arguments.rows, arguments.dimension, arguments.queries)
            (folder / "questions.json").write_text(json.dumps([(text, vector.tolist()) for text, vector in questions]))
        questions = [(text, np.array(vector, np.float32))
                     for text, vector in json.loads((folder / "questions.json").read_text())]  # fmt: skip
        answers = {text: Asked((vector, None), "cached", "none") for text, vector in questions}
        exits.enter_context(mock.patch.object(QueryEncoder, "embed", lambda _, __, question, **___: answers[question]))
        print(f"{index.table().count_rows():,} × {arguments.dimension}, k = {K}, {len(questions)} questions\n")
        print("| search | raw ms p50 / p95, CPU | table | × raw, CPU | index | × raw, CPU | recall@10 |")
        print("|---|---|---|---|---|---|---|")
        if not (folder / "truth.json").exists():
            index_words(index.table())
            truth = exact(index.table(), questions)
            report("dense, exact", *ask(index, questions, "dense", indexed=False), truth)
            merged = [{hit.id for hit in index.search(text, k=K)} for text, _ in questions]
            maintenance.refresh_indexes(index.table(), retention=RETENTION, language="english")
            (folder / "truth.json").write_text(json.dumps([[sorted(ids) for ids in each] for each in (truth, merged)]))
        truth, merged = ([set(ids) for ids in each] for each in json.loads((folder / "truth.json").read_text()))
        report("dense, indexed", *ask(index, questions, "dense"), truth)
        report("dense, indexed, filter", *ask(index, questions, "dense", FILTER))
        report("full-text", *ask(index, questions, "full-text"))
        report("full-text, filter", *ask(index, questions, "full-text", FILTER))
        report("hybrid", *ask(index, questions, "hybrid"), merged)
        report("hybrid, filter", *ask(index, questions, "hybrid", FILTER))
        crowd(index, questions)
        pages(index, questions)


def declared(folder: Path, dimension: int) -> IndexSpec:
    """Declare the index."""
    return IndexSpec.model_validate(
        {"name": "bench", "sources": [{"type": "files", "root": "docs"}], "store": {"uri": "db"}, "folder": folder,
         "embedding": {"model": "fake/hash", "dimension": dimension}}
    )  # fmt: skip


def index_words(table: Any) -> None:
    """Make the full-text index alone, as relance makes it."""
    from lancedb.index import FTS

    table.create_index("words", config=FTS(base_tokenizer="icu", remove_stop_words=False))


def build(spec: IndexSpec, rows: int, dimension: int, queries: int) -> Questions:
    """Write an index without embedding anything; returns questions in words and as vectors."""
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
        texts = [" ".join(f"w{word}" for word in words[at]) for at in range(count)]
        written = chunk_rows(tables.chunks.schema, texts, vectors, start)
        tables.chunks.replace(written, known=[], run_id="bench", now=datetime.now(UTC))
        kept.append(vectors[: 1 + queries * BATCH // rows])
    tables.serve()
    near = np.concatenate(kept)
    near = near[rng.permutation(len(near))[:queries]]
    asked = unit(near + 0.5 / np.sqrt(dimension) * rng.normal(size=near.shape))
    maintenance.compact(tables.chunks.table, retention=RETENTION)
    return [(" ".join(f"w{word}" for word in rng.choice(2000, size=4)), vector) for vector in asked]


def chunk_rows(schema: pa.Schema, texts: list[str], vectors: NDArray[np.float32], start: int) -> pa.Table:
    """Make a row of each text, as the writer takes them; its year is one of 45."""
    uris = [f"docs/{at}.md" for at in range(start, start + len(texts))]
    ids = [document_id(uri) for uri in uris]
    metadata = [f'{{"year": {1980 + at % 45}}}' for at in range(start, start + len(texts))]
    columns = {
        "id": pa.array(ids), "doc_id": pa.array(ids), "uri": pa.array(uris), "text": pa.array(texts),
        "metadata": schemas.json_column(metadata), "media_type": pa.repeat("text/markdown", len(texts)),
        "tokens": pa.repeat(pa.scalar(60, pa.int32()), len(texts)),
        "seq": pa.repeat(pa.scalar(0, pa.int32()), len(texts)),
        "vector": pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1]),
    }  # fmt: skip
    wanted = schemas.values(schema)
    return pa.table([columns.get(each.name, pa.nulls(len(texts), each.type)) for each in wanted], schema=wanted)


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Give rows unit length."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def exact(table: Any, questions: Questions) -> list[set[str]]:
    """Find the ten nearest of each question without an index."""
    found = []
    for _, vector in questions:
        query = table.search(vector).distance_type("cosine").bypass_vector_index().limit(K)
        found.append({row["id"] for row in query.select(["id", "_distance"]).to_list()})
    return found


def ways(
    index: Index, mode: Any, condition: str | None = None, *, indexed: bool = True
) -> dict[str, Callable[..., Any]]:
    """Say how a question, in words and as a vector, is asked in each way."""
    where = "json_get_int(metadata, 'year') >= 2000" if condition else None
    table, opened = index.table(), OpenTables(open_store(index.spec))
    version = opened.newest(table.name)
    return {
        "raw": lambda text, vector: raw(table, text, vector, mode, where, indexed=indexed),
        "table": lambda text, vector: TextSearch(version, text, (vector, None), mode=mode, k=K, where=where).page(
            offset=0
        ),
        "index": lambda text, _: index.search(text, k=K, mode=mode, filter=condition),
    }


def ask(index: Index, questions: Questions, mode: Any, condition: str | None = None, *,
        indexed: bool = True) -> tuple[Times, Times, list[set[str]]]:  # fmt: skip
    """Ask every question in each way, in turns; returns milliseconds and CPU-ms by way, and what relance found."""
    return take_turns(ways(index, mode, condition, indexed=indexed), questions)


def take_turns(ways: dict[str, Callable[..., Any]], questions: Questions) -> tuple[Times, Times, list[set[str]]]:
    """Run every question twice in each way; only the second run is timed."""
    times: Times = defaultdict(list)
    cpu: Times = defaultdict(list)
    found = []
    for question in questions:
        hits: Any = []
        for name, way in ways.items():
            way(*question)
            began, busy = time.perf_counter(), time.process_time()
            hits = way(*question)
            times[name].append((time.perf_counter() - began) * 1000)
            cpu[name].append((time.process_time() - busy) * 1000)
        found.append({hit.id for hit in hits})
    return times, cpu, found


def raw(table: Any, text: str, vector: Any, mode: str, where: str | None, *, indexed: bool) -> Any:
    """Make the call of LanceDB's that a person would write."""
    from lancedb.query import MatchQuery

    if mode == "full-text":
        query = table.search(MatchQuery(text, "words"), query_type="fts").select([*COLUMNS, "_score"])
    elif mode == "dense":
        query = (
            table.search(vector, vector_column_name="vector").distance_type("cosine").select([*COLUMNS, "_distance"])
        )
        query = query.refine_factor(refine_factor(K)) if indexed else query
    else:
        query = table.search(query_type="hybrid", vector_column_name="vector").vector(vector)
        query = query.text(MatchQuery(text, "words"))
        query = query.distance_type("cosine").rerank()
        query = query.refine_factor(refine_factor(K)) if indexed else query
    return (query.where(where) if where else query).limit(K).to_list()


def report(name: str, times: Times, cpu: Times, found: list[set[str]], truth: list[set[str]] | None = None) -> None:
    """Print a row of the table."""
    cells = [f"{shown(times['raw'])}, {np.mean(cpu['raw']):.1f}"]
    for way in ("table", "index"):
        pairs = [ours / base for ours, base in zip(times[way], times["raw"], strict=True)]
        cells += [shown(times[way]), f"{median(pairs):.2f}, {sum(cpu[way]) / sum(cpu['raw']):.2f}"]
    recall = "" if truth is None else f"{np.mean([len(a & b) / K for a, b in zip(found, truth, strict=True)]):.3f}"
    print(f"| {name} | {' | '.join(cells)} | {recall} |", flush=True)


def shown(values: list[float]) -> str:
    """Write the median, and the value that 95 percent do not exceed."""
    return f"{median(values):.1f} / {np.percentile(values, 95):.1f}"


def crowd(index: Index, questions: Questions) -> None:
    """Print how many questions eight clients get answered in a second, raw and through the index."""
    for mode in ("dense", "full-text", "hybrid"):
        asked = ways(index, mode)
        rates = in_rounds({name: lambda way=asked[name]: way for name in ("raw", "index")}, questions)
        share = median(ours / base for ours, base in zip(rates["index"], rates["raw"], strict=True))
        print(f"\n{CLIENTS} clients, {mode}: {median(rates['index']):.0f} a second of {median(rates['raw']):.0f} raw, "
              f"{share:.2f}", end="")  # fmt: skip
    print(flush=True)


def pages(index: Index, questions: Questions) -> None:
    """Print what a page of answers of `relance explore` takes."""
    modes = {"full-text passages": {"mode": "full-text", "show": "passages"}, "hybrid documents": {}}
    with running(index) as entrance:
        for name, asked in modes.items():
            times, cpu, _ = take_turns({name: visitor(entrance, asked)}, questions)
            rates = in_rounds({name: partial(visitor, entrance, asked)}, questions)
            print(f"explore, {name}: {shown(times[name])} ms, {np.mean(cpu[name]):.1f} CPU-ms; "
                  f"{CLIENTS} clients {median(rates[name]):.0f} pages a second", flush=True)  # fmt: skip


def visitor(entrance: str, asked: dict[str, str]) -> Callable[..., Any]:
    """Let a browser in; returns how it asks a question."""
    client = httpx.Client(trust_env=False)
    client.get(entrance)
    address = entrance.partition("?")[0]

    def visit(text: str, _: Any) -> list[Any]:
        client.get(address, params={"q": text, **asked}).raise_for_status()
        return []

    return visit


def in_rounds(clients: dict[str, Callable[[], Callable[..., Any]]], questions: Questions) -> dict[str, list[float]]:
    """Let clients of each kind, which are made by a function, ask all at once, in turns; returns answers a second."""
    rates: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, make in clients.items():
            ready = [make() for _ in range(CLIENTS)]
            began = time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as threads:
                list(threads.map(ask_some, ready, [questions[at:] + questions[:at] for at in range(CLIENTS)]))
            rates[name].append(CLIENTS * EACH / (time.perf_counter() - began))
    return rates


def ask_some(way: Callable[..., Any], questions: Questions) -> None:
    """Ask some questions, one after the other."""
    for question in questions[:EACH]:
        way(*question)


if __name__ == "__main__":
    main()
