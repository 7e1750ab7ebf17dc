"""relance as its users run it: by the clock, by hand, by changes; on a real server with a real worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from tests.e2e.stack import CHECKOUT, Stack, wait_until

from relance.index import Index

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def uris_of(spec: Path) -> set[str]:
    """Return the documents a reader finds in the index."""
    try:
        table = Index(spec).table()
    except Exception:  # not there yet
        return set()
    return {row["uri"] for row in table.search().select(["uri"]).limit(None).to_list()}


def change(path: Path, **sections: Any) -> None:
    """Rewrite sections of a spec; None takes one out."""
    declared = yaml.safe_load(path.read_text(encoding="utf-8")) | sections
    path.write_text(
        yaml.safe_dump({key: value for key, value in declared.items() if value is not None}), encoding="utf-8"
    )


def snapshot(stack: Stack) -> Any:
    """Return what is registered, without what every registration renews."""
    renewed = {"updated", "version_id", "version_info", "last_polled", "status", "concurrency_limit_id", "branch"}
    deployments = stack.ask("POST", "/deployments/filter", json={})
    plain = [{key: value for key, value in each.items() if key not in renewed} for each in deployments]
    for each in plain:
        each["pull_steps"] = each["pull_steps"] or []
        each["schedules"] = sorted(
            json.dumps({key: schedule[key] for key in ("schedule", "active", "slug")}, sort_keys=True)
            for schedule in each["schedules"]
        )
        each.pop("global_concurrency_limit", None)
    automations = stack.ask("POST", "/automations/filter", json={})
    named = sorted((each["name"], each["enabled"]) for each in automations)
    return sorted(json.dumps(each, sort_keys=True) for each in plain), named


def test_everything_is_up_and_deploying_again_changes_nothing(stack: Stack) -> None:
    checked = stack.run("up", "--check")
    assert (checked.returncode, checked.stdout) == (0, "everything is up\n"), checked.stderr
    before = snapshot(stack)
    assert len(before[0]) >= 5
    again = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=CHECKOUT, capture_output=True, text=True,
        env=stack.environment | {"PREFECT_API_URL": f"{stack.page}/api"}, check=False, timeout=300,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert snapshot(stack) == before
    running = stack.run("up", "--bootstrap-only")
    assert running.returncode == 0, running.stderr
    assert "running already" in running.stdout
    assert "nothing was missing" in running.stdout
    assert snapshot(stack) == before


def test_an_index_runs_by_its_schedule_until_the_spec_says_no_more(stack: Stack, declare: Callable[..., Path]) -> None:
    spec = declare("by-the-clock", schedule={"every_minutes": 0.25})
    deployed = stack.run("deploy", str(spec))
    assert deployed.returncode == 0, deployed.stderr
    assert "made    ingest/by-the-clock" in deployed.stdout
    run = wait_until(
        lambda: next((run for run in stack.runs_of("ingest/by-the-clock") if run["state"]["type"] == "COMPLETED"), None),
        timeout=240, what=lambda: stack.runs_of("ingest/by-the-clock")[:2],
    )  # fmt: skip
    assert run["auto_scheduled"]
    assert run["name"] == "by-the-clock: schedule"
    assert len(uris_of(spec)) == 12

    change(spec, schedule=None, on_change=False)
    again = stack.run("deploy", str(spec))
    assert "removed ingest-on-change/by-the-clock" in again.stdout
    assert stack.deployment("ingest/by-the-clock")["schedules"] == []
    assert stack.deployment("ingest-on-change/by-the-clock") is None
    gone = stack.run("deploy", "--remove", "by-the-clock")
    assert "removed ingest/by-the-clock" in gone.stdout
    assert stack.run("deploy", "--remove", "by-the-clock").returncode == 2, "there is nothing left to remove"


def test_a_run_by_hand_is_readable_and_leaves_artifacts(stack: Stack, declare: Callable[..., Path]) -> None:
    spec = declare("by-hand")
    (spec.parent / "docs" / "broken.md").write_bytes(bytes(range(256)))
    run = stack.wait_for(stack.create_run("ingest/ingest", index=str(spec)))
    assert (run["state"]["type"], run["state"]["name"]) == ("COMPLETED", "Completed With Failures")
    assert run["name"] == f"{spec.parent.name}: manual"
    assert len(uris_of(spec)) == 12
    shown = {each["key"]: each["data"] for each in stack.ask("POST", "/artifacts/latest/filter", json={})}
    assert "**by-hand: completed with failures.** 12 added" in shown["ingest-by-hand"]
    assert "docs/broken.md" in shown["failures-by-hand"]
    about = {"filter": {"resource": {"id": [f"relance.index.{spec.parent.name}"]}}}
    events = wait_until(lambda: stack.ask("POST", "/events/filter", json=about)["events"])  # stored some seconds later
    assert [event["event"] for event in events] == ["relance.index.in-sync"]


def test_a_change_of_a_source_is_searchable_soon(stack: Stack, declare: Callable[..., Path], tmp_path: Path) -> None:
    spec = declare("watched")
    assert stack.run("deploy", str(spec)).returncode == 0
    watching = stack.start("watch", str(spec))
    try:
        wait_until(
            lambda: len(uris_of(spec)) == 12, timeout=240, what=lambda: stack.runs_of("ingest-on-change/watched")
        )
        first = stack.runs_of("ingest-on-change/watched")[0]
        stack.wait_for(first["id"])
        time.sleep(2)
        (tmp_path / "docs" / "new.md").write_text("# New\n\nThe weir of Chalon is open.\n", encoding="utf-8")
        wrote = datetime.now(UTC)
        wait_until(lambda: "docs/new.md" in uris_of(spec), timeout=240)
        searchable = datetime.now(UTC)
        run = stack.wait_for(stack.runs_of("ingest-on-change/watched")[-1]["id"])
        assert run["state"]["type"] == "COMPLETED"
        assert run["name"] == "watched: change, docs/new.md"
        assert json.loads(run["parameters"]["payload"])["changed"] == ["docs/new.md"]
        moments = {name: datetime.fromisoformat(at) for name, at in stack.states(run["id"]).items()}
        steps = {
            "file written → run created": moments["Scheduled"] - wrote,
            "→ taken by the worker": moments["Pending"] - moments["Scheduled"],
            "→ flow runs": moments["Running"] - moments["Pending"],
            "→ searchable": searchable - moments["Running"],
            "in all": searchable - wrote,
        }
        print("\n".join(f"{name:30} {took.total_seconds():6.1f} s" for name, took in steps.items()))  # noqa: T201  # with -s

        (tmp_path / "docs" / "new.md").unlink()
        wait_until(lambda: "docs/new.md" not in uris_of(spec), timeout=240)
    finally:
        watching.send_signal(signal.SIGINT)
        said, _ = watching.communicate(timeout=30)
    assert watching.returncode == 0, said
    assert "watched: everything" in said


def test_a_thousand_changes_in_ten_seconds_make_few_runs_and_none_is_lost(
    stack: Stack, declare: Callable[..., Path], tmp_path: Path
) -> None:
    spec = declare("storm", documents=1)
    assert stack.run("deploy", str(spec)).returncode == 0
    watching = stack.start("watch", str(spec))
    try:
        wait_until(lambda: len(uris_of(spec)) == 1, timeout=240)
        stack.wait_for(stack.runs_of("ingest-on-change/storm")[0]["id"])
        before = len(stack.runs_of("ingest-on-change/storm"))
        began = time.monotonic()
        for number in range(1000):
            (tmp_path / "docs" / f"drop-{number:04}.md").write_text(f"Drop {number} of the flood.", encoding="utf-8")
            time.sleep(max(0.0, began + number / 110 - time.monotonic()))
        wait_until(lambda: len(uris_of(spec)) == 1001, timeout=240, what=lambda: len(uris_of(spec)))
        runs = stack.runs_of("ingest-on-change/storm")[before:]
        for run in runs:
            stack.wait_for(run["id"])
        ended = [stack.read_run(run["id"]) for run in stack.runs_of("ingest-on-change/storm")[before:]]
        assert 1 <= sum(run["state"]["type"] != "CANCELLED" for run in ended) <= 3, [run["state"] for run in ended]
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)


@pytest.mark.long
def test_many_events_while_a_run_is_at_work_become_one_further_run(
    stack: Stack, declare: Callable[..., Path], tmp_path: Path
) -> None:
    spec = declare("crowd", documents=3)
    assert stack.run("deploy", str(spec)).returncode == 0
    wanted = set()
    for number in range(8):
        name = f"late-{number}.md"
        (tmp_path / "docs" / name).write_text(f"Late news {number}.", encoding="utf-8")
        wanted.add(f"docs/{name}")
        assert stack.run("emit", "crowd", "--changed", f"docs/{name}").returncode == 0
    wait_until(lambda: wanted <= uris_of(spec), timeout=180, what=lambda: wanted - uris_of(spec))
    wait_until(lambda: len(stack.runs_of("ingest-on-change/crowd")) == 8, timeout=120)
    ended = [stack.wait_for(run["id"]) for run in stack.runs_of("ingest-on-change/crowd")]
    assert {run["state"]["type"] for run in ended} == {"COMPLETED", "CANCELLED"}, [run["state"] for run in ended]
    assert sum(run["state"]["type"] == "CANCELLED" for run in ended) >= 1, "covered by a run that was waiting"
    assert uris_of(spec) == wanted, "and nothing but what the events named was looked at"


def test_an_event_for_an_index_nobody_knows_is_seen(stack: Stack) -> None:
    assert stack.run("emit", "nobody", "--changed", "docs/a.md").returncode == 2
    event = {"id": "7a1f6d9e-0c7e-4a56-9d52-6a4f4b1f9c02", "occurred": datetime.now(UTC).isoformat(), "event": "relance.source.changed",
             "resource": {"prefect.resource.id": "relance.index.nobody", "relance.index": "nobody", "relance.deployment": "shared"},
             "payload": {"changed": ["docs/a.md"], "removed": [], "everything": False}}  # fmt: skip
    stack.ask("POST", "/events", json=[event])
    run = wait_until(
        lambda: next(
            (
                run
                for run in stack.runs_of("ingest-on-change/ingest-on-change")
                if run["parameters"]["index"] == "nobody"
            ),
            None,
        )
    )
    ended = stack.wait_for(run["id"])
    assert ended["state"]["type"] == "FAILED"
    assert "There is no index 'nobody'" in ended["state"]["message"]


def test_an_event_that_lacks_everything_but_its_name_makes_a_run_over_all_documents(
    stack: Stack, declare: Callable[..., Path]
) -> None:
    spec = declare("bare")
    assert stack.run("deploy", str(spec)).returncode == 0
    event = {"id": "7a1f6d9e-0c7e-4a56-9d52-6a4f4b1f9c01", "occurred": datetime.now(UTC).isoformat(), "event": "relance.source.changed",
             "resource": {"prefect.resource.id": "relance.index.bare"}, "payload": {"unheard": "of"}}  # fmt: skip
    stack.ask("POST", "/events", json=[event])
    wait_until(lambda: len(uris_of(spec)) == 12, timeout=240, what=lambda: stack.runs_of("ingest-on-change/bare"))


@pytest.mark.parametrize("answer", [True, False])
def test_an_empty_source_asks_a_person_before_it_empties_the_index(
    stack: Stack, declare: Callable[..., Path], tmp_path: Path, answer: bool
) -> None:
    name = f"asks-{'yes' if answer else 'no'}"
    spec = declare(name, documents=30)
    assert stack.run("ingest", str(spec), "--direct").returncode == 0
    for path in (tmp_path / "docs").iterdir():
        path.unlink()
    run_id = stack.create_run("ingest/ingest", index=str(spec))
    paused = stack.wait_for(run_id, "PAUSED", "FAILED", "COMPLETED")
    assert paused["state"]["type"] == "PAUSED", paused["state"]
    assert len(uris_of(spec)) == 30
    shown = {each["key"]: each["data"] for each in stack.ask("POST", "/artifacts/latest/filter", json={})}
    assert "30 removed" in shown[f"plan-{name}"]
    result = stack.ask("POST", f"/flow_runs/{run_id}/resume", json={"run_input": {"go_on": answer}})
    assert result["status"] == "ACCEPT", result
    ended = stack.wait_for(run_id)
    assert ended["state"]["type"] == ("COMPLETED" if answer else "CANCELLED"), ended["state"]
    assert len(uris_of(spec)) == (0 if answer else 30)


def test_a_run_whose_process_is_killed_is_crashed_at_once_and_the_next_finishes_the_work(
    stack: Stack, declare: Callable[..., Path]
) -> None:
    spec = declare("killed", documents=400)
    run_id = stack.create_run("ingest/ingest", index=str(spec))
    stack.wait_for(run_id, "RUNNING")
    kill_run(stack, run_id)
    began = time.monotonic()
    ended = stack.wait_for(run_id, timeout=180)
    assert ended["state"]["type"] == "CRASHED", ended["state"]
    assert time.monotonic() - began < 60
    again = stack.wait_for(stack.create_run("ingest/ingest", index=str(spec)))
    assert again["state"]["type"] == "COMPLETED", again["state"]
    assert len(uris_of(spec)) == 400


def test_a_run_whose_worker_is_killed_with_it_is_crashed_in_bounded_time(
    stack: Stack, declare: Callable[..., Path]
) -> None:
    spec = declare("orphan", documents=200)
    ingest = stack.deployment("ingest/ingest")
    stack.ask("POST", "/work_pools/", json={"name": "doomed", "type": "process"})
    kept = ("flow_id", "entrypoint", "parameter_openapi_schema", "path", "pull_steps", "tags")
    stack.ask(
        "POST",
        "/deployments/",
        json={key: ingest[key] for key in kept} | {"name": "doomed", "work_pool_name": "doomed"},
    )
    environment = stack.environment | {
        "PREFECT_API_URL": f"{stack.page}/api", "PREFECT_WORKER_QUERY_SECONDS": "1", "RELANCE_FAKE_DELAY_S": "600",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }  # fmt: skip
    worker = subprocess.Popen([sys.executable, "-m", "prefect", "worker", "start", "--pool", "doomed"], env=environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        run_id = stack.create_run("ingest/doomed", index=str(spec))
        wait_until(
            lambda: stack.ask("POST", "/task_runs/count", json={"flow_runs": {"id": {"any_": [run_id]}}}) >= 3,
            timeout=240,
        )
        time.sleep(1)  # it waits for its vectors now
    finally:
        worker.kill()
        worker.wait()
    kill_run(stack, run_id)
    began = time.monotonic()
    ended = stack.wait_for(run_id, timeout=200)
    assert ended["state"]["type"] == "CRASHED", ended["state"]
    assert "No heartbeat" in ended["state"]["message"]
    assert time.monotonic() - began < 150
    again = stack.wait_for(stack.create_run("ingest/ingest", index=str(spec)))
    assert again["state"]["type"] == "COMPLETED", again["state"]
    assert len(uris_of(spec)) == 200


def kill_run(stack: Stack, run_id: str) -> None:
    """Send SIGKILL to the processes of a flow run: the one the worker knows, and those it has started in turn."""
    pid = int(stack.read_run(run_id)["infrastructure_pid"])
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        process.kill()
