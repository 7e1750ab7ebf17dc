"""How many documents a second each engine takes through the stages, and what that costs the coordinator.

    uv run python benchmarks/engines.py [--engines threads processes dask ray] [--workers 1 2 4 8]
        [--models waits computes] [--corpora markdown pdf] [--files 400] [--json]

`waits` is a model that answers each request after 150 ms; `computes` is `local/wordllama`, in the worker's process.
Every run is a cold one in a process of its own, after its imports; the engine starts within it. CPU seconds of the
coordinator are those of its process, and those of workers are of processes it waited for: not of Dask's and Ray's.
`threads` has no workers. Each engine also runs on one core, with one worker: what all cores of the machine gain is the
ratio to that, in the same invocation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

ENGINES = ["threads", "processes"]
MODELS = {"waits": "fake/hash", "computes": "local/wordllama"}
DELAY_S = "0.15"
LINES = 48  # on a page
PAGES = 12

Figures = dict[str, Any]


def main() -> None:
    """Measure each combination and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--corpora", nargs="+", choices=["markdown", "pdf"], default=["markdown", "pdf"])
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        spec, engine, workers, cores = arguments.child
        if cores == "1":
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(run(Path(spec), engine, int(workers))))
        return
    found = []
    for kind in arguments.corpora:
        with tempfile.TemporaryDirectory(prefix="relance-engines-") as name:
            docs = Path(name) / "docs"
            write(docs, kind, arguments.files)
            for model in arguments.models:
                for engine, workers, cores in combinations(arguments.engines, arguments.workers):
                    figures = child(docs, model, engine, workers, cores)
                    found.append({"corpus": kind, "model": model, "engine": engine, "workers": workers,
                                  "cores": cores, **figures})  # fmt: skip
                    print(f"{kind}, {model}, {engine} {workers}: {figures['seconds']:.1f} s", file=sys.stderr)
    print(json.dumps(found, indent=2) if arguments.json else render(found))


def combinations(engines: list[str], workers: list[int]) -> Iterator[tuple[str, int, int]]:
    """Engine, workers and cores: threads and one core first, since the others are compared with them."""
    cores = len(os.sched_getaffinity(0))
    for engine in ["threads", *(engine for engine in engines if engine != "threads")]:
        yield engine, 1, 1
        yield from ((engine, count, cores) for count in ([1] if engine == "threads" else workers))


def write(folder: Path, kind: str, files: int) -> None:
    """Write a corpus: Markdown, or PDF files of a dozen pages."""
    import corpus

    if kind == "markdown":
        corpus.write(folder, files, 7)
        return
    folder.mkdir()
    writer = corpus.Writer(7)
    for number in range(files):
        pages = [[" ".join(writer.take(11)) for _ in range(LINES)] for _ in range(PAGES)]
        (folder / f"{number:06d}.pdf").write_bytes(pdf(pages))


def pdf(pages: list[list[str]]) -> bytes:
    """Make a PDF of lines of text in Helvetica."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]  # fmt: skip
    fonts = "/Resources << /Font << /F1 3 0 R >> >>"
    for at, lines in enumerate(pages):
        text = "BT /F1 9 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * at} 0 R {fonts} >>",
            f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
        ]
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{each}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R >>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def child(docs: Path, model: str, engine: str, workers: int, cores: int) -> Figures:
    """Ingest in a process and a store of its own."""
    with tempfile.TemporaryDirectory(prefix="relance-engines-") as name:
        spec = Path(name) / "index.yaml"
        declared = {"name": "engines", "sources": [{"type": "files", "root": str(docs)}],
                    "embedding": {"model": MODELS[model]}, "store": {"uri": "db"},
                    "limits": {"batch_documents": 16}}  # fmt: skip
        spec.write_text(json.dumps(declared), encoding="utf-8")
        environment = os.environ | ({"RELANCE_FAKE_DELAY_S": DELAY_S} if model == "waits" else {})
        command = [sys.executable, __file__, "--child", str(spec), engine, str(workers), str(cores)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return json.loads(done.stdout.splitlines()[-1])  # Ray writes there too


def run(spec: Path, engine: Any, workers: int) -> Figures:
    """Ingest; CPU seconds are those of the coordinator's process, and of the workers it waited for."""
    import lancedb  # noqa: F401
    import pyarrow as pa  # noqa: F401

    from relance.chunkers import chunk_document  # noqa: F401
    from relance.index import Index

    index = Index(spec)
    before, began = os.times(), time.perf_counter()
    report = index.ingest(engine=engine, workers=0 if engine == "threads" else workers)
    seconds, after = time.perf_counter() - began, os.times()
    assert report.failed == 0, report.failures
    return {
        "documents": report.added,
        "chunks": report.chunks,
        "seconds": seconds,
        "coordinator cpu s": after.user + after.system - before.user - before.system,
        "workers cpu s": after.children_user + after.children_system - before.children_user - before.children_system,
    }


def render(found: list[Figures]) -> str:
    """Draw the table."""
    columns = ["corpus", "model", "engine", "workers", "cores", "documents/s", "× one core", "× `threads`",
               "CPU s / 1,000 chunks: coordinator", "workers"]  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    one, threads = 0.0, 0.0
    for each in found:
        seconds, chunks = each["seconds"], each["chunks"] / 1000
        if each["cores"] == 1:
            one = seconds
        elif each["engine"] == "threads":
            threads = seconds
        beside = "" if each["cores"] == 1 else f"{threads / seconds:.2f}"
        lines.append(
            f"| {each['corpus']} | {each['model']} | {each['engine']} | {each['workers']} | {each['cores']} "
            f"| {each['documents'] / seconds:.1f} | {one / seconds:.2f} | {beside} "
            f"| {each['coordinator cpu s'] / chunks:.2f} | {each['workers cpu s'] / chunks:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
