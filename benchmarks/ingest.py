"""relance beside a bare script: the same reads, chunks and embeddings, and one `table.add`.

    uv run python benchmarks/ingest.py [--files 500] [--repeat 3] [--json]

Work time is measured inside a fresh process after its imports, on a provider that answers at once, so that what is
left is relance's own work. The script keeps no state: whatever has changed, it does everything again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

STEPS = ("cold", "no change", "touch all", "edit one", "delete one", "rename one", "chunking changed")


def main() -> None:
    """Run all steps for both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("WHO", "SPEC", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        who, spec, folder = arguments.child
        print(json.dumps(CONTESTANTS[who](spec, folder)))
        return
    results = [repetition(arguments.files) for _ in range(arguments.repeat)]
    table = {step: {who: median([result[step][who] for result in results]) for who in CONTESTANTS} for step in STEPS}
    print(json.dumps(table, indent=2) if arguments.json else render(table))


def repetition(files: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Run every step once, the two taking turns on copies of one corpus."""
    import corpus

    with tempfile.TemporaryDirectory(prefix="relance-bench-") as name:
        base = Path(name)
        corpus.write(base / "corpus", files, 7)
        homes = {}
        for who in CONTESTANTS:
            homes[who] = base / who
            shutil.copytree(base / "corpus", homes[who] / "docs")
        result: dict[str, dict[str, dict[str, Any]]] = {}
        for step in STEPS:
            result[step] = {}
            for who, home in homes.items():
                CHANGES.get(step, lambda _: None)(home / "docs")
                spec = declare(home, max_tokens=160 if step == "chunking changed" else 256)
                command = [sys.executable, __file__, "--child", who, str(spec), str(home)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                result[step][who] = json.loads(done.stdout)
        return result


def declare(home: Path, *, max_tokens: int) -> Path:
    """Write the spec both read."""
    spec = home / "index.yaml"
    spec.write_text(
        f"name: bench\nsources: [{{type: files, root: docs}}]\nchunking: {{max_tokens: {max_tokens}}}\n"
        "embedding: {model: fake/hash, dimension: 1024, tokenizer: qwen}\nstore: {uri: db}\n",
        encoding="utf-8",
    )
    return spec


def first(docs: Path) -> Path:
    """Choose the document that is changed."""
    return sorted(path for path in docs.rglob("*.md"))[len(list(docs.rglob("*.md"))) // 2]


def touch_all(docs: Path) -> None:
    """Give every file a new date."""
    for path in docs.rglob("*.md"):
        os.utime(path)


def edit(docs: Path) -> None:
    """Change one sentence in one file."""
    path = first(docs)
    text = path.read_text(encoding="utf-8")
    at = text.index("\n\n", len(text) // 2)
    path.write_text(text[:at] + "\n\nA sentence that was not here before." + text[at:], encoding="utf-8")


def rename(docs: Path) -> None:
    """Move one file."""
    path = first(docs)
    path.rename(path.with_name("renamed.md"))


CHANGES: dict[str, Callable[[Path], None]] = {
    "touch all": touch_all,
    "edit one": edit,
    "delete one": lambda docs: first(docs).unlink(),
    "rename one": rename,
}


def relance_run(spec: str, _: str) -> dict[str, Any]:
    """Ingest with relance's engine, Prefect apart."""
    import lancedb  # noqa: F401
    import pyarrow as pa  # noqa: F401

    import relance.embedding.embedder  # noqa: F401
    from relance.chunkers import chunk_document  # noqa: F401
    from relance.index import Index
    from relance.sources import files  # noqa: F401
    from relance.store import lock  # noqa: F401

    index = Index(spec)
    before = index.status().table_version
    with measured() as figures:
        report = index.ingest()
    after = index.status()
    return figures | {
        "texts embedded": report.embedded,
        "chunks": after.chunks,
        "commits": after.table_version - before,
        "seconds": report.seconds,
    }


def script_run(spec: str, folder: str) -> dict[str, Any]:
    """Read, split, embed and add, with the same pieces and nothing else."""
    import asyncio

    import lancedb
    import numpy as np
    import pyarrow as pa

    from relance.chunkers import chunk_document
    from relance.config.load import load_spec
    from relance.documents import Item
    from relance.embedding.providers import open_provider
    from relance.pipeline.text_reader import open_text_reader

    declared = load_spec(spec)
    texts: list[str] = []
    uris: list[str] = []
    with measured() as figures:
        provider = open_provider(declared.embedding)
        source = open_text_reader(declared, 0)
        for item in source.list():
            if not isinstance(item, Item):
                raise TypeError(f"{item.uri}: {item.reason}")
            document = source.parse(source.read(item))
            for chunk in chunk_document(document, declared.chunking, provider.tokenizer, 0):
                texts.append(document.text[chunk.start : chunk.end])
                uris.append(document.uri)
        calls = (provider.embed(texts[at : at + 256], input_type="document") for at in range(0, len(texts), 256))
        parts = [asyncio.run(call).vectors for call in calls]
        vectors = pa.FixedSizeListArray.from_arrays(np.concatenate(parts).reshape(-1), 1024)
        data = pa.table({"uri": uris, "text": texts, "vector": vectors})
        lancedb.connect(f"{folder}/db").create_table("bench", data=data, mode="overwrite")
    return figures | {"texts embedded": len(texts), "chunks": len(texts), "commits": 1}


CONTESTANTS: dict[str, Callable[[str, str], dict[str, Any]]] = {"relance": relance_run, "script": script_run}


class measured:  # noqa: N801  # reads as a verb in a with statement
    """Measure work and CPU seconds of a block, and the peak memory of the process."""

    def __enter__(self) -> dict[str, Any]:
        self.figures: dict[str, Any] = {}
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self.figures

    def __exit__(self, *error: object) -> None:
        self.figures["work s"] = time.perf_counter() - self._wall
        self.figures["cpu s"] = time.process_time() - self._cpu
        self.figures["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def median(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Take the median of each figure."""
    merged: dict[str, Any] = {}
    for name, value in figures[0].items():
        if isinstance(value, dict):
            merged[name] = {k: round(statistics.median(f[name].get(k, 0.0) for f in figures), 3) for k in value}
        else:
            merged[name] = round(statistics.median(each[name] for each in figures), 3)
    return merged


def render(table: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Draw the table, ratios first."""
    lines = ["| run | relance / script | relance s | script s | cpu s | peak MB | texts embedded | commits |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for step, figures in table.items():
        ours, theirs = figures["relance"], figures["script"]
        lines.append(
            f"| {step} | {ours['work s'] / theirs['work s']:.2f} | {ours['work s']:.2f} | {theirs['work s']:.2f} "
            f"| {ours['cpu s']:.2f} / {theirs['cpu s']:.2f} | {ours['peak MB']:.0f} / {theirs['peak MB']:.0f} "
            f"| {ours['texts embedded']:.0f} / {theirs['texts embedded']:.0f} "
            f"| {ours['commits']:.0f} / {theirs['commits']:.0f} |"
        )
    chunks = table["cold"]["relance"]["chunks"]
    lines += ["", f"{chunks:.0f} chunks of 1,024 dimensions; medians; where two figures: ours / script"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
