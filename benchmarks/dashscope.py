"""relance against the DashScope emulator: beside a bare script, at the published limits, and while things go wrong.

    uv run --group dev python benchmarks/dashscope.py [--only NAME] [--json]

The emulator runs in a process of its own. Work time is measured inside a fresh process, after its imports; use of a
limit is what the emulator saw between the fourth second and the last request, over what the limit allows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).parent))

WARM_UP_S = 3.0
# name → how the emulator is set up, how the index is declared, and which limit is watched (unit, per second)
SCENARIOS: dict[str, dict[str, Any]] = {
    "80 ms + 3 ms a text, 8 in flight": {
        "emulator": {"base_ms": 80, "per_text_ms": 3}, "concurrency": 8, "chunk": 320, "who": ["relance", "script"],
    },
    "150 ms, 64 in flight allowed": {"emulator": {"base_ms": 150}, "concurrency": 64, "chunk": 320},
    "30 requests a second (Beijing)": {
        "emulator": {"base_ms": 80, "limits": "published", "region": "beijing"}, "concurrency": 64, "chunk": 64,
        "region": "beijing", "files": 120, "limit": ("requests", 30.0),
    },
    "1,800 requests and 1 M tokens a minute (Singapore)": {
        "emulator": {"base_ms": 80, "limits": "published", "region": "singapore"}, "concurrency": 64, "chunk": 320,
        "region": "singapore", "limit": ("tokens", 1_000_000 / 60),
    },
    "20 % of the requests fail": {
        "emulator": {"base_ms": 80, "per_text_ms": 3}, "concurrency": 16, "chunk": 320,
        "faults": [
            {"probability": share, "action": action} for action, share in
            [("Throttling.RateQuota", 0.05), ("InternalError", 0.0527), ("RequestTimeOut", 0.0556), ("reset", 0.0588)]
        ],
    },
}  # fmt: skip


def main() -> None:
    """Run the scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of a scenario's name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("WHO", "SPEC"), help=argparse.SUPPRESS)
    parser.add_argument("--emulator", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.emulator:
        from relance_emulator.serve import EmulatorConfig, serve

        serve(EmulatorConfig(**json.loads(arguments.emulator)))
        return
    if arguments.child:
        who, spec = arguments.child
        print(json.dumps({"relance": relance_run, "script": script_run}[who](spec)))
        return
    rows = [row for name, scenario in SCENARIOS.items() if arguments.only in name for row in play(name, scenario)]
    print(json.dumps(rows, indent=2) if arguments.json else render(rows))


def play(name: str, scenario: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one scenario, for each contestant on an emulator and a corpus of its own."""
    import corpus

    rows = []
    for who in scenario.get("who", ["relance"]):
        with tempfile.TemporaryDirectory(prefix="relance-bench-") as folder, emulator(scenario["emulator"]) as address:
            home = Path(folder)
            corpus.write(home / "docs", scenario.get("files", 500), 7)
            spec = home / "index.yaml"
            spec.write_text(
                f"name: bench\nsources: [{{type: files, root: docs}}]\nchunking: {{max_tokens: {scenario['chunk']}}}\n"
                f"embedding: {{model: dashscope/text-embedding-v4, region: {scenario.get('region', 'singapore')}, "
                f"max_concurrency: {scenario['concurrency']}"
                + ("" if "region" in scenario else ", requests_per_minute: 10000000, tokens_per_minute: 10000000000")
                + "}\nstore: {uri: db}\n",
                encoding="utf-8",
            )
            call(f"{address}/_emulator/faults", scenario.get("faults", []))
            figures, samples = watched(address, [sys.executable, __file__, "--child", who, str(spec)])
            stats = call(f"{address}/_emulator/stats")
            row = {"scenario": name, "who": who, **figures}
            row |= {key: stats[key] for key in ("requests", "texts", "duplicates", "rejected", "peak_in_flight")}
            if "limit" in scenario:
                row["limit used"] = used(samples, *scenario["limit"])
            rows.append(row)
    return rows


def used(samples: list[tuple[float, dict[str, Any]]], unit: str, per_second: float) -> float:
    """Compute which part of a limit was used after the warm-up and before the last requests."""
    busy = [(at, stats) for at, stats in samples if stats["texts"]]
    busy = [(at, stats) for at, stats in busy if at - busy[0][0] >= WARM_UP_S and stats["texts"] < busy[-1][1]["texts"]]
    (began, first), (ended, last) = busy[0], busy[-1]
    count = {"requests": lambda s: s["requests"] - s["rejected"], "tokens": lambda s: s["tokens"]}[unit]
    return round((count(last) - count(first)) / (ended - began) / per_second, 4)


def watched(address: str, command: list[str]) -> tuple[dict[str, Any], list[tuple[float, dict[str, Any]]]]:
    """Run a child while the emulator's figures are read four times a second."""
    environment = {**os.environ, "DASHSCOPE_BASE_URL": f"{address}/api/v1"}
    samples: list[tuple[float, dict[str, Any]]] = []
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.25):
            samples.append((time.monotonic(), call(f"{address}/_emulator/stats")))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        child = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    finally:
        done.set()
        thread.join()
    return json.loads(child.stdout), samples


@contextlib.contextmanager
def emulator(config: dict[str, Any]) -> Generator[str]:
    """Run an emulator in its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = json.dumps({"vectors": "hash", "port": port, **config})
    process = subprocess.Popen([sys.executable, __file__, "--emulator", settings])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                call(f"{address}/_emulator/health")
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def call(url: str, body: Any = None) -> Any:
    """Ask the emulator something."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"content-type": "application/json"}), timeout=30) as response:
        return json.load(response)


def relance_run(spec: str) -> dict[str, Any]:
    """Ingest with relance's engine, Prefect apart."""
    import lancedb  # noqa: F401
    import pyarrow as pa  # noqa: F401

    import relance.embedding.embedder  # noqa: F401
    from relance.chunkers import chunk_document  # noqa: F401
    from relance.http.client import open_client  # noqa: F401
    from relance.index import Index
    from relance.sources import files  # noqa: F401
    from relance.store import lock  # noqa: F401

    index = Index(spec)
    began = time.perf_counter()
    report = index.ingest()
    return {
        "work s": round(time.perf_counter() - began, 2),
        "chunks": index.status().chunks,
        "failed": report.failed,
    }


def script_run(spec: str) -> dict[str, Any]:
    """Read, split, embed with a semaphore, and add, with the same pieces and nothing else."""
    import asyncio

    import httpx
    import lancedb
    import numpy as np
    import pyarrow as pa

    from relance.chunkers import chunk_document
    from relance.config.load import load_spec
    from relance.documents import Item
    from relance.embedding.providers import open_provider
    from relance.pipeline.text_reader import open_text_reader

    declared = load_spec(spec)
    address = os.environ["DASHSCOPE_BASE_URL"] + "/services/embeddings/text-embedding/text-embedding"
    began = time.perf_counter()
    provider, source = open_provider(declared.embedding), open_text_reader(declared, 0)
    texts: list[str] = []
    for item in source.list():
        if not isinstance(item, Item):
            raise TypeError(f"{item.uri}: {item.reason}")
        document = source.parse(source.read(item))
        chunks = chunk_document(document, declared.chunking, provider.tokenizer, 0)
        texts += [document.text[chunk.start : chunk.end] for chunk in chunks]

    async def embed() -> list[list[float]]:
        slots = asyncio.Semaphore(declared.embedding.max_concurrency)
        async with httpx.AsyncClient(headers={"authorization": "Bearer sk-bench"}, timeout=60) as client:

            async def one(part: list[str]) -> list[list[float]]:
                async with slots:
                    body = {"model": "text-embedding-v4", "input": {"texts": part}, "parameters": {"dimension": 1024}}
                    reply = (await client.post(address, json=body)).raise_for_status().json()
                    return [each["embedding"] for each in reply["output"]["embeddings"]]

            parts = [texts[at : at + 10] for at in range(0, len(texts), 10)]
            return [vector for part in await asyncio.gather(*map(one, parts)) for vector in part]

    flat = np.array(asyncio.run(embed()), dtype=np.float32).reshape(-1)
    data = pa.table({"text": texts, "vector": pa.FixedSizeListArray.from_arrays(flat, 1024)})
    lancedb.connect(str(Path(spec).parent / "db")).create_table("bench", data=data)
    return {"work s": round(time.perf_counter() - began, 2), "chunks": len(texts), "failed": 0}


def render(rows: list[dict[str, Any]]) -> str:
    """Write a Markdown table."""
    names = ["scenario", "who", "work s", "chunks", "requests", "texts", "duplicates", "rejected", "peak_in_flight",
             "limit used"]  # fmt: skip
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|---|---|" + "---:|" * 8]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
