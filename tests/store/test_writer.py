"""The writer: every document is there exactly once, wherever a run was cut short, and commits grow with the table."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from dying_store import DyingStore, Fuse
from embedded_documents import EmbeddedDocument, chunk_rows
from hypothesis import given
from hypothesis import strategies as st

from relance.config import IndexSpec
from relance.documents import Chunk, Document, digest, document_id
from relance.errors import RelanceError
from relance.store import Store, schemas
from relance.store.ids import IdSet, decode, encode
from relance.store.index_tables import IndexTables
from relance.store.manifest import marker
from relance.store.pending import CommitLimits, Pending
from relance.store.repair import find_torn
from relance.store.schemas import manifest_rows
from relance.store.writer import Writer

Documents = dict[str, list[str]]

SCHEMA = schemas.chunks(4, {})
AT_ONCE = CommitLimits(part=10**9)
AT_THE_END = CommitLimits(part=0)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "db")


def spec(**store: Any) -> IndexSpec:
    return IndexSpec.model_validate(
        {"name": "notes", "sources": [{"type": "files", "root": "."}], "embedding": {"model": "fake/hash"},
         "store": store}
    )  # fmt: skip


def tables_of(store: Store) -> IndexTables:
    return IndexTables(store, "notes", "notes__00000000", SCHEMA)


def rows_of(documents: Documents) -> tuple[pa.Table, pa.Table]:
    """Make the rows of documents of one chunk a text."""
    embedded, manifest = [], []
    for uri, texts in documents.items():
        document, at = Document(uri, "".join(texts), "text/plain", digest(*texts)), 0
        chunks = []
        for text in texts:
            chunks.append(Chunk(at, at + len(text), 1))
            at += len(text)
        embedded.append(EmbeddedDocument(document, chunks, np.ones((len(texts), 4), np.float32)))
        manifest.append({"doc_id": document.id, "uri": uri, "collection": False, "version": digest(*texts),
                         "fingerprint": "f", "marker": marker(digest(*texts), "f"), "chunks": len(texts),
                         "tokens": len(texts)})  # fmt: skip
    return chunk_rows(embedded, SCHEMA), manifest_rows(manifest)


def batches_of(documents: Documents, size: int = 2) -> Iterator[Documents]:
    names = list(documents)
    for at in range(0, len(names), size):
        yield {name: documents[name] for name in names[at : at + size]}


def ingest(
    store: Store, documents: Documents, *, limits: CommitLimits = AT_ONCE, run_id: str = "run", tries: int = 1
) -> None:
    """Bring an index in sync as a run does; a batch that could not be written is written again."""
    writer = Writer(store, spec(), tables_of(store), run_id, lambda: None, limits)
    writer.repair()
    snapshot = writer.tables.manifest.snapshot()
    wanted: Documents = {}
    for uri, texts in documents.items():
        place = snapshot.place(document_id(uri))
        if place >= 0:
            snapshot.seen[place] = True
        if place < 0 or not snapshot.same(place, marker(digest(*texts), "f")):
            wanted[uri] = texts
    known = [document_id(uri) for uri in documents if snapshot.place(document_id(uri)) >= 0]
    steps: list[Callable[[], Any]] = [
        *(lambda batch=batch: writer.write(*rows_of(batch), known=known) for batch in batches_of(wanted)),
        lambda: writer.remove(snapshot.unseen()),
        lambda: writer.tidy(bought=0),
        lambda: writer.publish(complete=True),
        writer.close,
    ]
    for step in steps:
        for left in reversed(range(tries)):
            try:
                step()
                break
            except RelanceError:
                if not left:
                    raise


def assert_holds(uri: str, documents: Documents) -> None:
    """Check that the index has every chunk of these documents once, and the manifest a row of each."""
    tables = tables_of(Store(uri, storage_options={}, api_key=""))
    rows = tables.chunks.table.search().where("active").limit(None).to_list()
    assert Counter((row["uri"], row["text"]) for row in rows) == Counter(
        (name, text) for name, texts in documents.items() for text in texts
    )
    manifest = list(tables.manifest.all(["uri", "chunks"]))
    assert Counter((row["uri"], row["chunks"]) for row in manifest) == Counter(
        (name, len(texts)) for name, texts in documents.items()
    )
    assert tables.writer is None


BEFORE = {f"{n}": [f"old {n} {part}" for part in range(2)] for n in range(4)}
AFTER = {
    "0": BEFORE["0"],
    "1": ["new 1 0"],
    "2": [*BEFORE["2"], "new 2 2"],
    "5": ["new 5 0", "new 5 1"],
    "6": ["new 6"],
}
ALIVE = 10**9


@pytest.mark.parametrize(
    ("before", "limits"),
    [
        pytest.param({}, AT_ONCE, id="first run"),
        pytest.param(BEFORE, AT_THE_END, id="later run in few commits", marks=pytest.mark.long),
    ],
)
def test_a_run_that_dies_at_any_moment_is_finished_by_the_next_one(
    tmp_path: Path, before: Documents, limits: CommitLimits
) -> None:
    """Before and after each commit; the next run dies as well, at the next moment but one, and the last one finishes."""
    for moment in range(200):
        uri = str(tmp_path / f"db{moment}")
        if before:
            ingest(DyingStore(uri, Fuse(ALIVE, SystemExit())), before)
        fuse = Fuse(moment, SystemExit("killed"))
        with contextlib.suppress(SystemExit):
            ingest(DyingStore(uri, fuse), AFTER, limits=limits, run_id="first")
        try:
            ingest(DyingStore(uri, Fuse(moment + 2, SystemExit("killed"))), AFTER, limits=limits, run_id="second")
        except SystemExit:
            ingest(DyingStore(uri, Fuse(ALIVE, SystemExit())), AFTER, limits=limits, run_id="third")
        assert_holds(uri, AFTER)
        if not fuse.burnt:
            break
    assert 10 < moment < 199


@pytest.mark.long
def test_a_commit_whose_answer_is_lost_is_repeated_without_doubling_anything(tmp_path: Path) -> None:
    for moment in range(200):
        uri = str(tmp_path / f"db{moment}")
        ingest(DyingStore(uri, Fuse(ALIVE, SystemExit())), BEFORE)
        fuse = Fuse(moment, RelanceError("the connection broke"))
        ingest(DyingStore(uri, fuse), AFTER, tries=2)
        assert_holds(uri, AFTER)
        if not fuse.burnt:
            break
    assert 10 < moment < 199


@pytest.mark.parametrize("limits", [AT_ONCE, AT_THE_END], ids=["many commits", "few commits"])
def test_a_batch_that_is_written_twice_in_a_run_is_there_once(uri: str, limits: CommitLimits) -> None:
    store = Store(uri, storage_options={}, api_key="")
    writer = Writer(store, spec(), tables_of(store), "run", lambda: None, limits)
    for texts in (["one", "two"], ["two", "three"]):
        writer.write(*rows_of({"a": texts, "b": ["same"]}), known=[])
    writer.write(*rows_of({"c": ["other"]}), known=[])
    writer.tidy(bought=0)
    writer.close()
    assert_holds(uri, {"a": ["two", "three"], "b": ["same"], "c": ["other"]})


def test_what_waits_when_a_run_ends_early_is_not_called_whole(uri: str) -> None:
    store = Store(uri, storage_options={}, api_key="")
    ingest(store, BEFORE)
    writer = Writer(store, spec(), tables_of(store), "second", lambda: None, AT_THE_END)
    writer.write(*rows_of(AFTER), known=list(map(document_id, BEFORE)))
    writer.close()
    assert tables_of(store).writer == "second"


def test_a_touched_document_keeps_its_chunks_and_the_run_that_wrote_them(uri: str) -> None:
    store = Store(uri, storage_options={}, api_key="")
    ingest(store, BEFORE, run_id="first")
    writer = Writer(store, spec(), tables_of(store), "second", lambda: None, AT_ONCE)
    _, rows = rows_of({"1": BEFORE["1"]})
    touched = rows.set_column(rows.schema.get_field_index("version"), "version", pa.array(["touched"]))
    writer.write(rows_of({})[0], touched, known=touched["doc_id"].to_pylist())
    writer.flush()
    row = writer.tables.manifest.rows([document_id("1")])[document_id("1")]
    assert (row["version"], row["run_id"]) == ("touched", "first")
    assert find_torn(writer.tables).num_rows == 0


# -- a store that somebody else has changed ----------------------------------------------------------------------


def double(tables: IndexTables) -> None:
    row = tables.chunks.table.search().limit(1).to_arrow()
    storage = row["metadata"].cast(pa.string())
    tables.chunks.table.add(row.set_column(row.schema.get_field_index("metadata"), "metadata", storage))


HURTS: dict[str, Callable[[IndexTables], Any]] = {
    "a row is gone": lambda tables: tables.chunks.table.delete("text = 'old 1 1'"),
    "a row is there twice": double,
    "the table is empty": lambda tables: tables.chunks.table.delete("true"),
    "the manifest is empty": lambda tables: tables.manifest.table.delete("true"),
    "the manifest lacks a document": lambda tables: tables.manifest.table.delete("uri = '3'"),
}


@pytest.mark.parametrize("documents", [BEFORE, AFTER], ids=["same", "changed"])
@pytest.mark.parametrize("hurt", HURTS)
def test_the_next_run_heals_tables_that_do_not_fit_together(uri: str, hurt: str, documents: Documents) -> None:
    store = Store(uri, storage_options={}, api_key="")
    ingest(store, BEFORE, run_id="first")
    HURTS[hurt](tables_of(store))
    ingest(store, documents, run_id="second")
    assert_holds(uri, documents)
    versions = tables_of(store).versions
    ingest(store, documents, run_id="third")
    assert tables_of(store).versions == versions, "nothing is left to heal"


def test_of_many_documents_those_are_found_that_do_not_fit(uri: str) -> None:
    store = Store(uri, storage_options={}, api_key="")
    documents = {f"{n}": [f"text {n} {part}" for part in range(1 + n % 3)] for n in range(3000)}
    ingest(store, documents, limits=CommitLimits())
    tables = tables_of(store)
    assert find_torn(tables).num_rows == 0
    tables.chunks.table.delete("uri = '8' and seq = 1")
    tables.chunks.table.update(where="uri = '77'", values={"run_id": "other"})
    tables.manifest.table.delete("uri = '1234'")
    tables.chunks.table.add(tables.chunks.table.search().where("uri = '500' and seq = 0").to_arrow())
    tables.manifest.table.add(tables.manifest.table.search().where("uri = '600'").to_arrow())
    torn = find_torn(tables)
    assert dict(zip(torn["doc_id"].to_pylist(), torn["uri"].to_pylist(), strict=True)) == {
        document_id(name): name for name in ("8", "77", "1234", "500", "600")
    }


# -- commits grow ------------------------------------------------------------------------------------------------


def test_commits_grow_with_the_table(uri: str) -> None:
    store = Store(uri, storage_options={}, api_key="")
    ingest(store, {f"{n}": [f"{n}"] for n in range(400)}, limits=CommitLimits(part=4))
    fragments = tables_of(store).chunks.table.stats()["fragment_stats"]
    assert 10 < fragments["num_fragments"] < 40, "200 batches"


def test_documents_do_not_wait_longer_than_a_slow_provider_makes_them() -> None:
    now, rows = [0.0], rows_of(BEFORE)
    waiting = Pending(CommitLimits(wait_s=60), clock=lambda: now[0])
    assert not waiting.due(0), "nothing waits"
    waiting.put(*rows)
    assert waiting.due(held=16 * (rows[0].num_rows + rows[1].num_rows))
    assert not waiting.due(held=10**6)
    now[0] = 60
    assert waiting.due(held=10**6)
    waiting.clear()
    waiting.put(*rows)
    assert not waiting.due(held=10**6), "the time is since the last commit"
    assert Pending(CommitLimits(bytes=1)).due(0) is False


@given(st.lists(st.none() | st.integers(0, 2**128 - 1).map("{:032x}".format)), st.integers(0, 3))
def test_ids_come_back_from_numbers(ids: list[str | None], start: int) -> None:
    column = pa.array(ids, pa.string())[start:]
    assert encode(decode(column)) == [each or "0" * 32 for each in ids[start:]]


@given(st.lists(st.sets(st.integers(0, 50)), max_size=5), st.sets(st.integers(0, 50)))
def test_a_set_of_ids_finds_what_was_put_in(added: list[set[int]], wanted: set[int]) -> None:
    name, found = lambda n: document_id(str(n)), IdSet()
    for numbers in added:
        found.add([name(n) for n in numbers])
    there = set().union(*added)
    assert found.among([name(n) for n in sorted(wanted)]) == [name(n) for n in sorted(wanted) if n in there]
