"""What a warm interpreter saves: from the start of a run's command to the state Running, and to its end.

    uv run python benchmarks/warm_start.py [--runs 10]

Starts a Prefect server of its own, a keeper with one spare, and the flow `ingest` on a copy of `examples/handbook` that
is in sync already: once as the worker starts it (`python -m prefect.engine`), once as
`python -m relance_operate.warm run`, in turn. Every run waits until a spare is warm, so that both find
the same machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

ROOT = Path(__file__).parents[1]
COMMANDS = {"direct": ["prefect.engine"], "warm": ["relance_operate.warm", "run"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10, help="of each kind")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="relance") as name:
        folder = Path(name)
        # Before Prefect is imported, which reads them.
        os.environ |= {
            "PREFECT_HOME": name, "RELANCE_WARM_SOCKET": f"{name}/warm/socket", "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
        }  # fmt: skip
        os.environ.pop("PREFECT_API_URL", None)
        from relance_flows.server import temporary_server

        with temporary_server(lambda: False) as wait:
            wait()
            from prefect.settings import PREFECT_API_URL

            os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value()
            measure(folder, runs)


def measure(folder: Path, runs: int) -> None:
    from prefect.client.orchestration import get_client

    shutil.copytree(ROOT / "examples" / "handbook", folder / "handbook", ignore=shutil.ignore_patterns("lancedb"))
    log = folder / "keeper.log"
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in COMMANDS}
    with get_client(sync_client=True) as client, keeper(log):
        deployment = client.create_deployment(
            client.create_flow_from_name("ingest"), "warm-start", entrypoint="relance_flows.ingest.ingest",
            parameters={"index": str(folder / "handbook")},
        )  # fmt: skip
        for turn in range(runs + 1):
            for kind in COMMANDS:
                until_warm(log, turn + 1)
                times = run(client, deployment, kind, folder)
                if turn:  # the first fills the index, and the machine's caches
                    found[kind].append(times)
                    print(f"{kind:6} running after {times[0]:5.2f} s, ended after {times[1]:5.2f} s", flush=True)
                elif kind == "direct":
                    memory(log)
    for what, column in (("running", 0), ("ended", 1)):
        direct, warm = (statistics.median(times[column] for times in found[kind]) for kind in COMMANDS)
        print(f"{what:8} median direct {direct:5.2f} s, warm {warm:5.2f} s: {direct / warm:.1f} times as quick")


def run(client: SyncPrefectClient, deployment: UUID, kind: str, folder: Path) -> tuple[float, float]:
    """Make a run and start its command as the worker does: seconds to Running and to the end of the process."""
    made = client.create_flow_run_from_deployment(deployment)
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", *COMMANDS[kind]], env=os.environ | {"PREFECT__FLOW_RUN_ID": str(made.id)}, cwd=folder,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ended = time.time()
    after = client.read_flow_run(made.id)
    if done.returncode or after.start_time is None or "starts an interpreter" in done.stderr:
        sys.exit(done.stderr)
    return after.start_time.timestamp() - began, ended - began


@contextmanager
def keeper(log: Path) -> Generator[None]:
    command = [sys.executable, "-m", "relance_operate.warm", "keep", "--code", str(log.parent / "handbook")]
    with log.open("w") as output, subprocess.Popen(command, cwd=ROOT, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()


def warm(log: Path) -> list[int]:
    return [int(line.split()[-3]) for line in log.read_text().splitlines() if line.endswith("is warm")]


def until_warm(log: Path, count: int) -> None:
    """Wait until so many spares have been warm, and the last one has calmed down."""
    while len(warm(log)) < count:
        time.sleep(0.1)
    time.sleep(0.5)


def memory(log: Path) -> None:
    import psutil

    used = psutil.Process(warm(log)[-1]).memory_full_info()
    print(f"a spare takes {used.rss / 2**20:.0f} MB, {used.uss / 2**20:.0f} MB of it shared with nobody")


if __name__ == "__main__":
    main()
