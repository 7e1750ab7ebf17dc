"""Changes that the watching process takes in, with a Prefect server: each is a run of the flow there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from files import put
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings

from relance.cli.live_runs import LiveRuns
from relance.cli.terminal import Terminal
from relance.config.load import load_spec
from relance.events.change import Change

SPEC = (
    "name: live\nsources: [{type: files, root: docs}]\nembedding: {model: fake/hash, dimension: 8}\nstore: {uri: db}\n"
)


def test_each_change_is_a_flow_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", str(get_current_settings().api.url))
    path = put(tmp_path / "index.yaml", SPEC)
    put(tmp_path / "docs/a.md", "one")
    put(tmp_path / "docs/b.md", "two")

    def watch() -> None:  # in a thread, as the command does
        with LiveRuns(path, load_spec(path), Terminal()) as runs:
            runs.take(Change("live", everything=True))
            put(tmp_path / "docs/a.md", "one and more")
            runs.take(Change("live", changed=("docs/a.md",)))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join(120)
    said = capsys.readouterr().out
    assert "live: everything: 2 added in" in said
    assert "live: 1 changed: 1 changed in" in said
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs() if run.parameters.get("index") == str(path)]
    assert sorted(run.parameters["only"] for run in runs) == [[], ["docs/a.md"]]
    assert {run.state_name for run in runs} == {"Completed"}
