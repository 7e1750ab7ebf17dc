"""Another model as a flow: built beside as tasks, compared, held back for a person, switched to, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from files import put
from golden_notes import ABOUT, ASKED, BAD, GOOD
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import State

from relance.config.load import load_spec
from relance.index import Index
from relance_flows.ingest import ingest
from relance_flows.reembed import reembed


def run(flow: Any, **parameters: Any) -> State[Any]:
    return asyncio.run(flow(**parameters, return_state=True))


async def value_of(state: State[Any]) -> Any:
    return await state.aresult()


async def shown(key: str) -> list[str]:
    """Return the artifacts of a key, oldest first."""
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return [str(each.data) for each in sorted(found, key=lambda each: str(each.created))]


def test_a_worse_model_waits_for_a_person_and_a_person_may_want_it(
    declare: Callable[..., Path], tmp_path: Path
) -> None:
    for name, text in ABOUT.items():
        put(tmp_path / "docs" / f"{name}.md", text)
    items = [{"query": query, "documents": [f"docs/{name}.md"]} for name, query in ASKED.items()]
    put(tmp_path / "golden.yaml", yaml.safe_dump(items))
    gate = {"queries": "golden.yaml", "mode": "dense"}
    table = Index(load_spec(declare(name="waits", embedding=GOOD))).ingest().table
    spec = declare(name="waits", embedding=BAD, gate=gate)
    ended = run(ingest, index=str(spec))
    assert (ended.is_completed(), ended.name) == (True, "Held Back")
    found = asyncio.run(value_of(ended))
    assert (found["table"], found["reembed"]["status"]) == (table, "held back")
    (comparison,) = asyncio.run(shown("reembed-waits"))
    assert "nDCG@10" in comparison
    assert "held back" in comparison
    again = run(ingest, index=str(spec))
    assert again.name == "Completed", "nobody is asked twice"
    switched = asyncio.run(value_of(run(reembed, index=str(spec), mode="switch")))
    assert (switched["status"], switched["beside"]) == ("switched", table)
    back = asyncio.run(value_of(run(reembed, index=str(spec), mode="switch back")))
    assert (back["status"], back["table"]) == ("switched back", table)
    better = declare(name="waits", embedding=GOOD | {"dimension": 128}, gate=gate)
    assert asyncio.run(value_of(run(reembed, index=str(better), mode="plan only")))["added"] == len(ABOUT)
    assert asyncio.run(value_of(run(reembed, index=str(better))))["gate"]["holds"]
