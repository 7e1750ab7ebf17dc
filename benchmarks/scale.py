"""Whether cost stays flat: indexes of ever more small documents, each run in a process of its own.

    uv run --group dev python benchmarks/scale.py [10000 100000 300000 1000000] [--json]

The documents are rows of one JSONL file, about 200 characters each, embedded by a model that answers at once in 256
dimensions. Three runs at every size: the one that builds the index, one that finds nothing changed, one after the edit
of one row. CPU seconds are those of the process after its imports; the exponent is that of CPU over documents from one
size to the next (1: flat cost a document). Live bytes are those of the files that the last version of each table
needs, as LanceDB counts them; the rest of what is on disk is dead.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

SIZES = [10_000, 100_000, 300_000]
SPEC = """\
name: scale
sources: [{type: files, root: docs, rows: {text: text, id: id}}]
embedding: {model: fake/hash, dimension: 256}
store: {uri: db}
"""

Figures = dict[str, Any]


def main() -> None:
    """Grow an index of each size and print what it cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, metavar="DOCUMENTS")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(run(Path(arguments.child))))
        return
    figures = [grow(size) for size in sorted(arguments.sizes)]
    print(json.dumps(figures, indent=2) if arguments.json else render(figures))


def grow(size: int) -> dict[str, Figures]:
    """Build an index of so many documents, run again, and run once more after an edit."""
    with tempfile.TemporaryDirectory(prefix="relance-scale-") as name:
        folder = Path(name)
        (folder / "index.yaml").write_text(SPEC, encoding="utf-8")
        write(folder / "docs" / "notes.jsonl", size)
        steps = {"build": child(folder), "same": child(folder)}
        edit(folder / "docs" / "notes.jsonl", size // 2)
        steps["edit"] = child(folder)
    assert steps["build"]["chunks"] == steps["edit"]["chunks"] >= size
    assert (steps["same"]["embedded"], steps["edit"]["embedded"]) == (0, 1)
    return steps


def write(path: Path, size: int) -> None:
    """Write the documents."""
    import corpus

    path.parent.mkdir()
    with path.open("w", encoding="utf-8") as stream:
        for number, text in enumerate(corpus.notes(size, 7)):
            stream.write(json.dumps({"id": number, "text": text}) + "\n")


def edit(path: Path, number: int) -> None:
    """Change the text of one document."""
    changed = path.with_suffix(".new")
    with path.open(encoding="utf-8") as old, changed.open("w", encoding="utf-8") as new:
        for at, line in enumerate(old):
            new.write(json.dumps({"id": at, "text": "Not what it was before."}) + "\n" if at == number else line)
    changed.replace(path)


def child(folder: Path) -> Figures:
    """Ingest in a fresh process."""
    command = [sys.executable, __file__, "--child", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(folder: Path) -> Figures:
    """Ingest, and look at the store."""
    # First, as every command does: what LanceDB's client of namespace servers takes is nobody's.
    from relance.store import open_store  # isort: skip

    import lancedb  # noqa: F401
    import pyarrow as pa  # noqa: F401
    from ingest import measured

    from relance.chunkers import chunk_document  # noqa: F401
    from relance.embedding.providers.fake import FakeHash
    from relance.index import Index

    index, first, embed = Index(folder / "index.yaml"), [], FakeHash.embed

    async def noted(self: FakeHash, texts: list[str], **options: Any) -> Any:
        first.append(time.perf_counter())
        FakeHash.embed = embed
        return await embed(self, texts, **options)

    FakeHash.embed = noted
    with measured() as figures:
        began = time.perf_counter()
        report = index.ingest()
    store = open_store(index.spec)
    tables = [store.open(name) for name in store.tables()]
    disk = sum(path.stat().st_size for path in (folder / "db").rglob("*") if path.is_file())
    return figures | {
        "first text embedded s": first[0] - began if first else None,
        "chunks": index.status().chunks,
        "embedded": report.embedded,
        "live bytes": sum(table.stats()["total_bytes"] for table in tables if table is not None),
        "disk bytes": disk,
        "documents": report.added or report.unchanged + report.changed,
        "seconds": report.seconds,
    }


def render(figures: list[dict[str, Figures]]) -> str:
    """Draw the table, and the ratios below it."""
    columns = ["documents", "build CPU s", "µs a document", "first text s", "peak MB", "disk / live kB a document",
               "no change CPU s", "peak MB", "one edit CPU s", "peak MB", "disk / live"]  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for steps in figures:
        build, same, edit = steps["build"], steps["same"], steps["edit"]
        size = build["documents"]
        lines.append(
            f"| {size:,} | {build['cpu s']:.1f} | {build['cpu s'] / size * 1e6:.0f} "
            f"| {build['first text embedded s']:.1f} | {build['peak MB']:.0f} "
            f"| {build['disk bytes'] / size / 1e3:.2f} / {build['live bytes'] / size / 1e3:.2f} "
            f"| {same['cpu s']:.2f} | {same['peak MB']:.0f} | {edit['cpu s']:.2f} | {edit['peak MB']:.0f} "
            f"| {edit['disk bytes'] / edit['live bytes']:.2f} |"
        )
    for smaller, larger in pairwise(steps["build"] for steps in figures):
        growth = larger["documents"] / smaller["documents"]
        exponent = math.log(larger["cpu s"] / smaller["cpu s"], growth)
        memory = larger["peak MB"] / smaller["peak MB"]
        pair = f"{smaller['documents']:,} to {larger['documents']:,}"
        lines += ["", f"{pair}: exponent of CPU {exponent:.2f}, peak memory {memory:.2f} ×"]
    waste = max(steps["build"]["disk bytes"] / steps["build"]["live bytes"] for steps in figures)
    return "\n".join([*lines, "", f"on disk after building: at most {waste:.2f} × the live bytes"])


if __name__ == "__main__":
    main()
