"""Changes as events, taken in by the flow; on a server without a worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from files import put
from prefect import get_client

from relance.config.load import load_spec
from relance.events.change import Change
from relance.events.handled import Handled
from relance.index import Index
from relance.store import open_store
from relance_flows import on_change
from relance_flows.on_change import ingest_on_change, moment, said
from relance_tasks.changes import new_changes, others_at_work


@pytest.fixture
def spec(declare: Callable[..., Path], docs: Path) -> Path:
    for number in range(5):
        put(docs / f"note-{number}.md", f"Note {number}")
    return declare(f"n{uuid4().hex[:12]}")


async def emit(index: str, *changed: str, at: datetime | None = None) -> str:
    """Send an event under the name the flow is given; returns its id once the server has stored it."""
    event = Change(index, changed=changed).as_event(own=True, id=uuid4(), occurred=at or datetime.now(UTC))
    async with get_client() as client:
        (await client.request("POST", "/events", json=[event])).raise_for_status()
        for _ in range(100):
            found = await client.request("POST", "/events/filter", json={"filter": {"id": {"id": [event["id"]]}}})
            if found.json()["events"]:
                return event["id"]
            await asyncio.sleep(0.2)
    raise AssertionError("the event was not stored")


def run(**parameters: Any) -> Any:
    call: Any = ingest_on_change
    return asyncio.run(call(**parameters, settle_s=0.5, return_state=True))


def uris(spec: Path) -> set[str]:
    return {row["uri"] for row in Index(spec).table().search().select(["uri"]).limit(None).to_list()}


def test_a_change_is_taken_in_with_all_that_was_sent_since_and_nothing_twice(spec: Path) -> None:
    first = asyncio.run(emit(str(spec), "docs/note-1.md"))
    asyncio.run(emit(str(spec), "docs/note-2.md"))
    payload = json.dumps({"index": str(spec), "changed": ["docs/note-1.md"], "removed": [], "everything": False})
    state = run(index=str(spec), payload=payload, event=first, occurred=datetime.now(UTC).isoformat())
    assert state.is_completed()
    assert uris(spec) == {"docs/note-1.md", "docs/note-2.md"}
    runs = Index(spec).runs()
    assert [run.report["partial"] for run in runs] == [True, True]

    again = run(index=str(spec), payload=payload, event=first)
    assert (again.is_completed(), again.name) == (True, "Nothing left")
    assert len(Index(spec).runs()) == len(runs)


def test_a_payload_that_says_nothing_means_everything(spec: Path) -> None:
    for payload in ("", "no json", "{}", '{"changed": 7}'):
        assert said("notes", payload).everything
    assert run(index=str(spec), payload="{}").is_completed()
    assert len(uris(spec)) == 5


def test_a_run_over_everything_takes_in_what_was_sent_before_it(spec: Path) -> None:
    asyncio.run(emit(str(spec), "docs/note-1.md", at=datetime.now(UTC) - timedelta(minutes=10)))
    index = load_spec(spec)
    handled = Handled(open_store(index), index.name)
    change, _ = asyncio.run(new_changes(str(spec), handled))
    assert change == Change(str(spec), changed=("docs/note-1.md",))
    Index(spec).ingest()
    assert asyncio.run(new_changes(str(spec), handled)) == (None, {})


def test_what_was_taken_in_is_remembered_by_id_and_forgotten_when_it_cannot_be_asked_for_again(spec: Path) -> None:
    index = load_spec(spec)
    handled = Handled(open_store(index), index.name)
    now = datetime.now(UTC)
    handled.add({"a": now - timedelta(hours=1), "b": now})
    assert handled.new({"b": now, "c": now}) == {"c"}
    assert handled.since() < now
    assert handled.new({"a": now - timedelta(hours=1)}) == {"a"}, "it is long before what is looked at"
    handled.add({})
    assert handled.new({"b": now}) == set()


def test_others_at_work_are_those_that_came_before_on_the_same_index() -> None:
    async def main() -> list[list[str]]:
        from prefect.states import Running

        made = []
        async with get_client() as client:
            for index in ("one", "one", "two", "one"):
                made.append(
                    await client.create_flow_run(ingest_on_change, parameters={"index": index}, state=Running())
                )
                await asyncio.sleep(0.01)
        names = {run.id: f"{number}" for number, run in enumerate(made)}
        found = [await others_at_work(on_change.FLOW, run.parameters["index"], run) for run in made]
        async with get_client() as client:
            for run in made:
                await client.delete_flow_run(run.id)
        return [sorted(names[other.id] for other in others if other.id in names) for others in found]

    assert asyncio.run(main()) == [[], ["0"], [], ["0", "1"]]


def test_a_moment_that_cannot_be_read_is_now() -> None:
    assert datetime.now(UTC) - moment("yesterday") < timedelta(seconds=5)
    assert moment("2026-01-02 03:04:05.6+00:00") == datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
    assert moment("2026-01-02T03:04:05").tzinfo is not None
