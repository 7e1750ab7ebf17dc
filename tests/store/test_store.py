"""The tables under an index: compare-and-set, one commit per replacement, no commit for nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from embedded_documents import EmbeddedDocument, chunk_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.documents import Chunk, Document, digest, document_id
from relance.errors import RetryableError, StoreError
from relance.index import Index
from relance.store import Store, open_store, schemas
from relance.store.catalog import NAME, Catalog
from relance.store.chunks import ChunkTable
from relance.store.connection import store_error
from relance.store.failures import Failure, Failures
from relance.store.index_tables import IndexTables
from relance.store.manifest import Manifest, marker
from relance.store.runs import Runs

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIMENSION = 8
reuse_fixtures = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def at_once(work: Callable[[int], None], n: int = 6) -> list[BaseException]:
    """Run the same work in threads that start together; returns what went wrong."""
    errors: list[BaseException] = []
    gate = threading.Barrier(n)

    def one(i: int) -> None:
        try:
            gate.wait(30)
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


# -- connection --------------------------------------------------------------------------------------------------


def test_a_table_that_many_create_at_once_has_what_each_of_them_added(tmp_path: Path) -> None:
    # Where LanceDB alone created them, 1 table of 13 lost rows, or refused some.
    schema = pa.schema({"by": pa.int64()})
    stores = [Store(str(tmp_path / "db"), storage_options={}, api_key="") for _ in range(4)]
    for number in range(40):
        name = f"t{number}"
        errors = at_once(lambda by, name=name: stores[by].create(name, schema).add([{"by": by}]), len(stores))
        assert errors == []
        table = stores[0].open(name)
        assert table is not None
        assert sorted(table.to_arrow()["by"].to_pylist()) == [0, 1, 2, 3]


def test_looking_creates_nothing(store: Store, tmp_path: Path) -> None:
    assert store.open("nothing") is None
    assert store.tables() == []
    assert Catalog(store).get("nothing") is None
    assert Runs(store, "notes").latest() == []
    assert Failures(store, "t").all() == []
    assert Manifest(store, "t").rows(["0" * 32]) == {}
    assert len(Manifest(store, "t").snapshot()) == 0
    assert not (tmp_path / "db").exists()


def test_processes_that_create_a_table_at_once_share_it(connect: Callable[[], Store]) -> None:
    for i in range(4):
        stores = [connect() for _ in range(6)]
        for each in stores:
            assert each.db is not None
        assert at_once(lambda k, i=i, stores=stores: stores[k].create(f"t{i}", schemas.CATALOG)) == []
        assert connect().open(f"t{i}").count_rows() == 0


def test_all_tables_are_listed_however_many(store: Store) -> None:
    names = {f"t{i}" for i in range(15)}
    for name in names:
        store.create(name, schemas.CATALOG)
    assert set(store.tables()) == names


def test_a_store_error_says_whether_waiting_helps() -> None:
    conflict = store_error(RuntimeError("lance error: Retryable commit conflict for version 7"), "writing t")
    assert isinstance(conflict, RetryableError)
    full = store_error(OSError("No space left on device"), "writing t")
    assert isinstance(full, StoreError)
    assert "writing t" in str(full)
    assert "No space left" in str(full)


# -- catalog -----------------------------------------------------------------------------------------------------

values = st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=20) | st.integers(0, 2**53), max_size=3)


@settings(reuse_fixtures, max_examples=15)
@given(first=values, second=values)
def test_a_value_is_replaced_only_where_it_is_what_was_expected(
    store: Store, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Whatever quotes or scripts it holds."""
    facts = Catalog(store)
    key = digest("key", repr(first), repr(second), str(time.monotonic_ns()))
    facts.put(key, first, expected=None)
    assert facts.get(key) == first
    wrong = {**first, "another": "value"}
    with pytest.raises(RetryableError, match="changed by another process"):
        facts.put(key, {"lost": "update"}, expected=wrong)
    with pytest.raises(RetryableError):
        facts.put(key, {"lost": "update"}, expected=None)
    assert facts.get(key) == first
    facts.put(key, second, expected=first)
    assert facts.get(key) == second


def test_of_many_that_change_a_value_at_once_one_wins(connect: Callable[[], Store]) -> None:
    Catalog(connect()).put("a", {"by": "nobody"}, expected=None)
    stores = [connect() for _ in range(5)]
    errors = at_once(lambda i: Catalog(stores[i]).put("a", {"by": i}, expected={"by": "nobody"}), 5)
    assert [type(error) for error in errors] == [RetryableError] * 4
    assert Catalog(connect()).get("a") != {"by": "nobody"}


def test_indexes_that_share_a_store_do_not_disturb_each_other(connect: Callable[[], Store]) -> None:
    """Even when the first thing all of them do is to create the catalog."""
    stores = [connect() for _ in range(5)]

    def work(i: int) -> None:
        mine = Catalog(stores[i])
        mine.put(f"index/{i}", {"n": 0}, expected=None)
        for n in range(3):
            mine.put(f"index/{i}", {"n": n + 1}, expected={"n": n})

    assert at_once(work, 5) == []
    assert [Catalog(connect()).get(f"index/{i}") for i in range(5)] == [{"n": 3}] * 5


def test_the_catalog_does_not_grow_with_the_number_of_runs(store: Store) -> None:
    facts = Catalog(store, tidy_every=10, tidy_keeps=timedelta(milliseconds=1))
    facts.put("a", {"n": 0}, expected=None)
    for n in range(60):
        facts.put("a", {"n": n + 1}, expected={"n": n})
    assert len(store.open(NAME).list_versions()) <= 12
    assert facts.get("a") == {"n": 60}


# -- chunks ------------------------------------------------------------------------------------------------------


def embedded(uri: str, texts: list[str], metadata: dict[str, Any] | None = None) -> EmbeddedDocument:
    """Make a document of one chunk per text."""
    document = Document(uri, "\n".join(texts), "text/plain", digest("content", *texts), metadata=metadata or {})
    chunks, at = [], 0
    for text in texts:
        chunks.append(Chunk(at, at + len(text), len(text.split())))
        at += len(text) + 1
    seeds = [int(digest("seed", uri, text, size=4), 16) for text in texts]
    vectors = [np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32) for seed in seeds]
    return EmbeddedDocument(document, chunks, np.array(vectors, np.float32).reshape(len(texts), DIMENSION))


def chunk_table(store: Store, name: str = "t") -> ChunkTable:
    return ChunkTable(store, name, schemas.chunks(DIMENSION, {"relance.index": "notes"}))


def replace(table: ChunkTable, documents: list[EmbeddedDocument], *, known: list[str], run_id: str) -> int:
    return table.replace(chunk_rows(documents, table.schema), known=known, run_id=run_id, now=NOW)


def texts_of(table: ChunkTable) -> dict[str, list[str]]:
    """Return the active texts by uri, in order."""
    found: dict[str, list[str]] = {}
    rows = table.table.search().where("active").limit(None).to_list()
    for row in sorted(rows, key=lambda row: row["seq"]):
        found.setdefault(row["uri"], []).append(row["text"])
    return found


versions_of_documents = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "it's \"c\" 文"]), st.lists(st.sampled_from(["x", "y", "z z", "文"]), max_size=5)
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


@settings(reuse_fixtures, max_examples=10)
@given(generations=versions_of_documents)
def test_the_table_holds_the_last_version_of_every_document(
    store: Store, generations: list[dict[str, list[str]]]
) -> None:
    table = chunk_table(store, f"t{time.monotonic_ns()}")
    table.create()
    expected: dict[str, list[str]] = {}
    for number, generation in enumerate(generations):
        before = table.version
        known = [document_id(uri) for uri in generation if uri in expected]
        replace(table, [embedded(uri, texts) for uri, texts in generation.items()], known=known, run_id=f"r{number}")
        assert table.version - before <= 2, "one commit and that of tombstones, whatever the number of documents"
        expected |= generation
        assert texts_of(table) == {uri: texts for uri, texts in expected.items() if texts}
    table.sweep()
    assert texts_of(table) == {uri: texts for uri, texts in expected.items() if texts}
    assert table.table.count_rows() == table.count() == sum(map(len, expected.values()))
    swept = table.version
    table.sweep()
    assert table.version == swept, "nothing to sweep, nothing to commit"


def test_rows_carry_what_was_given_exactly(store: Store) -> None:
    metadata = {"year": 1999, "quote": 'it\'s "so" \\ 文\u2028', "none": None, "list": [1, {"a": 2}]}
    given_ = embedded("a", ["one", "two words"], metadata)
    given_.document.pages = (0, 4)
    table = chunk_table(store)
    replace(table, [given_], known=[], run_id="r")
    rows = sorted(table.table.to_arrow().to_pylist(), key=lambda row: row["seq"])
    assert [(row["text"], row["start_char"], row["end_char"], row["page"]) for row in rows] == [
        ("one", 0, 3, 1), ("two words", 4, 13, 2),
    ]  # fmt: skip
    assert all(row["active"] and row["run_id"] == "r" and row["updated_at"] == NOW for row in rows)
    assert json.loads(rows[0]["metadata"]) == metadata
    np.testing.assert_array_equal(np.array([row["vector"] for row in rows], np.float32), given_.vectors)


def test_thousands_of_documents_are_replaced_in_one_commit(store: Store) -> None:
    table = chunk_table(store)
    first = [embedded(f"d{i}", [f"{i} old a", f"{i} old b"]) for i in range(2300)]
    replace(table, first, known=[], run_id="1")
    version = table.version
    second = [embedded(f"d{i}", [f"{i} new"]) for i in range(2300)]
    replace(table, second, known=[each.document.id for each in second], run_id="2")
    assert table.version == version + 2, "all are replaced in one, and all tombstones deleted in the next"
    assert table.count() == table.table.count_rows() == 2300
    table.delete([each.document.id for each in second[:2200]])
    assert set(texts_of(table)) == {f"d{i}" for i in range(2200, 2300)}


def test_replacing_nothing_commits_nothing(store: Store) -> None:
    table = chunk_table(store)
    table.create()
    before = table.version
    assert replace(table, [], known=[], run_id="r") == 0
    assert table.version == before


# -- manifest ----------------------------------------------------------------------------------------------------


def manifest_row(
    uri: str, *, parent: str | None = None, collection: bool = False, version: str = "1"
) -> dict[str, Any]:
    return {
        "doc_id": document_id(uri), "uri": uri, "parent": document_id(parent) if parent else None,
        "collection": collection, "version": version, "content_hash": "c", "fingerprint": "f",
        "marker": marker(version, "f"), "title": "", "chunks": 0 if collection else 2, "tokens": 0 if collection else 10,
        "run_id": "r", "updated_at": NOW,
    }  # fmt: skip


def upsert(manifest: Manifest, rows: list[dict[str, Any]]) -> None:
    manifest.upsert(pa.Table.from_pylist(rows, schema=schemas.DOCUMENTS))


uris = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@settings(reuse_fixtures, max_examples=10)
@given(present=st.sets(uris, max_size=30), asked=st.sets(uris, max_size=10), seen=st.sets(uris, max_size=10))
def test_a_snapshot_knows_what_the_table_holds(
    store: Store, present: set[str], asked: set[str], seen: set[str]
) -> None:
    manifest = Manifest(store, f"t{time.monotonic_ns()}")
    upsert(manifest, [manifest_row(uri, version=uri) for uri in present])
    snapshot = manifest.snapshot()
    assert len(snapshot) == len(present)
    for uri in present | asked:
        place = snapshot.place(document_id(uri))
        assert (place >= 0) == (uri in present)
        if place >= 0:
            assert snapshot.same(place, marker(uri, "f"))
            assert not snapshot.same(place, marker(uri, "another"))
            assert not snapshot.same(place, marker(uri + "1", "f"))
    for uri in present & seen:
        snapshot.seen[snapshot.place(document_id(uri))] = True
    assert set(snapshot.unseen()) == {document_id(uri) for uri in present - seen}


def test_a_file_of_rows_takes_its_rows_with_it(store: Store) -> None:
    manifest = Manifest(store, "t")
    rows = [manifest_row(f"a.jsonl#{i}", parent="a.jsonl") for i in range(3)]
    others = [manifest_row("b.jsonl#1", parent="b.jsonl"), manifest_row("c.md")]
    upsert(manifest, [manifest_row("a.jsonl", collection=True), *rows, *others])
    snapshot = manifest.snapshot()
    assert snapshot.see_children(document_id("a.jsonl")) == 3
    assert set(snapshot.unseen()) == {document_id(uri) for uri in ("a.jsonl", "b.jsonl#1", "c.md")}
    assert manifest.totals() == (5, 50), "a file of rows is no document"


@given(a=st.tuples(st.text(), st.text()), b=st.tuples(st.text(), st.text()))
def test_a_marker_is_64_bits_of_version_and_fingerprint(a: tuple[str, str], b: tuple[str, str]) -> None:
    assert -(2**63) <= marker(*a) < 2**63
    assert (marker(*a) == marker(*b)) == (a == b)


def test_a_manifest_from_before_its_column_was_renamed_is_read_and_written(
    make_index: Callable[..., Index], docs: Path
) -> None:
    rows = [json.dumps({"id": n, "text": f"Row {n}."}) for n in range(3)]
    (docs / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    sources = [{"type": "files", "root": str(docs), "rows": {"text": "text", "id": "id"}}]
    index = make_index(sources=sources)
    assert index.ingest().added == 3
    (docs / "a.md").write_text("A text.", encoding="utf-8")
    index.ingest()
    tables = IndexTables.serving(open_store(index.spec), "notes")
    assert tables is not None
    tables.manifest.table.alter_columns({"path": "collection", "rename": "container"})  # as it was

    index = make_index(sources=sources)
    assert (index.ingest().unchanged, index.status().documents) == (4, 4)
    (docs / "b.md").write_text("Another text.", encoding="utf-8")
    assert index.ingest().added == 1


# -- failures and runs -------------------------------------------------------------------------------------------


def test_a_failure_keeps_the_date_of_its_reason_and_costs_one_commit(store: Store) -> None:
    failures = Failures(store, "t")
    one, two = Failure("a", "empty", "load"), Failure("b", 'it\'s "bad"', "chunk")
    failures.replace([one, two], run_id="1", now=NOW)
    version, later = failures.version, NOW + timedelta(days=1)
    failures.replace([two, one], run_id="2", now=later)
    assert failures.version == version
    failures.replace([one, Failure("b", "worse", "chunk")], run_id="3", now=later)
    assert [(row.uri, row.reason, row.run_id, row.failed_at) for row in failures.all()] == [
        ("a", "empty", "1", NOW), ("b", "worse", "3", later),
    ]  # fmt: skip
    failures.replace([], run_id="4", now=later, only=frozenset({"a"}))
    assert [row.uri for row in failures.all()] == ["b"]
    failures.replace([], run_id="5", now=later)
    assert failures.all() == []


def test_runs_are_listed_latest_first_and_by_index(store: Store) -> None:
    for i in range(5):
        began = NOW + timedelta(minutes=i)
        for index in ("notes", "o'ther"):
            Runs(store, index).append(run_id=f"{index} {i}", table="t", status="completed", started_at=began,
                                      ended_at=began + timedelta(seconds=1), versions=(i, i, 0),
                                      report={"added": i, "quote": "\"'文"})  # fmt: skip
    found = Runs(store, "o'ther").latest(2)
    assert [(row["run_id"], row["chunks_version"], row["report"]["added"]) for row in found] == [
        ("o'ther 4", 4, 4), ("o'ther 3", 3, 3),
    ]  # fmt: skip
    assert found[0]["report"]["quote"] == "\"'文"
