"""Clusters: what belongs together is found, named and kept; samples, tiny and odd inputs, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from by_hand import by_hand
from sklearn.metrics import adjusted_rand_score
from tests.analysis.test_projection import blobs

from relance.analysis.cluster import Clusters, cluster, read_clusters
from relance.analysis.partition import by_density, by_means, quality
from relance.analysis.projection import Layout, Space, needs_sklearn
from relance.errors import ConfigurationError, InputError
from relance.index import Index

Make = Callable[..., Index]

TOPICS = {
    "sailing": "boat harbour mast sail anchor deck rudder tide",
    "baking": "bread oven crust flour dough yeast loaf sourdough",
    "stars": "planet orbit telescope comet galaxy moon eclipse star",
    "铁路": "火车 车站 铁路 月台 旅客 列车 车票 隧道",
}


@pytest.fixture
def topics(docs: Path, make_index: Make) -> Index:
    """Ten documents about each of four things, one of them in Chinese."""
    rng = np.random.default_rng(0)
    for topic, words in TOPICS.items():
        for number in range(10):
            text = " ".join(rng.choice(words.split(), 7, replace=False))
            (docs / f"{topic}-{number}.md").write_text(f"# {topic} {number}\n\n{text} {topic}.\n", encoding="utf-8")
    index = make_index(embedding={"model": "fake/hash", "dimension": 256})
    index.ingest()
    return index


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with needs_sklearn("clustering"):
        yield


def with_vectors(index: Index, vectors: np.ndarray) -> Index:
    """Give the rows of a table other vectors, in order of their uris."""
    table = index.table()
    uris = table.search().select(["uri", "id"]).limit(None).to_arrow().sort_by("uri")
    flat = pa.array(vectors.astype(np.float32).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    rows = table.search().limit(None).to_arrow().drop_columns(["vector"]).sort_by("uri")
    assert rows["id"].to_pylist() == uris["id"].to_pylist()
    rows = rows.append_column("vector", column)
    at = rows.schema.get_field_index("metadata")
    texts = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * len(rows)))
    rows = rows.set_column(at, pa.field("metadata", pa.json_()), texts).select(table.schema.names)
    table.merge_insert("id").when_matched_update_all().execute(rows)
    return index


def numbered(docs: Path, make_index: Make, n: int, dimension: int) -> Index:
    """So many documents whose vectors mean nothing yet."""
    lines = [json.dumps({"id": f"{number:05}", "text": f"note {number}"}) for number in range(n)]
    (docs / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    sources = [{"type": "files", "root": str(docs), "rows": {}}]
    index = make_index(sources=sources, embedding={"model": "fake/hash", "dimension": dimension})
    index.ingest()
    return index


def found_of(found: Clusters) -> dict[str, int]:
    return dict(zip(found.uris, found.labels.tolist(), strict=True))


# -- the numerics -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clusters", "points", "spread"), [(2, 12, 0.3), (3, 60, 0.5), (8, 300, 0.9), (20, 600, 0.7), (30, 600, 0.7)]
)
def test_blobs_are_found_without_being_told_how_many(clusters, points, spread):
    vectors, belongs = blobs(clusters, points, spread, dimension=128)
    reduced = Space.fit(vectors).reduce(vectors)
    assert adjusted_rand_score(belongs, by_means(reduced).labels) > 0.95


def test_points_without_structure_are_one_cluster():
    vectors, _ = blobs(1, 400, 3.0, dimension=256)
    assert set(by_means(Space.fit(vectors).reduce(vectors)).labels) == {0}


def test_density_finds_blobs_and_leaves_strays_out():
    vectors, belongs = blobs(5, 300, 0.5)
    strays, _ = blobs(40, 40, 0.0, seed=9)
    reduced = (space := Space.fit(vectors)).reduce(np.concatenate([vectors, strays]))
    labels = by_density(reduced, Layout.fit(reduced)).labels
    assert adjusted_rand_score(belongs, labels[:300]) > 0.95
    assert space.components.shape[1] == 64


def test_new_points_join_the_cluster_they_are_nearest_to():
    vectors, belongs = blobs(4, 400, 0.5)
    reduced = Space.fit(vectors).reduce(vectors)
    for made in (by_means(reduced[:200], 4), by_density(reduced[:200], Layout.fit(reduced[:200]))):
        np.testing.assert_array_equal(made.assign(reduced[:200]), made.labels)
        assert adjusted_rand_score(belongs[200:], made.assign(reduced[200:])) > 0.95


def test_the_silhouette_is_that_of_all_where_a_sample_suffices():
    vectors, belongs = blobs(3, 300, 0.6)
    whole = quality(vectors, belongs.astype(np.int32))
    assert quality(vectors, belongs.astype(np.int32), most=150) == pytest.approx(whole, abs=0.03)
    assert quality(vectors, np.zeros(300, np.int32)) is None
    assert quality(vectors, np.full(300, -1, np.int32)) is None


# -- an index -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_topics_are_found_and_named(topics, method):
    found = cluster(topics, method=method)
    groups = {each.id: {uri.removeprefix("docs/").partition("-")[0] for uri in found.members(each.id)}
              for each in found.clusters if each.id >= 0}  # fmt: skip
    assert all(len(group) == 1 for group in groups.values())
    assert set.union(*groups.values()) == set(TOPICS)
    assert method == "hdbscan" or len(groups) == len(TOPICS), "by density a topic may fall into parts"
    for each in found.clusters:
        if each.id < 0:
            continue
        topic = groups[each.id].pop()
        assert set(each.label.split(" · ")) <= {*TOPICS[topic].split(), topic}
        assert each.cohesion == pytest.approx(1 - found.distances[found.labels == each.id].mean(), abs=1e-4)
        assert each.central[0].uri == found.members(each.id)[0]
        similarities = [central.similarity for central in each.central]
        assert similarities == sorted(similarities, reverse=True)
        assert len(similarities) == min(5, each.size)
    sizes = [each.size for each in found.clusters if each.id >= 0]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(each.size for each in found.clusters) == len(found.ids) == 40


def test_the_table_of_results_holds_every_document(topics):
    found = cluster(topics, k=4)
    store = topics._store
    rows = store.db.open_table("notes__clusters").to_arrow()
    assert rows.schema.names == ["id", "uri", "cluster", "label", "distance", "x", "y"]
    assert rows["uri"].to_pylist() == found.uris
    assert set(rows["label"].to_pylist()) == {each.label for each in found.clusters}
    assert rows["x"].null_count == 0
    again = read_clusters(topics)
    assert again.as_dict(points=True) == found.as_dict(points=True)
    assert again.is_current(topics)
    json.dumps(found.as_dict(points=True))


def test_the_same_again_and_replaced_in_one_commit(topics):
    one = cluster(topics, seed=5)
    two = cluster(topics, seed=5)
    assert one.as_dict(points=True) == two.as_dict(points=True)
    assert len(topics._store.db.open_table("notes__clusters").to_arrow()) == 40


def test_without_a_projection_there_are_no_places(topics):
    found = cluster(topics, k=4, projection=None)
    assert np.isnan(found.positions).all()
    assert found.rows()["x"].null_count == 40
    assert not read_clusters(topics).is_current(topics)
    assert np.isnan(read_clusters(topics).positions).all()


def test_only_some_documents(topics):
    found = cluster(topics, where="uri LIKE 'docs/s%'", k=2)
    assert {uri.partition("-")[0] for uri in found.uris} == {"docs/sailing", "docs/stars"}
    assert len(found.clusters) == 2
    assert read_clusters(topics).where == "uri LIKE 'docs/s%'"


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
@pytest.mark.long
def test_a_sample_and_assignment_find_what_all_points_do(docs, make_index, method):
    vectors, belongs = blobs(6, 600, 0.6)
    index = with_vectors(numbered(docs, make_index, 600, 64), vectors)
    whole, sampled = cluster(index, method=method), cluster(index, method=method, sample=200)
    assert (whole.fitted, sampled.fitted, len(sampled.ids)) == (600, 200, 600)
    order = {uri: at for at, uri in enumerate(sorted(whole.uris))}
    truth = [int(belongs[order[uri]]) for uri in whole.uris]
    assert adjusted_rand_score(truth, whole.labels) > 0.97
    other = found_of(sampled)
    assert adjusted_rand_score(whole.labels, [other[uri] for uri in whole.uris]) > 0.97
    assert np.isfinite(sampled.positions).all()


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
@pytest.mark.parametrize("n", [1, 2, *by_hand(3, 5)])
def test_few_documents_are_clusters_too(docs, make_index, n, method):
    for number in range(n):
        (docs / f"{number}.md").write_text(f"word{number} and another{number}", encoding="utf-8")
    index = make_index()
    index.ingest()
    found = cluster(index, method=method)
    assert len(found.ids) == n
    assert np.isfinite(found.positions).all()
    assert all(each.label for each in found.clusters)
    if method == "kmeans":
        assert len(cluster(index, k=2).clusters) == min(2, n), "no more clusters than points"


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_identical_documents_are_one_cluster(docs, make_index, method):
    index = with_vectors(numbered(docs, make_index, 12, 16), np.tile(np.eye(1, 16, 3), (12, 1)))
    found = cluster(index, method=method)
    assert [each.size for each in found.clusters] == [12]
    assert found.clusters[0].cohesion == pytest.approx(1, abs=1e-5)
    assert found.silhouette is None
    if method == "kmeans":
        assert len(cluster(index, k=3).clusters) == 1


def test_chunks_are_points_too(docs, make_index):
    parts = "\n\n".join(f"# {topic}\n\n{words}" for topic, words in TOPICS.items())
    for number in range(3):
        (docs / f"{number}.md").write_text(parts, encoding="utf-8")
    index = make_index(chunking={"max_tokens": 16}, embedding={"model": "fake/hash", "dimension": 256})
    index.ingest()
    found = cluster(index, level="chunks", k=4)
    assert len(found.ids) == index.table().count_rows("active")
    assert set(found.uris) == {"docs/0.md", "docs/1.md", "docs/2.md"}


def test_a_changed_index_is_noticed(topics, docs):
    found = cluster(topics, k=4)
    (docs / "new.md").write_text("a new document", encoding="utf-8")
    topics.ingest()
    assert not found.is_current(topics)


def test_what_cannot_be_done_is_said(topics, subtests):
    refused: list[tuple[dict[str, Any], str]] = [
        ({"k": 0}, "at least 1"),
        ({"k": 3, "method": "hdbscan"}, "finds the number"),
        ({"sample": 1}, "sample"),
        ({"seed": -1}, "seed must be between 0 and"),
        ({"seed": 2**32}, "seed must be between 0 and"),
        ({"method": "dbscan"}, "kmeans, hdbscan"),
        ({"projection": "mds"}, "tsne, pca, umap"),
        ({"where": "uri = 'nothing'"}, "no documents to cluster where"),
        ({"where": "colour = 1"}, "not understood"),
    ]
    for options, message in refused:
        with subtests.test(**options), pytest.raises(InputError, match=message):
            cluster(topics, **options)


def test_an_index_without_anything(docs, make_index):
    index = make_index()
    with pytest.raises(ConfigurationError, match="relance ingest"):
        cluster(index)
    index.ingest()
    with pytest.raises(InputError, match="no documents"):
        cluster(index)
    assert read_clusters(index) is None


# -- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def spec(topics, declare):
    return declare(embedding={"model": "fake/hash", "dimension": 256}, chunking={"max_tokens": 64}).parent


def test_the_command_prints_a_table_and_draws(spec, tmp_path, run):
    html, png = tmp_path / "map.html", tmp_path / "map.png"
    printed = run("cluster", spec, "-k", "4", "--html", html, "--png", png)
    assert printed.code == 0
    assert "40 documents by kmeans" in printed.out
    assert printed.out.count(" 10 ") == 4
    assert "wrote" in printed.err
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert png.read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_json(spec, run):
    ran = run("cluster", spec, "-k", "4", "--projection", "none", "--json")
    assert ran.code == 0
    told = ran.json
    assert (told["points"], len(told["clusters"]), told["projection"]) == (40, 4, None)


def test_the_map_shows_the_last_clusters_as_long_as_they_are_of_now(spec, topics, docs, tmp_path, run):
    html = tmp_path / "map.html"
    cluster(topics, k=7)
    ran = run("map", spec, "--html", html, "--json")
    assert ran.code == 0
    assert len(ran.json["clusters"]) == 7
    (docs / "new.md").write_text("a new document", encoding="utf-8")
    topics.ingest()
    ran = run("map", spec, "--html", html, "--json")
    assert ran.code == 0
    told = ran.json
    assert (told["points"], told["html"]) == (41, str(html))


def test_a_map_of_a_changed_index_is_made_as_before(spec, topics, docs, tmp_path, run):
    html = tmp_path / "map.html"
    asked = ("-k", "5", "--level", "chunks", "--seed", "3", "--sample", "900", "--filter", 'not uri ~ "*-0.md"')
    ran = run("cluster", spec, *asked, "--json")
    assert ran.code == 0
    before = ran.json
    assert run("classify", spec, "--label", "boats", "--label", "bread", "--column", "topic").code == 0
    ran = run("map", spec, "--html", html)
    assert ran.code == 0
    told = ran.err
    assert "the index has changed: chunks were clustered again as before (kmeans, k 5, seed 3, where" in told
    after = read_clusters(topics).as_dict()
    for name in ("level", "method", "k", "sample", "seed", "where", "points"):
        assert after[name] == before[name]
    assert (after["k"], after["level"], after["points"]) == (5, "chunks", 36)
    assert [each["size"] for each in after["clusters"]] == [each["size"] for each in before["clusters"]]
    assert after["table_version"] > before["table_version"]
    ran = run("map", spec, "--html", html)
    assert ran.code == 0
    assert "clustered again" not in ran.err


def test_a_map_of_clusters_without_one_keeps_them(spec, tmp_path, run):
    assert run("cluster", spec, "-k", "4", "--projection", "none").code == 0
    ran = run("map", spec, "--html", tmp_path / "map.html")
    assert ran.code == 0
    assert "there was no map: documents were clustered again as before (kmeans, k 4, seed 0)" in ran.err


def test_fewer_clusters_than_asked_for_are_told(spec, run):
    ran = run("cluster", spec, "-k", "100000", "--projection", "none")
    assert ran.code == 0
    assert "40 clusters instead of 100,000: no more of the 40 documents differ" in ran.err


def test_a_filter_that_is_none_is_pointed_at(spec, run):
    ran = run("cluster", spec, "--filter", "uri ==")
    assert ran.code == 2
    assert "^" in ran.err


def test_a_map_without_a_projection_is_refused(spec, tmp_path, run):
    ran = run("cluster", spec, "--projection", "none", "--png", tmp_path / "map.png")
    assert ran.code == 2
    assert "projection" in ran.err
