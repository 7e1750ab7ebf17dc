"""What Prefect costs: the same ingest as a flow and in plain threads, side by side.

    uv run python benchmarks/prefect_overhead.py [--rounds 3]

Work is cut to nothing (a fake model), so what is left is reading, splitting, writing and Prefect. Prints seconds of
both, task runs, and the overhead per 1,000 chunks.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

CRANFIELD = Path(__file__).parents[2] / "shared" / "data" / "cranfield" / "corpus.jsonl"


def declare(folder: Path, rows: Path) -> Path:
    spec = {
        "name": "overhead",
        "sources": [{"type": "files", "root": str(rows.parent), "include": [rows.name],
                     "rows": {"id": "_id", "text": ["title", "text"]}}],
        "embedding": {"model": "fake/hash"},
        "store": {"uri": str(folder / "db")},
    }  # fmt: skip
    path = folder / "index.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return path


async def task_runs() -> int:
    from prefect import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    async with get_client() as client:
        for _ in range(60):  # recorded some seconds later
            runs = await client.read_flow_runs(limit=1, sort=FlowRunSort.START_TIME_DESC)
            count = await client.request(
                "POST", "/task_runs/count", json={"flow_runs": {"id": {"any_": [str(runs[0].id)]}}}
            )
            if (found := count.json()) > 3:
                return found
            await asyncio.sleep(1)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=CRANFIELD, help="a JSONL file with _id, title and text")
    arguments = parser.parse_args()
    rounds, rows = arguments.rounds, arguments.data.absolute()
    from relance.index import Index
    from relance_operate.launch import quiet_prefect

    quiet_prefect()
    logging.getLogger("stamina").setLevel(logging.ERROR)
    os.environ["PREFECT_SERVER_UI_ENABLED"] = "false"
    server: Any = importlib.import_module("relance_flows.server")
    with tempfile.TemporaryDirectory() as top, server.temporary_server(lambda: False) as wait:
        ingest: Any = importlib.import_module("relance_flows.ingest").ingest
        wait()
        took: dict[str, list[float]] = {"plain": [], "flow": []}
        chunks = tasks = 0
        for turn in range(rounds + 1):
            for how, times in took.items():
                folder = Path(top) / f"{how}-{turn}"
                folder.mkdir()
                spec = declare(folder, rows)
                began = time.perf_counter()
                if how == "plain":
                    chunks = Index(spec).ingest().chunks
                else:
                    asyncio.run(ingest(index=str(spec), approval="given"))
                if turn:  # the first round pays for imports
                    times.append(time.perf_counter() - began)
            tasks = tasks or asyncio.run(task_runs())
        plain, flow = (statistics.median(took[how]) for how in took)
        print(f"{chunks:,} chunks, {tasks} task runs")
        print(f"plain threads {plain:6.2f} s   as a flow {flow:6.2f} s   ratio {flow / plain:.2f}")
        print(f"Prefect's overhead: {(flow - plain) / chunks * 1000 * 1000:.0f} ms per 1,000 chunks")


if __name__ == "__main__":
    main()
