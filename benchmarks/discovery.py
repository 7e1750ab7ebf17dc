"""What comparing the sources with the index costs: rows of JSONL, CSV and Parquet, and files, by their number.

    uv run --group dev python benchmarks/discovery.py [--kinds jsonl csv parquet files] [--sizes 10000 100000 1000000]

Each figure is processor time of listing, reading and comparing in a process of its own, in CPU-s per 100,000 documents:
of a first run, of a run after the file (or one of the files) was touched, so that all its rows are compared, and of a
run that finds nothing changed. `grows` is the exponent of the time over the number of documents: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relance.pipeline.discovery import Discovery

STEPS = ("first", "touched", "no change")
CHARACTERS = 190  # of text, which makes lines of 230
PER_FOLDER = 1000
TABLE = "bench"


def main() -> None:
    """Run all kinds and sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=WRITERS, default=list(WRITERS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(Path(arguments.child))))
        return
    print(f"| kind | documents | {' | '.join(STEPS)} | peak MB |\n|---|---|{'---|' * len(STEPS)}---|")
    for kind in arguments.kinds:
        figures = {size: grow(kind, size) for size in arguments.sizes}
        for size, found in figures.items():
            cells = " | ".join(f"{found[step] * 1e5 / size:.2f}" for step in STEPS)
            print(f"| {kind} | {size:,} | {cells} | {found['peak MB']:.0f} |")
        small, large = min(figures), max(figures)
        if small < large:
            grows = [math.log(figures[large][step] / figures[small][step], large / small) for step in STEPS[:2]]
            print(f"| {kind} | grows | {' | '.join(f'{each:.2f}' for each in grows)} | | |", flush=True)


def grow(kind: str, size: int) -> dict[str, float]:
    """Write so many documents, and measure in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="relance-discovery-") as name:
        folder = Path(name)
        (folder / "docs").mkdir()
        WRITERS[kind](folder / "docs", documents(size))
        rows = "" if kind == "files" else ", rows: {metadata: [year]}"
        (folder / "index.yaml").write_text(
            f"name: bench\nsources: [{{type: files, root: docs{rows}}}]\nembedding: {{model: fake/hash}}\n"
            "store: {uri: db}\n",
            encoding="utf-8",
        )
        command = [sys.executable, __file__, "--child", str(folder)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def documents(size: int) -> Iterator[dict[str, Any]]:
    """Invent texts, the same at every call."""
    sys.path.insert(0, str(Path(__file__).parent))
    from corpus import Writer

    words = Writer(7).words
    for number in range(size):
        text, at = "", number * 31
        while len(text) < CHARACTERS:
            text += words[at * 2_654_435_761 % len(words)] + " "
            at += 1
        yield {"id": number, "title": f"Note {number}", "year": 1900 + number % 120, "text": text[:CHARACTERS]}


def write_jsonl(docs: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write one line a document."""
    with (docs / "t.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_csv(docs: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write one row a document below a header."""
    import csv

    with (docs / "t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "title", "year", "text"])
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(docs: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write row groups of 100,000 documents."""
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.int64()), ("title", pa.string()), ("year", pa.int32()), ("text", pa.string())])
    with pq.ParquetWriter(docs / "t.parquet", schema) as writer:
        while some := list(islice(rows, 100_000)):
            writer.write_table(pa.Table.from_pylist(some, schema))


def write_files(docs: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write one file a document."""
    for row in rows:
        folder = docs / f"{row['id'] // PER_FOLDER:04}"
        folder.mkdir(exist_ok=True)
        (folder / f"{row['id']}.md").write_text(f"# {row['title']}\n\n{row['text']}\n", encoding="utf-8")


WRITERS: dict[str, Callable[[Path, Iterator[dict[str, Any]]], None]] = {
    "jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet, "files": write_files,
}  # fmt: skip


def measure(folder: Path) -> dict[str, float]:
    """Look at the sources three times; what was found is put into the manifest in between, as a run would do."""
    import lancedb  # noqa: F401  # a run has it by now

    from relance.config.load import load_spec
    from relance.pipeline.discovery import Discovery
    from relance.pipeline.text_reader import open_text_reader
    from relance.store import open_store, schemas
    from relance.store.manifest import Manifest

    spec = load_spec(folder / "index.yaml")
    store = open_store(spec)
    table = store.create(f"{TABLE}__documents", schemas.DOCUMENTS)
    touched = min((folder / "docs").rglob("*.*"))
    figures: dict[str, float] = {}
    for step in STEPS:
        if step == "touched":
            os.utime(touched)
        manifest = Manifest(store, TABLE)
        reader = open_text_reader(spec, 0)
        found = Discovery([reader], manifest.snapshot(), manifest, lambda item: item.media_type)
        began = time.process_time()
        found.run()
        figures[step] = time.process_time() - began
        figures.setdefault("peak MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        remember(table, found)
        found.close()
    return figures


def remember(table: Any, found: Discovery) -> None:
    """Put what was found into the manifest, as a run would do."""
    import pyarrow as pa

    from relance.documents import document_id
    from relance.pipeline.items import items_of
    from relance.store import schemas
    from relance.store.manifest import marker

    for items in [found.collections, *map(items_of, found.batches())]:
        rows = [
            {"doc_id": document_id(item.uri), "uri": item.uri,
             "parent": document_id(item.parent) if item.parent else None,
             "collection": item.collection, "version": item.version, "marker": marker(item.version, item.media_type)}
            for item in items
        ]  # fmt: skip
        data = pa.Table.from_pylist(rows, schemas.DOCUMENTS)
        if found.known or len(rows) < 2:  # a merge reads all ids
            table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all().execute(data)
        else:
            table.add(data)


if __name__ == "__main__":
    main()
