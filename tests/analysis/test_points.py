"""Points are the vectors of the table, once each, whatever the batches and samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relance.analysis.anomalies import check_texts, find_anomalies
from relance.analysis.classify import Label, classify
from relance.analysis.cluster import cluster
from relance.analysis.duplicates import find_duplicates
from relance.analysis.points import count_points, describe_points, read_points, stream_points, unit
from relance.analysis.results import read_results, write_results
from relance.errors import ConfigurationError, InputError
from relance.index import Index

DOCUMENTS = 23


@pytest.fixture
def index(docs: Path, make_index: Callable[..., Index]) -> Index:
    """Documents of one to five chunks."""
    for number in range(DOCUMENTS):
        words = " ".join(f"word{number}x{at}" for at in range(10 + 40 * (number % 5)))
        (docs / f"{number:02}.md").write_text(f"# Title {number}\n\n{words}\n", encoding="utf-8")
    index = make_index(chunking={"max_tokens": 64})
    index.ingest()
    return index


def test_a_document_is_the_mean_of_its_chunks(index):
    points = read_points(index)
    rows = index.table().search().select(["doc_id", "uri", "vector"]).limit(None).to_list()
    assert len(points) == DOCUMENTS
    assert len(rows) > DOCUMENTS
    for name, uri, vector in zip(points.ids, points.uris, points.vectors, strict=True):
        chunks = np.array([row["vector"] for row in rows if row["doc_id"] == name])
        mean = (chunks / np.linalg.norm(chunks, axis=1, keepdims=True)).mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
        assert {row["uri"] for row in rows if row["doc_id"] == name} == {uri}


def test_every_analysis_takes_a_filter_and_a_condition(index):
    limits: dict[str, Any] = {"filter": 'uri ~ "docs/1*"', "where": "uri <> 'docs/11.md'"}
    seen = {
        "cluster": len(cluster(index, k=2, projection=None, **limits).ids),
        "classify": classify(index, [Label("one"), Label("two")], **limits).total,
        "anomalies": find_anomalies(index, **limits).scored,
        "normal": find_anomalies(index, reference_filter=limits["filter"], reference_where=limits["where"]).reference,
        "duplicates": find_duplicates(index, **limits).compared,
    }
    assert seen == dict.fromkeys(seen, 9)
    every, some = (check_texts(index, ["word3x7"], neighbours=1, filter=only)[0] for only in ("", 'uri ~ "docs/1*"'))
    assert every.nearest[0].uri != some.nearest[0].uri
    assert "docs/1" in some.nearest[0].uri


@pytest.mark.parametrize("level", ["documents", "chunks"])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_every_point_is_streamed_once(index, level, batch):
    whole = read_points(index, level=level)
    parts = list(stream_points(index, level=level, batch=batch))
    assert [name for part in parts for name in part.ids] == whole.ids
    np.testing.assert_array_equal(np.concatenate([part.vectors for part in parts]), whole.vectors)
    assert max(len(part) for part in parts) <= batch
    assert count_points(index, level=level) == len(whole) == len(set(whole.ids))
    np.testing.assert_allclose(np.linalg.norm(whole.vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("level", ["documents", "chunks"])
def test_a_sample_is_the_same_for_the_same_seed(index, level):
    whole = dict(zip((points := read_points(index, level=level)).ids, points.vectors, strict=True))
    one, same, other = (read_points(index, level=level, sample=9, seed=seed) for seed in (1, 1, 2))
    assert one.ids == same.ids
    assert one.ids != other.ids
    assert len(set(one.ids)) == 9
    for name, vector in zip(one.ids, one.vectors, strict=True):
        np.testing.assert_array_equal(vector, whole[name])
    assert len(read_points(index, level=level, sample=10_000)) == len(whole)


def test_conditions_and_uris_choose(index):
    assert read_points(index, where="uri = 'docs/03.md'").uris == ["docs/03.md"]
    assert set(read_points(index, uris=["docs/04.md", "docs/01.md", "docs/04.md"]).uris) == {"docs/01.md", "docs/04.md"}
    nothing = read_points(index, where="uri = 'x'")
    assert (len(nothing), nothing.vectors.shape[0]) == (0, 0)
    assert len(read_points(index, uris=[])) == 0
    with pytest.raises(InputError, match=r"no document 'docs/3.md' \(did you mean 'docs/\d3.md'\?\)"):
        read_points(index, uris=["docs/3.md", "docs/01.md"])
    with pytest.raises(InputError, match=r"the condition 'nix = 3' is not understood.*No field named nix; columns: id"):
        read_points(index, where="nix = 3")


def test_what_is_read_is_of_one_version_and_later_readers_see_later_ones(index, docs):
    stream = stream_points(index, batch=5)
    first = next(stream)
    (docs / "99.md").write_text("A latecomer.", encoding="utf-8")
    index.ingest()
    rest = list(stream)
    assert sum(map(len, [first, *rest])) == DOCUMENTS
    assert {part.version for part in [first, *rest]} == {first.version}
    assert count_points(index) == DOCUMENTS + 1
    assert "docs/99.md" in {hit.uri for hit in index.search("latecomer", mode="full-text")}


def test_points_are_described(index):
    points = read_points(index, uris=["docs/04.md"])
    described = describe_points(index, "documents", points.ids)[points.ids[0]]
    assert (described.uri, described.title) == ("docs/04.md", "Title 4")
    assert described.text.startswith("# Title 4\n\nword4x0 word4x1")
    chunks = read_points(index, level="chunks", where="uri = 'docs/04.md' AND seq = 1")
    assert describe_points(index, "chunks", chunks.ids)[chunks.ids[0]].text.startswith("word4x")
    assert describe_points(index, "documents", ["unknown"]) == {}


def test_an_index_that_is_not_there_is_told(make_index):
    with pytest.raises(ConfigurationError, match="run `relance ingest` first"):
        read_points(make_index())


def test_unit_vectors_of_nothing_stay_nothing():
    np.testing.assert_array_equal(
        unit(np.array([[0, 0], [3, 4]], np.float32)), np.array([[0, 0], [0.6, 0.8]], np.float32)
    )


def test_results_are_replaced_whole_and_disturb_no_run(index, docs):
    import pyarrow as pa

    assert read_results(index, "clusters") is None
    name = write_results(index, "clusters", pa.table({"id": ["a", "b"], "cluster": [1, 2]}), {"relance.k": "2"})
    assert name == "notes__clusters"
    write_results(index, "clusters", pa.table({"id": ["c"], "label": ["x"]}), {"relance.k": "1"})
    found = read_results(index, "clusters")
    assert found.to_pylist() == [{"id": "c", "label": "x"}]
    assert found.schema.metadata[b"relance.k"] == b"1"
    (docs / "00.md").unlink()
    assert index.ingest().removed == 1
    index.maintain()
    assert read_results(index, "clusters").num_rows == 1
