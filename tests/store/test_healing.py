"""Whatever was done to the tables with other tools: the next run brings them in sync, and buys nothing for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
import pytest
from by_hand import by_hand
from hurt_stores import build, copy, open_index, worth

from relance.errors import InputError, StoreError
from relance.store.maintain import maintain
from relance.store.maintenance import MaintenanceLimits


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return copy(whole, tmp_path / "store")


def tables(folder: Path) -> tuple[Any, Any]:
    """Open the chunks and the manifest as anybody does."""
    db = lancedb.connect(str(folder / "db"))
    name = open_index(folder).table().name
    return db.open_table(name), db.open_table(f"{name}__documents")


def first(chunks: Any) -> dict[str, Any]:
    return min(chunks.search().limit(None).select(["id", "doc_id"]).to_list(), key=lambda row: row["id"])


def delete_one(chunks: Any, _: Any) -> None:
    chunks.delete(f"id = '{first(chunks)['id']}'")


def append_one(chunks: Any, _: Any) -> None:
    chunks.add(chunks.search().where(f"id = '{first(chunks)['id']}'").to_arrow())


def swap_one(chunks: Any, _: Any) -> None:
    row = first(chunks)
    chunks.delete(f"id = '{row['id']}'")
    chunks.add(chunks.search().where(f"doc_id = '{row['doc_id']}'").limit(1).to_arrow())


def append_stranger(chunks: Any, _: Any) -> None:
    row = chunks.search().limit(1).to_arrow()
    at = row.schema.get_field_index("doc_id")
    row = row.set_column(at, row.schema.field(at), pa.array(["f" * 32]))
    chunks.add(row.set_column(0, row.schema.field(0), pa.array(["e" * 32])))


def manifest_twice(_: Any, manifest: Any) -> None:
    manifest.add(manifest.search().limit(1).to_arrow())


def drop_text(chunks: Any, _: Any) -> None:
    chunks.drop_columns(["text"])


def drop_vector(chunks: Any, _: Any) -> None:
    chunks.drop_columns(["vector"])


def drop_key(chunks: Any, _: Any) -> None:
    chunks.drop_columns(["id"])


def drop_marker(_: Any, manifest: Any) -> None:
    manifest.drop_columns(["marker"])


DONE = [
    delete_one,
    append_one,
    swap_one,
    append_stranger,
    manifest_twice,
    drop_text,
    drop_vector,
    drop_key,
    drop_marker,
]


@pytest.mark.parametrize("do", DONE, ids=lambda do: do.__name__)
def test_what_others_did_to_rows_and_columns_is_healed(
    folder: Path, do: Callable[[Any, Any], None], log: Callable[[], list[str]]
) -> None:
    before, bought = worth(open_index(folder)), len(log())
    do(*tables(folder))
    report = open_index(folder).ingest()
    assert any("not whole" in note or "lacked" in note for note in report.notes)
    assert worth(open_index(folder)) == before
    assert len(log()) == bought
    again = open_index(folder).ingest()
    assert (again.changed, again.notes) == (0, [])


@pytest.mark.parametrize(
    "lost", ["{0}", "{0}__documents", "relance__catalog", *by_hand("{0}/_versions", "{0}__failures", "relance__runs")]
)
def test_a_table_that_is_gone_is_written_again(folder: Path, lost: str, log: Callable[[], list[str]]) -> None:
    before, bought = worth(open_index(folder)), len(log())
    name, _, part = lost.format(open_index(folder).table().name).partition("/")
    shutil.rmtree(folder / "db" / f"{name}.lance" / part)
    assert lost != "{0}" or "not as the last run left it" in open_index(folder).plan().notes[-1]
    open_index(folder).ingest()
    index = open_index(folder)
    assert not index.plan().notes
    assert worth(index) == before
    assert len(log()) == bought
    assert index.search("river gauge")


def test_a_document_goes_also_where_the_manifest_was_lost(folder: Path) -> None:
    docs = folder / "docs"
    kept = folder / "kept"
    shutil.copytree(docs, kept)
    docs.unlink()
    kept.rename(docs)
    shutil.rmtree(folder / "db" / f"{open_index(folder).table().name}__documents.lance")
    (docs / "0.md").unlink()
    assert open_index(folder).ingest().removed == 1
    assert not [uri for uri in open_index(folder).table().to_arrow()["uri"].to_pylist() if uri.endswith("0.md")]


def test_a_column_of_somebody_else_stays(folder: Path) -> None:
    chunks, manifest = tables(folder)
    chunks.add_columns({"mine": "7"})
    manifest.add_columns({"mine": "7"})
    open_index(folder).ingest()
    open_index(folder).ingest(full=True)
    assert set(tables(folder)[0].to_arrow()["mine"].to_pylist()) == {None}, "of a text that is written anew"
    assert open_index(folder).ingest().unchanged == 4


def test_the_alias_comes_from_the_log_of_runs(folder: Path) -> None:
    index = open_index(folder)
    serving = index.table().name
    store = index._store
    store.create("notes__0123abcd", index.table().schema)  # a model that was tried, and never served
    shutil.rmtree(folder / "db" / "relance__catalog.lance")
    report = open_index(folder).ingest()
    assert "the catalog did not say which table serves" in " ".join(report.notes)
    assert open_index(folder).table().name == serving


def test_a_torn_log_of_runs_is_set_aside_and_said(folder: Path) -> None:
    for path in (folder / "db" / "relance__runs.lance" / "data").iterdir():
        path.write_bytes(b"")
    notes = open_index(folder).ingest().notes
    assert "relance__runs could not be read" in notes[0]
    assert "`relance rollback`" in notes[0]
    assert len(open_index(folder).runs()) == 1


def test_a_torn_embedding_cache_costs_only_what_is_embedded_anew(
    folder: Path, log: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    (table,) = (folder / "db").glob("relance__vectors__*.lance")
    for path in (table / "data").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    before, bought = worth(open_index(folder)), len(log())
    open_index(folder).ingest(full=True)
    assert worth(open_index(folder)) == before
    assert len(log()) > bought
    assert "are bought again when their texts are embedded anew" in caplog.text
    once = len(log())
    open_index(folder).ingest(full=True)
    assert len(log()) == once


def test_a_healthy_store_is_not_read_through(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_index(folder).ingest()
    versions = open_index(folder).status().table_version

    def scan(*_: Any) -> None:
        raise AssertionError("nothing differs")

    monkeypatch.setattr("relance.store.repair.find_torn", scan)
    assert open_index(folder).ingest().unchanged == 4
    assert open_index(folder).status().table_version == versions


def test_a_search_in_a_hurt_store_is_a_sentence(folder: Path) -> None:
    index = open_index(folder)
    name = index.table().name
    for path in (folder / "db" / f"{name}.lance" / "data").iterdir():
        path.unlink()
    with pytest.raises(StoreError, match=rf"{name}.*`relance ingest`") as caught:
        open_index(folder).search("river gauge")
    assert ".rs" not in str(caught.value)


def test_files_that_are_set_aside_are_named(folder: Path) -> None:
    name = open_index(folder).table().name
    newest = min((folder / "db" / f"{name}.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    assert newest.name in " ".join(open_index(folder).ingest().notes)
    assert [path for path in (folder / "db" / ".relance" / "aside").iterdir() if newest.name in path.name]


def test_what_was_set_aside_goes_with_the_retention(folder: Path) -> None:
    shutil.rmtree(folder / "db" / "relance__runs.lance" / "_versions")
    open_index(folder).ingest()
    aside = folder / "db" / ".relance" / "aside"
    assert len(list(aside.iterdir())) == 1
    assert not open_index(folder).maintain().dropped
    name = "20200101T000000000000-relance__runs.lance"
    (aside / name).mkdir()
    assert open_index(folder).maintain().dropped == [name]
    assert len(list(aside.iterdir())) == 1


def test_a_maintained_store_is_not_read_through(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_index(folder).status().table_version
    index = open_index(folder)
    maintain(index.spec, index._store, limits=MaintenanceLimits(files=1))
    assert open_index(folder).status().table_version > before

    def scan(*_: object) -> None:
        raise AssertionError("nothing differs")

    monkeypatch.setattr("relance.store.repair.find_torn", scan)
    assert open_index(folder).ingest().unchanged == 4


def test_a_version_number_that_was_given_again_is_not_gone_back_to(folder: Path) -> None:
    index = open_index(folder)
    run, left = index.ingest().run_id, tables(folder)[0].version
    shutil.rmtree(folder / "db" / f"{index.table().name}.lance")
    index.ingest()
    while tables(folder)[0].version <= left:  # the new table has versions of these numbers, too
        tables(folder)[0].add_columns({"mine": "1"})
        tables(folder)[0].drop_columns(["mine"])
    index.ingest()
    before = worth(index)
    with pytest.raises(InputError, match=rf"{run} cannot be gone back to: what it left in 'notes' was damaged"):
        index.rollback(run)
    assert worth(index) == before
