"""Analyses as flows: what they find is published where a person looks, and may stop what comes after."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows import analyze
from relance.analysis.results import read_results
from relance.index import Index

pytestmark = [
    pytest.mark.flows,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

SPORTS = ["The striker scored two goals in the cup final", "The keeper saved a penalty in the football match",
          "The team won the league after a late goal", "The coach praised the football players", "A goal in the last minute",
          "The referee stopped the football match"]  # fmt: skip
COOKING = ["Bake the bread in a hot oven for an hour", "Stir the soup and add salt and pepper", "Knead the dough with flour",
           "Roast the vegetables with oil and salt", "Whisk the eggs and the sugar for the cake",
           "Fry the onions in butter until brown"]  # fmt: skip


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two subjects, and a text that is of neither."""
    folder = tmp_path_factory.mktemp("subjects")
    rows = [{"id": f"sport-{n}", "text": text} for n, text in enumerate(SPORTS)]
    rows += [{"id": f"cook-{n}", "text": text} for n, text in enumerate(COOKING)]
    rows.append({"id": "odd", "text": "qzxv wkjh plmt 0x7f3a 9931-AA"})
    (folder / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    declared = {
        "name": "subjects",
        "sources": [{"type": "files", "root": ".", "include": ["notes.jsonl"], "rows": {"id": "id", "text": "text"}}],
        "store": {"uri": "db"},
    }
    path = folder / "index.yaml"
    path.write_text(yaml.safe_dump(declared), encoding="utf-8")
    Index(path).ingest()
    return path


def run(flow: Any, spec: Path, **parameters: Any) -> Any:
    return asyncio.run(flow(index=str(spec), **parameters, return_state=True))


def value(state: Any) -> Any:
    assert state.is_completed(), state
    return asyncio.run(state.aresult())


def artifact(key: str) -> str:
    async def read() -> str:
        async with get_client() as client:
            found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return str(found[-1].data)

    return asyncio.run(read())


def test_clusters_are_listed_and_drawn(spec: Path) -> None:
    found = value(run(analyze.cluster, spec, clusters=2, where="uri NOT LIKE '%odd'"))
    assert [each["size"] for each in found["clusters"]] == [6, 6]
    shown = artifact("clusters-subjects")
    assert "| size | label | terms | cohesion | most central |" in shown
    drawn = re.search(r"!\[map of subjects\]\(data:image/png;base64,([^)]+)\)", shown)
    assert drawn is not None
    assert base64.b64decode(drawn[1]).startswith(b"\x89PNG")
    rows = read_results(Index(spec), "clusters").to_pylist()
    by_subject = {row["uri"].rpartition("#")[2].partition("-")[0]: row["cluster"] for row in rows}
    assert len(rows) == 12
    assert len(set(by_subject.values())) == 2


def test_labels_are_counted(spec: Path) -> None:
    labels = {"sport": "football matches and goals", "food": "cooking a meal"}
    (spec.parent / "labels.yaml").write_text(yaml.safe_dump(labels), encoding="utf-8")
    found = value(run(analyze.classify, spec))
    assert found["counts"]["sport"] >= 6
    assert found["counts"]["food"] >= 6
    assert f"| sport | {found['counts']['sport']} |" in artifact("classes-subjects")


def test_anomalies_are_listed_and_may_end_the_run(spec: Path) -> None:
    found = value(run(analyze.anomalies, spec, method="centroid", tolerance=0.3))
    assert found["found"][0]["uri"].endswith("#odd")
    assert "#odd" in artifact("anomalies-subjects").replace("\\", "")
    assert found["count"] >= 1
    stopped = run(analyze.anomalies, spec, method="centroid", tolerance=0.3, allowed=0)
    assert stopped.is_failed()
    assert f"{found['count']} anomalies, 0 are allowed" in stopped.message


def test_what_is_recommended_says_because_of_what(spec: Path) -> None:
    (spec.parent / "history.csv").write_text(
        "uri,weight\nnotes.jsonl#cook-0,1\nnotes.jsonl#nowhere,1\n", encoding="utf-8"
    )
    found = value(run(analyze.recommend, spec, k=3))
    assert all("#cook-" in each["uri"] for each in found["items"])
    assert "notes.jsonl#cook-0" not in [each["uri"] for each in found["items"]]
    shown = artifact("recommendations-subjects").replace("\\", "")
    assert "Not in the index: notes.jsonl#nowhere" in shown
    assert "notes.jsonl#cook-0" in shown


def test_duplicates_are_grouped(spec: Path) -> None:
    found = value(run(analyze.duplicates, spec))
    assert found["groups"] == []
    assert "0 groups" in artifact("duplicates-subjects")
