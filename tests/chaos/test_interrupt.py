"""Ctrl-C stops a run cleanly, and the next one goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from files import put

from relance.index import Index


@pytest.mark.slow
def test_ctrl_c_stops_the_run_and_not_the_server_that_records_it(
    tmp_path: Path, docs: Path, declare: Callable[..., Path], log: Callable[[], list[str]]
) -> None:
    """The signal goes to all processes of the terminal, the temporary Prefect server's included."""
    for i in range(600):
        put(docs / f"{i}.md", f"# Note {i}\n\nIt says {i} and nothing else but {i * 7}.\n")
    spec = declare(embedding={"model": "fake/hash", "batch_texts": 5, "max_concurrency": 1})
    home = tmp_path / "prefect"
    environment = os.environ | {"RELANCE_FAKE_DELAY_S": "0.5", "PREFECT_HOME": str(home), "COLUMNS": "100"}
    command = [sys.executable, "-m", "relance.cli.main", "ingest", str(spec), "--json"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 200
    while not log():
        assert process.poll() is None
        assert time.monotonic() < deadline, "the run did not begin"
        time.sleep(0.2)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert err.strip() == "stopping after the batches under way (Ctrl-C again: at once)"
    report = json.loads(out)
    assert report["status"] == "stopped"
    with sqlite3.connect(home / "prefect.db") as database:
        assert database.execute("select state_name from flow_run").fetchall() == [("Stopped",)]
    database.close()

    index = Index(spec)
    assert index.ingest().status == "completed"
    assert index.status().documents == 600
    assert len(log()) == len(set(log())) == 600, "what was bought before the stop is not bought again"
