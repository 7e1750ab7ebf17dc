"""Evaluation as a flow: every index is asked in the ways it can be, and what is found is published."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import put
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from relance.index import Index
from relance_flows.evaluate import evaluate

DOCUMENTS = {"ferry.md": "The ferry crosses the river at night.", "lock.md": "A lock lifts boats to the upper canal.",
             "herring.md": "Herring are salted in barrels."}  # fmt: skip
GOLDEN = [{"query": "When does the ferry cross?", "documents": ["docs/ferry.md"]},
          {"query": "How do boats get to the upper canal?", "documents": ["docs/lock.md"]},
          {"query": "What is in the barrels?", "documents": ["docs/herring.md", "docs/cod.md"]}]  # fmt: skip


@pytest.fixture
def specs(declare: Callable[..., Path], tmp_path: Path) -> list[Path]:
    """The same documents indexed twice: dense and sparse vectors, and dense ones of another model."""
    models = {"terms": {"model": "fake/hash", "output_type": "dense&sparse", "dimension": 512},
              "meaning": {"model": "local/wordllama"}}  # fmt: skip
    paths = []
    for name, embedding in models.items():
        folder = tmp_path / name
        for document, text in DOCUMENTS.items():
            put(folder / "docs" / document, text)
        put(folder / "golden.yaml", yaml.safe_dump(GOLDEN))
        paths.append(declare(name, folder=folder, embedding=embedding))
        Index(paths[-1]).ingest()
    return paths


def run(**parameters: Any) -> Any:
    flow: Any = evaluate
    return asyncio.run(flow(**({"dataset": "golden.yaml"} | parameters), return_state=True))


def artifact(key: str) -> str:
    async def read() -> str:
        async with get_client() as client:
            found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return str(found[-1].data)

    return asyncio.run(read())


def test_every_index_is_asked_in_all_ways_it_has(specs: list[Path]) -> None:
    state = run(index=str(specs[0]), mode="compare all", others=str(specs[1]), dimensions=True)
    assert state.is_completed(), state
    found = asyncio.run(state.aresult())
    asked = [(each["index"], each["mode"]) for each in found["systems"]]
    assert sorted(asked) == sorted([*(("terms", mode) for mode in ("hybrid", "dense", "full-text", "sparse")),
                                    *(("meaning", mode) for mode in ("hybrid", "dense", "full-text"))])  # fmt: skip
    assert json.dumps(found)
    shown = artifact("evaluate-terms")
    assert "| system | nDCG@10 | ± nDCG@10 | p | Recall@10 |" in shown
    assert r"1 relevant document is not in the index, and no search can find what is missing: docs/cod.md." in shown
    drawn = re.search(r"\(data:image/png;base64,([^)]+)\)", shown)
    assert drawn is not None
    assert base64.b64decode(drawn[1]).startswith(b"\x89PNG")
    curves = artifact("dimensions-terms"), artifact("dimensions-meaning")
    assert ["| 512 | 2,048 |" in curve for curve in curves] == [True, False]
    assert ["| 128 | 512 |" in curve for curve in curves] == [True, True]


def test_a_way_that_an_index_does_not_have_is_told(specs: list[Path]) -> None:
    state = run(index=str(specs[1]), mode="sparse")
    assert state.is_failed()
    assert "index 'meaning' has no such vectors; it can be searched by" in str(state.message)


def test_questions_that_are_not_named_are_asked_for(specs: list[Path]) -> None:
    state = run(index=str(specs[1]), dataset="")
    assert state.is_failed()
    assert "Questions is empty; fill it in: A YAML file of golden queries" in str(state.message)
