"""Clusters and anomalies of a large table, beside loading all of it and calling scikit-learn.

    uv run --group dev python benchmarks/analysis.py [--rows 100000] [--dimension 1024] [--only WORD]

The table is shaped like any index's: unit vectors around 30 directions, one in 200 around none. Each way runs in a
process of its own; seconds are of the work, without imports, and the peak is of the whole process. `agreement` is the
adjusted Rand index of the clusters found with those the vectors were drawn from (1: the same), or the share of the
strays that are among as many of the strangest rows.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUPS = 30
STRAY = 200  # one in so many
SPREAD = 1.2
WRITTEN = 2000  # rows a commit
SAMPLE = 5_000


def main() -> None:
    """Build the table, run every way, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--only", default="", help="ways whose names contain this")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(run(*arguments.child)))
        return
    with tempfile.TemporaryDirectory(prefix="relance-analysis-") as name:
        folder = Path(name)
        build(folder, arguments.rows, arguments.dimension)
        print(f"{arguments.rows:,} × {arguments.dimension:,}: {arguments.rows * arguments.dimension / 2**18:,.0f} MB")
        print("| way | s | peak MB | agreement |\n|---|---|---|---|", flush=True)
        for way in WAYS:
            if arguments.only in way:
                command = [sys.executable, __file__, "--child", way, name]
                figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(f"| {way} | {figures['s']:.1f} | {figures['peak']:.0f} | {figures['agreement']} |", flush=True)


def declared(folder: Path, dimension: int) -> Any:
    """Declare the index."""
    from relance.config import IndexSpec

    return IndexSpec.model_validate(
        {
            "name": "large",
            "sources": [{"type": "files", "root": "docs"}],
            "embedding": {"model": "fake/hash", "dimension": dimension},
            "store": {"uri": "db"},
            "folder": folder,
        }
    )


def build(folder: Path, rows: int, dimension: int) -> None:
    """Write the table as a run would, without paying for a model."""
    import pyarrow as pa

    from relance.embedding.providers import open_provider
    from relance.store import open_store
    from relance.store.index_tables import IndexTables

    (folder / "docs").mkdir()
    (folder / "dimension").write_text(str(dimension), encoding="utf-8")
    spec = declared(folder, dimension)
    tables = IndexTables.for_model(open_store(spec), spec, open_provider(spec.embedding).info)
    table, now = tables.chunks.create(), datetime.now(UTC)
    names = table.schema.names
    schema = table.schema.set(names.index("metadata"), pa.field("metadata", pa.json_()))
    for ids, texts, vectors in made(rows, dimension):
        n = len(ids)
        columns = {
            "id": pa.array(ids), "doc_id": pa.array(ids), "uri": pa.array([f"docs/{name}.md" for name in ids]),
            "title": pa.array([f"Note {name}" for name in ids]), "text": pa.array(texts),
            "heading_path": pa.array([[]] * n, pa.list_(pa.string())), "seq": pa.array([0] * n, pa.int32()),
            "media_type": pa.array(["text/markdown"] * n), "run_id": pa.array(["bench"] * n),
            "updated_at": pa.array([now] * n, pa.timestamp("us", tz="UTC")), "active": pa.array([True] * n),
            "metadata": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * n)),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension),
        }  # fmt: skip
        arrays = [columns[field.name] if field.name in columns else pa.nulls(n, field.type) for field in schema]
        table.add(pa.table(arrays, schema=schema))
    tables.serve()


def made(rows: int, dimension: int) -> Iterator[tuple[list[str], list[str], NDArray[np.float32]]]:
    """Yield ids, texts and vectors; the id of a row says which direction it is around, 99 for none."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, dimension)) / np.sqrt(dimension)
    for start in range(0, rows, WRITTEN):
        n = min(WRITTEN, rows - start)
        group, stray = rng.integers(0, GROUPS, n), rng.random(n) < 1 / STRAY
        vectors = np.where(stray[:, None], 0, centres[group]) + rng.normal(size=(n, dimension)) * SPREAD / np.sqrt(
            dimension
        )
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        group = np.where(stray, 99, group)
        texts = [" ".join(f"topic{each}word{word}" for word in rng.integers(0, 20, 40)) for each in group]
        yield [f"{start + at:07}-{each:02}" for at, each in enumerate(group)], texts, vectors.astype(np.float32)


def run(way: str, folder: str) -> dict[str, Any]:
    """Run one way and measure it."""
    for name in ("cluster", "decomposition", "manifold", "neighbors"):
        importlib.import_module(f"sklearn.{name}")
    index = opened(Path(folder))
    began = time.perf_counter()
    agreement = WAYS[way](index)
    seconds = time.perf_counter() - began
    return {"s": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "agreement": agreement()}


def opened(folder: Path) -> Any:
    from relance.index import Index

    return Index(declared(folder, int((folder / "dimension").read_text(encoding="utf-8"))))


def nothing(index: Any) -> Callable[[], str]:
    index.table().count_rows()
    return lambda: "—"


def clusters(**options: Any) -> Callable[[Any], Callable[[], str]]:
    def way(index: Any) -> Callable[[], str]:
        from relance.analysis.cluster import cluster

        found = cluster(index, level="chunks", **options)
        return lambda: f"{rand(found.ids, found.labels)} ({sum(each.id >= 0 for each in found.clusters)} clusters)"

    return way


def plain_means(index: Any) -> Callable[[], str]:
    from sklearn.cluster import KMeans

    ids, vectors = everything(index)
    labels = KMeans(GROUPS, n_init=1, random_state=0).fit_predict(vectors)
    return lambda: rand(ids, labels)


def anomalies(index: Any) -> Callable[[], str]:
    from relance.analysis.anomalies import find_anomalies

    rows = index.table().count_rows()
    found = find_anomalies(index, level="chunks", limit=rows // STRAY)
    return lambda: strays([each.id for each in found.found])


def plain_anomalies(index: Any) -> Callable[[], str]:
    """Do what is done here, in memory: the mean distance to five of 5,000 rows."""
    from sklearn.neighbors import NearestNeighbors

    ids, vectors = everything(index)
    chosen = np.random.default_rng(0).choice(len(vectors), SAMPLE, replace=False)
    nearest = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(vectors[chosen])
    scores = nearest.kneighbors(vectors)[0][:, -5:].mean(axis=1)
    return lambda: strays([ids[at] for at in scores.argsort()[::-1][: len(ids) // STRAY].tolist()])


def everything(index: Any) -> tuple[list[str], NDArray[np.float32]]:
    rows = index.table().search().where("active").select(["id", "vector"]).limit(None).to_arrow()
    flat = rows["vector"].combine_chunks().flatten().to_numpy()
    return rows["id"].to_pylist(), flat.reshape(len(rows), -1)


def rand(ids: list[str], labels: NDArray[Any]) -> str:
    from sklearn.metrics import adjusted_rand_score

    truth = np.array([int(name.rpartition("-")[2]) for name in ids])
    return f"{adjusted_rand_score(truth[truth < 99], labels[truth < 99]):.3f}"


def strays(ids: list[str]) -> str:
    return f"{np.mean([name.endswith('-99') for name in ids]) if ids else 0:.2f}"


WAYS: dict[str, Callable[[Any], Callable[[], str]]] = {
    "opening the table": nothing,
    "relance cluster, 30 by k-means": clusters(k=GROUPS, projection=None),
    "relance cluster, number found, with a map": clusters(),
    "relance cluster, HDBSCAN, with a map": clusters(method="hdbscan"),
    "all in memory, scikit-learn k-means": plain_means,
    "relance anomalies": anomalies,
    "all in memory, nearest of 5,000": plain_anomalies,
}

if __name__ == "__main__":
    main()
