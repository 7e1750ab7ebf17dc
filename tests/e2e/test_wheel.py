"""The wheel operated by Prefect: server, worker, deployments, a change event and the page, without a checkout."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator

import httpx
import pytest
from installed import Installed
from tests.e2e.stack import Stack, wait_until

from relance.index import Index

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def stranger(installed: Installed) -> Iterator[Stack]:
    """A server and a worker of the wheel, brought up in a folder of the user's own by `relance up .`."""
    (installed.folder / "notes").mkdir()
    (installed.folder / "notes" / "weir.md").write_text("The weir of Chalon is open.\n", encoding="utf-8")
    assert installed.run("init", ".", "--name", "mine").returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stack = Stack(installed.home / "prefect", port, relance=[installed.relance], folder=installed.folder)
    stack.environment = installed.environment | {"PREFECT_HOME": str(stack.home)}
    try:
        stack.up(".")
        yield stack
        assert stack.down() == 0, stack.said()
    finally:
        stack.close()
        if stack.process and stack.process.poll() is None:
            stack.process.terminate()
            stack.process.wait(60)


def test_a_stranger_s_index_is_deployed_reindexed_and_shown(stranger: Stack, installed: Installed) -> None:
    deployments = {each["name"]: each for each in stranger.ask("POST", "/deployments/filter", json={})}
    assert deployments.keys() == {
        "ingest", "ingest-on-change", "maintain", "doctor", "reembed", "evaluate", "cluster", "classify", "anomalies", "duplicates",
        "recommend", "new-index", "mine",
    }  # fmt: skip
    assert "examples/" not in json.dumps(list(deployments.values()))
    assert {name for name, each in deployments.items() if each["schedules"]} == {"maintain", "doctor"}
    assert {each["entrypoint"].partition(".")[0] for each in deployments.values()} == {
        "relance_flows",
        "relance_operate",
    }
    assert not any(each["pull_steps"] for each in deployments.values())

    checked = stranger.run("up", "--check")
    assert (checked.returncode, checked.stdout) == (0, "everything is up\n"), checked.stderr
    prepared = stranger.run("up", "--bootstrap-only")
    assert prepared.returncode == 0, prepared.stderr
    assert "nothing was missing" in prepared.stdout
    again = stranger.run("deploy", ".")
    assert again.stdout.splitlines() == ["kept    ingest/mine", "kept    ingest-on-change/mine"], again.stderr

    assert stranger.run("emit", "mine").returncode == 0
    run = wait_until(lambda: next(iter(stranger.runs_of("ingest-on-change/mine")), None))
    ended = stranger.wait_for(run["id"])
    assert ended["state"]["type"] == "COMPLETED", ended["state"]
    assert "notes/weir.md" in {row["uri"] for row in Index(installed.folder).table().search().to_list()}

    explore = stranger.start("explore", ".", "--port", "0")
    try:
        assert explore.stdout is not None
        page = explore.stdout.readline().removeprefix("open ").strip()
        with httpx.Client(trust_env=False, follow_redirects=True) as client:
            shown = client.get(page)
            found = client.get(httpx.URL(page).join("/"), params={"q": "weir"})
        assert (shown.status_code, found.status_code) == (200, 200), found.text
        assert "notes/weir.md" in shown.text + found.text
    finally:
        explore.send_signal(signal.SIGINT)
        explore.communicate(timeout=30)
