"""A store that was hurt in every way we know of: the doctor names it, repairs it, and nothing is bought again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from by_hand import by_hand
from filelock import FileLock
from files import put
from rows import rows

from relance.errors import IndexBusyError
from relance.index import Index
from relance.store import open_store
from relance.store.catalog import NAME as CATALOG
from relance.store.catalog import Catalog
from relance.store.doctor import CODES, Examination
from relance.store.embeddings import PREFIX, EmbeddingStore
from relance.store.index_tables import IndexTables
from relance.store.lock import hold
from relance.store.runs import NAME as RUNS

pytestmark = pytest.mark.usefixtures("own_temporary_folder")

SPEC = """\
name: notes
sources:
  - {type: files, root: ./docs}
chunking: {max_tokens: 32}
embedding: {model: fake/hash, price_per_million_tokens: 1.0}
store: {uri: ./db}
"""
LONG = "\n\n".join(f"Paragraph {i} of a long note about gauges, rivers and the bridges over them." for i in range(6))


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index after two runs, whose embedding cache is in its table."""
    folder = tmp_path_factory.mktemp("hurt")
    (folder / "index.yaml").write_text(SPEC, encoding="utf-8")
    for i in range(4):
        put(folder / f"docs/{i}.md", f"# Note {i}\n\nNumber {i}.\n\n{LONG}")
    index = Index(folder)
    index.ingest()
    put(folder / "docs/new.md", "A note that came later.")
    put(folder / "docs/0.md", "A note that is another one now.")
    index.ingest()
    table = table_of(index)
    with_cache(index, lambda cache: cache.flush())
    assert table.chunks.count() > 8
    return folder


@pytest.fixture
def index(pattern: Path, tmp_path: Path) -> Index:
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    return Index(tmp_path)


def with_cache(index: Index, action: Callable[[EmbeddingStore], object]) -> None:
    cache = EmbeddingStore(open_store(index.spec), table_of(index).space, 64)
    action(cache)
    cache.close()


def table_of(index: Index) -> IndexTables:
    found = IndexTables.serving(open_store(index.spec), index.spec.name)
    assert found is not None
    return found


class Store:
    """The store of an index, as somebody hurts it."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.folder = index.spec.path("db")
        self.name = table_of(index).name
        self.cache = PREFIX + table_of(index).space

    def table(self, name: str) -> Any:
        return open_store(self.index.spec).open(name)

    def files(self, name: str, kind: str) -> list[Path]:
        return sorted(path for path in (self.folder / f"{name}.lance" / kind).rglob("*.*") if path.suffix != ".json")

    def largest(self, name: str, kind: str = "data") -> Path:
        return max(self.files(name, kind), key=lambda path: path.stat().st_size)

    def entry(self, key: str, value: str) -> None:
        self.table(CATALOG).update(where=f"key = '{key}'", values={"value": value})


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_over(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:200] + bytes(len(data) - 400) + data[-200:])


def drop(store: Store, name: str) -> None:
    shutil.rmtree(store.folder / f"{name}.lance")


def double(store: Store, name: str, where: str) -> None:
    table = store.table(name)
    table.add(table.search().where(where).limit(None).to_arrow())


def foreign(store: Store) -> None:
    found = store.table(store.name).search().limit(2).to_arrow()
    store.table(store.name).add(found.set_column(0, found.schema.field(0), pa.array(["mine", "yours"])))


def vector(store: Store, name: str, value: float) -> None:
    row = store.table(name).search().limit(1).to_list()[0]
    key = "key" if "key" in row else "id"
    store.table(name).update(where=f"{key} = '{row[key]}'", values={"vector": [value] * len(row["vector"])})


def journal(store: Store) -> None:
    """Leave a file of the journal whose second half is damaged, as a power cut may."""
    folder = store.folder / ".relance/vectors" / store.cache.removeprefix(PREFIX)
    drop(store, store.cache)
    fresh = Index(store.index.spec)
    table = table_of(fresh).chunks.table
    assert table is not None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0123456789abcdef-1.vectors").write_bytes(b"rlv1" + bytes(100))


def oldest(store: Store) -> Path:
    return store.files(store.name, "_versions")[-1]


def claims(store: Store) -> None:
    path = next((store.folder / ".relance/vectors").rglob("claims.db"))
    with sqlite3.connect(path) as database:
        database.execute("pragma journal_mode = delete")
    path.write_bytes(b"no database" * 100)


def staging(store: Store) -> None:
    area = store.folder / ".relance/relance-staging-dead"
    area.mkdir()
    (area / "lock").touch()


# What was done to the store, what it is called, and whether the next run has to finish the repair.
HURT: dict[str, tuple[Callable[[Store], object], str, bool]] = {
    "a file of chunks is cut off": (lambda s: halve(s.largest(s.name)), "file-hurt", True),
    "a file of chunks is empty": (lambda s: empty(s.largest(s.name)), "file-hurt", True),
    "a file of chunks is gone": (lambda s: s.largest(s.name).unlink(), "file-hurt", True),
    "a file of chunks is written over": (lambda s: write_over(s.largest(s.name)), "file-hurt", True),
    "all files of chunks are gone": (lambda s: [each.unlink() for each in s.files(s.name, "data")], "file-hurt", True),
    "a file of the manifest is cut off": (lambda s: halve(s.largest(f"{s.name}__documents")), "file-hurt", True),
    "a file of the cache is cut off": (lambda s: halve(s.largest(s.cache)), "file-hurt", False),
    "a file of the log is gone": (lambda s: s.largest(RUNS).unlink(), "file-hurt", False),
    "the files of the catalog are empty": (lambda s: [empty(each) for each in s.files(CATALOG, "data")], "file-hurt", False),
    "the newest version is cut off": (lambda s: halve(s.files(s.name, "_versions")[0]), "table-unreadable", False),
    "every version is empty": (lambda s: [empty(each) for each in s.files(s.name, "_versions")], "table-unreadable", True),
    "what is deleted is not known": (lambda s: [empty(each) for each in s.files(s.name, "_deletions")], "table-unreadable", True),
    "the manifest has no version": (lambda s: [halve(each) for each in s.files(f"{s.name}__documents", "_versions")],
                                    "table-unreadable", True),
    "the catalog has no version": (lambda s: [halve(each) for each in s.files(CATALOG, "_versions")], "table-unreadable", False),
    "the log has no version": (lambda s: [halve(each) for each in s.files(RUNS, "_versions")], "table-unreadable", False),
    "the cache has no version": (lambda s: [halve(each) for each in s.files(s.cache, "_versions")], "table-unreadable", False),
    "an older version is cut off": (lambda s: halve(oldest(s)), "version-hurt", False),
    "the table is gone": (lambda s: drop(s, s.name), "alias-dangling", True),
    "the manifest is gone": (lambda s: drop(s, f"{s.name}__documents"), "documents-torn", True),
    "the catalog is gone": (lambda s: drop(s, CATALOG), "alias-missing", False),
    "a search index is cut off": (lambda s: halve(s.largest(s.name, "_indices")), "index-hurt", False),
    "the search indexes are gone": (lambda s: shutil.rmtree(s.folder / f"{s.name}.lance/_indices"), "index-hurt", False),
    "the index of words was dropped": (lambda s: s.table(s.name).drop_index("words_idx"), "index-missing", False),
    "a document was deleted": (lambda s: s.table(s.name).delete("uri = 'docs/1.md'"), "documents-torn", True),
    "a chunk was deleted": (lambda s: s.table(s.name).delete("uri = 'docs/1.md' AND seq = 1"), "documents-torn", True),
    "a document is there twice": (lambda s: double(s, s.name, "uri = 'docs/2.md'"), "documents-torn", True),
    "the run of a document is another": (lambda s: s.table(s.name).update(where="uri = 'docs/3.md'", values={"run_id": "me"}),
                                         "documents-torn", True),
    "the manifest has a document twice": (lambda s: double(s, f"{s.name}__documents", "uri = 'docs/2.md'"),
                                          "documents-torn", True),
    "rows of somebody else": (foreign, "row-foreign", False),
    "a vector of zeros": (lambda s: vector(s, s.name, 0.0), "vector-bad", True),
    "another vector": (lambda s: vector(s, s.name, 0.25), "vector-differs", True),
    "a cached vector of zeros": (lambda s: vector(s, s.cache, 0.0), "cache-bad", False),
    "a cached vector twice": (lambda s: double(s, s.cache, "true"), "cache-twice", False),
    "the cache is gone": (lambda s: drop(s, s.cache), "cache-lacks", False),
    "the journal is damaged": (journal, "journal-hurt", False),
    "the claims are damaged": (claims, "claims-hurt", False),
    "a column was dropped": (lambda s: s.table(s.name).drop_columns(["title"]), "column-missing", True),
    "the vectors were dropped": (lambda s: s.table(s.name).drop_columns(["vector"]), "column-missing", True),
    "a column without NULL was added": (lambda s: s.table(s.name).add_columns({"mine": "cast(1 as int)"}), "column-added", False),
    "a column is of another type": (lambda s: s.table(s.name).alter_columns({"path": "tokens", "data_type": pa.int64()}),
                                    "column-type", True),
    "the alias names no table": (lambda s: s.entry("index/notes", '{"table": "notes__00000000", "previous": null}'),
                                 "alias-dangling", False),
    "the alias cannot be read": (lambda s: s.entry("index/notes", '{"table"'), "catalog-bad", False),
    "the catalog has an entry twice": (lambda s: double(s, CATALOG, "key = 'index/notes'"), "catalog-bad", False),
    "a run was cut short": (lambda s: table_of(s.index).mark("me"),
                            "run-interrupted", False),
    "an entry for a table that is gone": (lambda s: Catalog(open_store(s.index.spec)).put("table/gone", {"writer": "me"}, expected=None),
                                          "catalog-stale", False),
    "the log cannot be read": (lambda s: s.table(RUNS).update(where="true", values={"report": "{"}), "run-unreadable", False),
    "a staging area was left": (staging, "leftover-staging", False),
}  # fmt: skip


# Hurts that have nothing to do with each other are looked at together: each look takes 0.2 s.
TOGETHER = [
    ("a file of chunks is cut off", "a cached vector twice", "the log cannot be read", "a staging area was left"),
    ("a file of chunks is empty", "a file of the log is gone", "an entry for a table that is gone"),
    ("a file of chunks is gone", "the log has no version", "the claims are damaged"),
    ("a file of chunks is written over", "the catalog is gone"),
    ("all files of chunks are gone", "the catalog has an entry twice"),
    ("a file of the manifest is cut off", "a search index is cut off"),
    ("a file of the cache is cut off", "an older version is cut off"),
    ("the files of the catalog are empty", "the search indexes are gone", "a document was deleted"),
    ("the newest version is cut off", "the cache has no version"),
    ("every version is empty", "the alias cannot be read"),
    ("what is deleted is not known", "the catalog has no version"),
    ("the manifest has no version", "the index of words was dropped"),
    ("the table is gone",),
    ("the manifest is gone", "the alias names no table"),
    ("the cache is gone", "a run was cut short", "a chunk was deleted"),
    ("a document is there twice", "the run of a document is another", "a vector of zeros"),
    ("the manifest has a document twice", "rows of somebody else", "a cached vector of zeros"),
    ("another vector", "a column without NULL was added"),
    ("the journal is damaged",),
    ("a column was dropped",),
    ("the vectors were dropped",),
    ("a column is of another type",),
]


def codes(exam: Examination) -> set[str]:
    return {each.code for each in exam.findings}


def content(index: Index) -> list[tuple[Any, ...]]:
    found = rows(index, vectors=True)
    return sorted((row["uri"], row["seq"], row["text"], row["title"], tuple(row["vector"])) for row in found)


def state_of(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*.lance/**/*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def test_a_whole_store_is_healthy(index: Index) -> None:
    before = state_of(index.spec.path("db"))
    exam = index.doctor()
    assert (exam.healthy, exam.findings, exam.notes) == (True, [], [])
    assert (exam.tables, exam.search_indexes) == (5, 1)
    assert exam.cache_entries == len({row[-1] for row in content(index)}) + 1, "and the one of a text that was changed"
    assert exam.rows > exam.files >= exam.tables
    assert state_of(index.spec.path("db")) == before, "nothing is written"


def test_each_hurt_is_tried() -> None:
    assert sorted(each for group in TOGETHER for each in group) == sorted(HURT)
    assert {code for _, code, _ in HURT.values()} <= CODES.keys()


@pytest.mark.parametrize("done", [*TOGETHER[::2], *by_hand(*((each,) for each in TOGETHER[1::2]))], ids=", ".join)
def test_what_was_hurt_is_named_repaired_and_not_bought_again(
    done: tuple[str, ...], index: Index, log: Callable[[], list[str]]
) -> None:
    whole = content(index)
    store = Store(index)
    for each in done:
        HURT[each][0](store)
    expected, waits = {HURT[each][1] for each in done}, any(HURT[each][2] for each in done)
    before = state_of(index.spec.path("db"))
    found = index.doctor()
    assert found.findings
    assert "check-failed" not in codes(found)
    assert state_of(index.spec.path("db")) == before, "only to look writes nothing"

    repaired = index.doctor(repair=True)
    assert expected <= codes(repaired)
    assert repaired.healthy, [(each.code, each.what, each.done) for each in repaired.findings]
    assert bool(repaired.waiting or any(each.state == "waiting" for each in repaired.findings)) == waits
    if not waits:
        assert content(index) == whole, "nothing is left to a run"
    report = index.ingest()
    assert (report.failed, report.embedded) == (0, 0)
    assert content(index) == whole
    assert log() == [], "no text was embedded"
    again = index.doctor()
    assert again.healthy, [(each.code, each.what) for each in again.findings]


def test_a_table_of_an_earlier_model_is_dropped_when_no_rollback_may_want_it(index: Index) -> None:
    made = pa.schema([("a", pa.int32())])
    open_store(index.spec).create("notes__0123abcd", made)
    section = index.spec.store.model_copy(update={"retention_days": 1e-9})
    short = Index(index.spec.model_copy(update={"store": section}))
    assert "leftover-table" in codes(short.doctor())
    assert short.doctor(repair=True).healthy
    assert open_store(index.spec).open("notes__0123abcd") is None
    assert index.search("gauges", k=3)


def test_every_finding_can_be_written_down(index: Index) -> None:
    store = Store(index)
    halve(store.largest(store.name))
    drop(store, store.cache)
    plain = json.loads(json.dumps(index.doctor().as_dict()))
    assert plain["schema_version"] == 1
    assert plain["healthy"] is False
    assert plain["counts"]["found"] == len(plain["findings"])
    torn = next(each for each in plain["findings"] if each["code"] == "documents-torn")
    assert "docs/1.md" in torn["documents"]
    assert torn["tokens"] > 0, "neither the chunks nor the cache have the vectors"
    assert torn["usd"] == pytest.approx(torn["tokens"] / 1e6)


def test_what_only_the_chunks_had_is_bought_again_for_what_was_said(index: Index) -> None:
    store = Store(index)
    whole = content(index)
    drop(store, store.cache)
    drop(store, store.name)
    found = index.doctor()
    told = next(each.tokens for each in found.findings if each.code == "documents-torn")
    assert index.doctor(repair=True).healthy
    report = index.ingest()
    assert report.tokens == told
    assert content(index) == whole


def test_a_hurt_version_of_a_run_is_said_and_does_not_count(index: Index) -> None:
    store = Store(index)
    files = set(store.files(store.name, "data"))
    index.ingest(full=True)
    open_store(index.spec).open(store.name).optimize()
    for path in files:
        path.unlink()
    exam = index.doctor()
    assert exam.healthy
    hurt = [each for each in exam.findings if each.code == "version-hurt"]
    assert hurt
    assert all(each.level == "note" and "the way back to run" in each.lost for each in hurt)


def test_who_writes_is_left_alone(index: Index) -> None:
    store = Store(index)
    store.table(store.name).delete("uri = 'docs/1.md'")
    with hold(open_store(index.spec), "notes"):
        exam = index.doctor()
        assert exam.busy
        assert "documents-torn" not in codes(exam), "it may be about to be written"
        with pytest.raises(IndexBusyError):
            index.doctor(repair=True)
    assert "documents-torn" in codes(index.doctor())


def test_a_journal_that_is_being_written_is_no_finding(index: Index) -> None:
    store = Store(index)
    journal(store)
    path = next((store.folder / ".relance/vectors").rglob("*.vectors"))
    with FileLock(path.with_name("0123456789abcdef.lock")):
        assert "journal-hurt" not in codes(index.doctor())
    assert "journal-hurt" in codes(index.doctor())


def test_an_index_that_is_not_there_yet_is_said(tmp_path: Path) -> None:
    (tmp_path / "index.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    for repair in (False, True):
        exam = Index(tmp_path).doctor(repair=repair)
        assert exam.healthy
        assert "run `relance ingest` first" in exam.notes[0]
    assert not (tmp_path / "db").exists()


def test_another_index_of_the_store_is_not_touched(index: Index, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(SPEC.replace("notes", "other"), encoding="utf-8")
    other = Index(tmp_path / "other.yaml")
    other.ingest()
    before = content(other)
    drop(Store(other), Store(other).name)
    exam = index.doctor(repair=True)
    assert exam.healthy
    assert [each.level for each in exam.findings if "other" in each.where] == ["note"]
    assert other.doctor(repair=True).healthy
    other.ingest()
    assert content(other) == before
