"""The ingest flow against a real Prefect server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import write
from prefect import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, TaskRun

from relance.config.load import load_spec
from relance.errors import AccountError, ApprovalNeededError, BudgetError, ConfigurationError, RateLimitedError
from relance.index import Index
from relance.store import open_store
from relance.store.lock import hold
from relance_flows.doctor import doctor
from relance_flows.evaluate import evaluate
from relance_flows.ingest import ingest
from relance_flows.maintain import maintain


@pytest.fixture
def declare(declare: Callable[..., Path], docs: Path) -> Callable[..., Path]:
    """Write a spec over twelve documents; keywords replace sections."""
    for i in range(12):
        write(docs, f"note-{i}.md", f"It is about {'many things ' * 30} and {i}.")
    return partial(declare, name="flow-notes", chunking={"max_tokens": 32})


def run(**parameters: Any) -> State[Any]:
    call: Any = ingest  # Prefect's overloads take an async flow for a sync one
    return asyncio.run(call(**parameters, return_state=True))


async def runs_of(spec: Path) -> tuple[FlowRun, list[TaskRun]]:
    """Return the latest run over a spec and its task runs, once the server has recorded them all."""
    async with get_client() as client:
        for _ in range(60):
            flow_runs = await client.read_flow_runs()
            about = [each for each in flow_runs if each.parameters.get("index") == str(spec)]
            flow_run = max(about, key=lambda each: each.created)
            task_runs = await client.read_task_runs(
                task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run.id]))
            )
            if task_runs and all(each.state is not None and each.state.is_final() for each in task_runs):
                return flow_run, task_runs
            await asyncio.sleep(0.5)
    raise AssertionError([each.name for each in task_runs])


def test_a_run_is_readable_and_leaves_its_report(declare: Callable[..., Path]) -> None:
    spec = declare()
    state = run(index=str(spec))
    assert state.is_completed()
    assert state.name == "Completed"
    report = asyncio.run(_result(state))
    assert (report["added"], report["failed"]) == (12, 0)
    assert Index(spec).status().documents == 12
    flow_run, task_runs = asyncio.run(runs_of(spec))
    assert flow_run.name == f"{spec.parent.name}: manual"
    names = {each.name for each in task_runs}
    assert {"discover flow-notes", "embed flow-notes 1/1", "commit flow-notes 1/1", "finish flow-notes"} <= names
    assert all("relance" in each.tags for each in task_runs)
    artifact = asyncio.run(_artifact("ingest-flow-notes"))
    assert re.search(r"\| documents \| 12 added · 0 changed", artifact)


def test_a_run_with_failures_is_not_silently_green(declare: Callable[..., Path], tmp_path: Path) -> None:
    spec = declare()
    (tmp_path / "docs" / "bad.md").write_bytes(bytes(range(256)))
    state = run(index=str(spec))
    assert state.is_completed()
    assert state.name == "Completed With Failures"
    assert "docs/bad.md" in asyncio.run(_artifact("failures-flow-notes"))


def test_planning_writes_nothing(declare: Callable[..., Path], tmp_path: Path) -> None:
    spec = declare()
    plan = asyncio.run(_result(run(index=str(spec), mode="plan only")))
    assert plan["added"] == 12
    assert not (tmp_path / "db").exists()


def test_only_what_may_pass_is_tried_again(declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.pipeline import vectors
    from relance_tasks.embed import embed

    monkeypatch.setattr(embed, "retry_delay_seconds", [0, 0])
    calls: list[int] = []
    real = vectors.embed

    def refuse_once(runtime: Any, part: Any, batch: Any, grant: Any) -> Any:
        calls.append(batch.number)
        if len(calls) == 1:
            raise RateLimitedError("later")
        return real(runtime, part, batch, grant)

    monkeypatch.setattr(vectors, "embed", refuse_once)
    state = run(index=str(declare()))
    assert state.name == "Completed"
    assert calls == [1, 1]


def test_a_provider_that_stays_away_leaves_failures_for_the_next_run(
    declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.pipeline import vectors
    from relance_tasks.embed import embed

    monkeypatch.setattr(embed, "retry_delay_seconds", [0, 0])

    def refuse(*_: object) -> None:
        raise RateLimitedError("come back tomorrow")

    spec = declare()
    with monkeypatch.context() as patch:
        patch.setattr(vectors, "embed", refuse)
        report = asyncio.run(_result(run(index=str(spec))))
    assert (report["failed"], report["added"]) == (12, 0)
    assert "tomorrow" in Index(spec).failures()[0].reason
    assert asyncio.run(_result(run(index=str(spec))))["added"] == 12
    assert Index(spec).failures() == []


def test_a_refused_account_stops_the_run_at_once(declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.pipeline import vectors

    calls: list[int] = []

    def refuse(*_: object) -> None:
        calls.append(1)
        raise AccountError("the key is not valid")

    monkeypatch.setattr(vectors, "embed", refuse)
    state = run(index=str(declare()))
    assert state.is_failed()
    assert calls == [1]
    assert (state.message or "").startswith("The key is not valid. Put a valid key into the credentials block")
    with pytest.raises(AccountError, match="not valid"):
        asyncio.run(_result(state))


def test_a_run_without_a_key_says_where_to_put_one(
    declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    state = run(index=str(declare(embedding={"model": "dashscope/text-embedding-v4"})))
    assert state.is_failed()
    said = state.message or ""
    assert "text-embedding-v4 needs a key: set DASHSCOPE_API_KEY" in said
    assert "make a credentials block in the Prefect UI" in said
    assert "Error" not in said
    assert "Traceback" not in caplog.text


def test_a_store_that_is_not_reached_and_an_index_that_is_held_are_sentences(
    declare: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    away = run(index=str(declare(store={"uri": "file/db"})))
    assert (away.is_failed(), (away.message or "")[:23]) == (True, "The store failed while ")
    spec = declare()
    with hold(open_store(load_spec(spec)), "flow-notes"):
        busy = run(index=str(spec))
    assert (busy.message or "").endswith("ended, or fill in Wait (seconds) in the form of the run.")
    assert "--wait" not in (busy.message or "")


@pytest.mark.long
def test_media_travel_the_main_path_after_the_texts(
    declare: Callable[..., Path], tmp_path: Path, emulator: Any
) -> None:
    from PIL import Image

    (tmp_path / "pics").mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (24, 16), name).save(tmp_path / "pics" / f"{name}.png")
    (tmp_path / "docs" / "shown.md").write_text("# Shown\n\nIt is red.\n\n![it](../pics/red.png)\n", encoding="utf-8")
    (tmp_path / "pics" / "bad.png").write_bytes(b"no picture")
    sources = [{"type": "files", "root": name} for name in ("docs", "pics")]
    media = {"embedding": {"base_url": f"{emulator.url}/api/v1"}}
    spec = declare(name="flow-gallery", sources=sources, media=media)
    plan = asyncio.run(_result(run(index=str(spec), mode="plan only")))
    assert (plan["added"], plan["media"]["added"], plan["media"]["failed"]) == (13, 4, 1)
    assert re.search(r"documents \| 4 added", asyncio.run(_artifact("plan-flow-gallery-media")))

    state = run(index=str(spec))
    assert (state.name, state.message) == (
        "Completed With Failures",
        "17 added; cost $0.0002. 1 document failed: the artifact of failures says what to do.",
    )
    report = asyncio.run(_result(state))
    assert (report["added"], report["media"]["added"], report["media"]["embedded"]) == (13, 4, 3)
    assert report["media"]["run_id"] == report["run_id"]
    assert {name: emulator.stats()[name] for name in ("texts", "duplicates")} == {"texts": 3, "duplicates": 0}
    assert "pics/red.png" in {hit.url for hit in Index(spec).search_media("red", mode="dense", k=1)}
    _, task_runs = asyncio.run(runs_of(spec))
    names = {each.name for each in task_runs}
    assert {"embed flow-gallery 1/1", "embed flow-gallery media 1/1", "finish flow-gallery media"} <= names
    assert all("relance" in each.tags for each in task_runs)
    assert re.search(r"documents \| 13 added", asyncio.run(_artifact("ingest-flow-gallery")))
    assert re.search(r"· 3 embedded ·", asyncio.run(_artifact("ingest-flow-gallery-media")))
    assert "pics/bad.png" in asyncio.run(_artifact("failures-flow-gallery-media"))

    again = asyncio.run(_result(run(index=str(spec))))
    assert (again["unchanged"], again["media"]["unchanged"], again["media"]["requests"]) == (13, 4, 0)


async def _result(state: State[Any]) -> Any:
    return await state.aresult()


async def _artifact(key: str) -> str:
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return "\n".join(str(each.data) for each in found)


def test_a_run_that_may_not_ask_ends_with_the_reasons_and_removes_nothing(
    declare: Callable[..., Path], tmp_path: Path
) -> None:
    spec = declare()
    run(index=str(spec))
    for path in (tmp_path / "docs").iterdir():
        path.unlink()
    state = run(index=str(spec), approval="refuse")
    assert state.is_failed()
    assert "Approval: ask pauses for your answer" in (state.message or "")
    with pytest.raises(ApprovalNeededError, match="would remove all 12 documents"):
        asyncio.run(_result(state))
    assert Index(spec).status().documents == 12
    given = asyncio.run(_result(run(index=str(spec), approval="given")))
    assert (given["removed"], Index(spec).status().documents) == (12, 0)


def test_an_index_that_nobody_knows_is_told_so() -> None:
    state = run(index="nobody")
    assert state.is_failed()
    with pytest.raises(ConfigurationError, match="there is no index 'nobody'"):
        asyncio.run(_result(state))


def test_a_budget_from_the_form_counts_for_the_run(declare: Callable[..., Path]) -> None:
    embedding = {"model": "fake/hash", "price_per_million_tokens": 1000.0}
    state = run(index=str(declare(embedding=embedding)), max_cost_usd=0.01)
    assert "Raise the budget in the form of the run" in (state.message or "")
    with pytest.raises(BudgetError, match=r"limits.max_cost_usd is \$0.01"):
        asyncio.run(_result(state))


def test_maintenance_and_evaluation_publish_what_they_found(declare: Callable[..., Path], tmp_path: Path) -> None:
    spec = declare()
    run(index=str(spec))
    (tmp_path / "golden.yaml").write_text(
        yaml.safe_dump([{"query": "note 3", "documents": ["docs/note-3.md"]}]), encoding="utf-8"
    )
    done = asyncio.run(maintain(index=str(spec)))
    assert done["flow-notes"]["index"] == "flow-notes"
    found = asyncio.run(evaluate(index=str(spec), dataset="golden.yaml", mode="full-text"))
    assert (found["queries"], found["k"]) == (1, 10)
    assert f"| ndcg | {found['ndcg']:.4f}".rstrip("0").rstrip(".") in asyncio.run(_artifact("evaluate-flow-notes"))
    assert "flow-notes" in asyncio.run(_artifact("maintain-flow-notes"))


@pytest.mark.usefixtures("own_temporary_folder")
def test_the_doctor_fails_while_something_is_wrong_and_repairs_it(declare: Callable[..., Path]) -> None:
    spec = declare()
    run(index=str(spec))
    healthy = asyncio.run(doctor(index=str(spec)))
    assert healthy["flow-notes"]["healthy"]
    Index(spec).table().delete("uri = 'docs/note-3.md'")
    flow: Any = doctor
    state = asyncio.run(flow(index=str(spec), return_state=True))
    assert state.is_failed()
    assert "problems in the store of flow-notes; run it with repair" in (state.message or "")
    assert "documents-torn" in asyncio.run(_artifact("doctor-flow-notes"))
    repaired = asyncio.run(doctor(index=str(spec), repair=True))
    assert repaired["flow-notes"]["waiting"] == 1
    assert "The next run writes 1 document again" in asyncio.run(_artifact("doctor-flow-notes"))
    run(index=str(spec))
    assert asyncio.run(doctor(index=str(spec)))["flow-notes"]["findings"] == []
