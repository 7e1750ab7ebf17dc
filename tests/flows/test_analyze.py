"""Analyses as flows: what they find is published where a person looks, and may stop what comes after."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.exceptions import ParameterTypeError

from relance.analysis.cluster import cluster
from relance.analysis.duplicates import Duplicate, DuplicateGroup, Duplicates
from relance.analysis.results import read_results
from relance.index import Index
from relance_flows import analyze
from relance_tasks.findings import clusters_markdown, duplicates_markdown

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
        return str(max(found, key=lambda each: each.created).data)

    return asyncio.run(read())


def test_clusters_are_listed_and_drawn(spec: Path) -> None:
    found = value(run(analyze.cluster, spec, clusters=2, filter='not uri ~ "*odd"', page="map.html"))
    assert [each["size"] for each in found["clusters"]] == [6, 6]
    shown = artifact("clusters-subjects")
    assert "| size | terms | cohesion | most central |" in shown
    assert "map.html" in shown.replace("\\", "")
    assert (spec.parent / "map.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    drawn = re.search(r"!\[map of subjects\]\(data:image/png;base64,([^)]+)\)", shown)
    assert drawn is not None
    assert base64.b64decode(drawn[1]).startswith(b"\x89PNG")
    rows = read_results(Index(spec), "clusters").to_pylist()
    by_subject = {row["uri"].rpartition("#")[2].partition("-")[0]: row["cluster"] for row in rows}
    assert len(rows) == 12
    assert len(set(by_subject.values())) == 2


def test_what_a_picture_cannot_show_is_said_below_it(spec: Path) -> None:
    found = cluster(Index(spec), k=2, projection="pca")
    assert "boxes" not in clusters_markdown(found, None)
    named = replace(found, clusters=[replace(each, label="\ue000") for each in found.clusters])
    assert clusters_markdown(named, None).endswith("install one (Chinese: fonts-noto-cjk).")


def test_labels_are_counted(spec: Path) -> None:
    labels = {"sport": "football matches and goals", "food": "cooking a meal"}
    (spec.parent / "labels.yaml").write_text(yaml.safe_dump(labels), encoding="utf-8")
    found = value(run(analyze.classify, spec, labels="labels.yaml"))
    assert found["counts"]["sport"] >= 6
    assert found["counts"]["food"] >= 6
    assert f"| sport | {found['counts']['sport']} |" in artifact("classes-subjects")
    wrong = "uri,label\nnotes.jsonl#sport-0,food\nnotes.jsonl#sport-1,food\nnotes.jsonl#cook-0,sport\n"
    (spec.parent / "known.csv").write_text(wrong, encoding="utf-8")
    options = {"labelled": "known.csv", "filter": 'uri ~ "*sport*"'}
    found = value(run(analyze.classify, spec, labels="labels.yaml", **options))
    assert (found["total"], found["unsure"]) == (6, 6)
    assert "No margin is enough for 90%" in artifact("classes-subjects").replace("\\", "")
    assert value(run(analyze.classify, spec, labels="labels.yaml", min_margin=0.0001, **options))["unsure"] < 6
    assert value(run(analyze.classify, spec, labels="labels.yaml", min_score=1.0))["unsure"] == 13


def test_anomalies_are_listed_and_may_end_the_run(spec: Path) -> None:
    found = value(run(analyze.anomalies, spec, method="centroid", tolerance=0.3))
    assert found["found"][0]["uri"].endswith("#odd")
    assert "#odd" in artifact("anomalies-subjects").replace("\\", "")
    assert found["count"] >= 1
    stopped = run(analyze.anomalies, spec, method="centroid", tolerance=0.3, allowed=0)
    assert stopped.is_failed()
    assert f"{found['count']} anomalies, 0 are allowed" in stopped.message


def test_what_is_normal_is_chosen_by_filter_or_is_another_index(spec: Path) -> None:
    some = {"filter": 'uri ~ "*odd"', "reference_filter": 'not uri ~ "*odd"'}
    found = value(run(analyze.anomalies, spec, **some))
    assert (found["scored"], found["reference"]) == (1, 12)
    found = value(run(analyze.anomalies, spec, reference=str(spec)))
    assert (found["scored"], found["reference"]) == (13, 13)


def test_what_is_recommended_says_because_of_what(spec: Path) -> None:
    (spec.parent / "history.csv").write_text(
        "uri,weight\nnotes.jsonl#cook-0,1\nnotes.jsonl#nowhere,1\n", encoding="utf-8"
    )
    found = value(
        run(
            analyze.recommend,
            spec,
            history="history.csv",
            k=3,
            half_life=0,
            level="documents",
            filter='uri !~ "*cook-1"',
        )
    )
    assert "notes.jsonl#cook-1" not in [each["uri"] for each in found["items"]]
    assert len(found["items"]) == 3
    assert all("#cook-" in each["uri"] for each in found["items"])
    assert "notes.jsonl#cook-0" not in [each["uri"] for each in found["items"]]
    shown = artifact("recommendations-subjects").replace("\\", "")
    assert "Not in the index: notes.jsonl#nowhere" in shown
    assert "notes.jsonl#cook-0" in shown


def test_duplicates_are_grouped(spec: Path) -> None:
    found = value(run(analyze.duplicates, spec))
    assert found["groups"] == []
    assert "0 groups" in artifact("duplicates-subjects")
    found = value(run(analyze.duplicates, spec, similarity=0.01, overlap=0, filter='uri ~ "*sport*"'))
    assert (found["compared"], len(found["groups"])) == (6, 1)
    first, *others = [each["uri"] for each in found["groups"][0]["members"]]
    shown = artifact("duplicates-subjects").replace("\\", "")
    assert f"| {first} | {first} |" not in shown
    assert all(f"| {first} | {other} |" in shown for other in others)


@pytest.mark.parametrize(("flow", "wrong"), [("duplicates", {"similarity": 0}), ("anomalies", {"tolerance": "inf"})])
def test_a_form_takes_no_number_the_analysis_refuses(flow: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterTypeError):
        getattr(analyze, flow).validate_parameters({"index": "a"} | wrong)


def test_media_have_no_text_in_common() -> None:
    pair = [Duplicate("1", "a.png", 1.0, 0.0, "vector"), Duplicate("2", "b|.png", 0.99, 0.0, "vector")]
    shown = duplicates_markdown(Duplicates("i", "media", 2, 1, "t", [DuplicateGroup("a.png", pair)]))
    assert "text in common" not in shown
    assert shown.count("a.png") == 1
    assert "0%" not in shown
