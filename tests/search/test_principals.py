"""Who sees what: documents with principals, and readers who go by some."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relance
from relance.config import IndexSpec
from relance.errors import InputError
from relance.index import Index
from relance.store.maintenance import MaintenanceLimits, refresh_indexes
from relance.store.principals import Principals, Reader
from relance.store.visible_table import VisibleTable, seen_by

MODES = ("dense", "full-text", "sparse", "hybrid")
# What each row says of its readers, by id; all have the word that is asked for.
ROWS: dict[str, Any] = {
    "staff": ["group:staff"], "ada": "ada", "both": ["ada", "group:staff"], "all": ["*", "ada"], "none": [],
    "unsaid": None, "number": 7, "mixed": ["ada", 7], "empty": "", "quote": ["o'brien"], "slash": ["back\\slash"],
}  # fmt: skip
UNREADABLE = {"unsaid", "number", "mixed", "empty"}


def declare(folder: Path, rows: dict[str, Any], access: Any, **sections: Any) -> Index:
    """Write rows, each with a word of its own, beside a note that is for everybody, and index them."""
    for name in ("rows", "notes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": name, "text": f"ferry {name}", "readers": said}) for name, said in rows.items()]
    (folder / "rows/t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "notes/open.md").write_text("# Open\n\nThe ferry is open to everybody.\n", encoding="utf-8")
    declared = {
        "name": "ferry",
        "sources": [
            {"type": "files", "root": "rows", "rows": {}, **({} if access is None else {"access": access})},
            {"type": "files", "root": "notes"},
        ],
        "embedding": {"model": "fake/hash", "output_type": "dense&sparse"},
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(declared | sections))
    index.ingest()
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return declare(tmp_path_factory.mktemp("ferry"), ROWS, {"field": "readers"})


def seen(index: Index, principals: Principals = None, **asked: Any) -> set[str]:
    """Name what a search for the word of all documents finds."""
    hits = index.search("ferry", k=100, principals=principals, **asked)
    return {hit.uri.partition("#")[2] or Path(hit.uri).stem for hit in hits}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("principals", "found"),
    [
        (None, set()), ([], set()), (["nobody"], set()), (["*"], set()), (["ADA"], set()), ([" ada"], set()),
        (["ada"], {"ada", "both"}), (["group:staff"], {"staff", "both"}), (["ada", "ada"], {"ada", "both"}),
        (["ada", "group:staff"], {"ada", "both", "staff"}), (["o'brien"], {"quote"}), (["back\\slash"], {"slash"}),
        (relance.OWNER, set(ROWS)),
    ],
)  # fmt: skip
def test_a_reader_sees_what_is_for_everybody_and_what_is_for_one_of_the_principals(
    index: Index, mode: Any, principals: Principals, found: set[str]
) -> None:
    assert seen(index, principals, mode=mode) == found | {"open", "all"}
    assert seen(index.for_principals(principals), mode=mode) == found | {"open", "all"}
    assert seen(Index(index.spec, principals=principals), mode=mode) == found | {"open", "all"}


def test_who_asks_once_replaces_who_the_index_is_opened_for(index: Index) -> None:
    ada = index.for_principals(["ada"])
    assert seen(ada, ["group:staff"]) == {"staff", "both", "open", "all"}
    assert seen(ada, []) == {"open", "all"}
    assert (ada.principals, index.principals) == (["ada"], None)


def test_a_document_that_does_not_say_it_readably_is_for_nobody_and_a_warning_says_so(index: Index) -> None:
    warned = {row.uri.partition("#")[2]: row for row in index.failures()}
    assert set(warned) == UNREADABLE
    assert all(row.indexed and "nobody sees it" in row.reason for row in warned.values())
    assert seen(index, relance.OWNER) >= UNREADABLE


def test_principals_of_the_source_see_all_of_it(tmp_path: Path) -> None:
    index = declare(tmp_path, ROWS, {"field": "readers", "principals": ["boss"]})
    assert seen(index, ["boss"]) == {*ROWS, "open"}
    assert seen(index, ["ada"]) == {"ada", "both", "all", "open"}
    assert "nobody but the principals of its source" in index.failures()[0].reason


@pytest.mark.parametrize(
    ("access", "principals", "found"),
    [
        ({"principals": ["boss"]}, None, set()), ({"principals": ["boss"]}, ["boss"], set(ROWS)),
        ({"principals": ["boss"]}, ["ada"], set()), ({"principals": ["*"]}, None, set(ROWS)), (None, None, set(ROWS)),
        ({}, ["ada"], set()),
    ],
)  # fmt: skip
def test_what_the_section_says(tmp_path: Path, access: Any, principals: Any, found: set[str]) -> None:
    index = declare(tmp_path, ROWS, access)
    assert seen(index, principals) == found | {"open"}
    assert bool(index.failures()) == (access == {})


def test_several_principals_may_stand_in_one_text(tmp_path: Path) -> None:
    rows = {"one": "ada;group:staff", "two": ";ada;;", "three": " ada ; bob", "four": ";"}
    index = declare(tmp_path, rows, {"field": "readers", "separator": ";"})
    assert seen(index, ["ada"]) == {"one", "two", "open"}
    assert seen(index, [" ada "]) == {"three", "open"}
    assert seen(index, ["group:staff"]) == {"one", "open"}
    assert not index.failures()


def test_nobody_who_finds_a_document_reads_who_else_may(index: Index) -> None:
    for hit in index.search("ferry", k=100, principals=["ada"]):
        assert "readers" not in hit.metadata
        assert "group:staff" not in json.dumps(hit.as_dict())


def test_a_hidden_document_is_like_one_that_is_not_there(index: Index) -> None:
    def said(uri: str) -> str:
        with pytest.raises(InputError) as told:
            index.search(like=uri, principals=["ada"])
        return str(told.value).replace(uri, "…")

    assert said("rows/t.jsonl#staff").partition(";")[0] == said("rows/t.jsonl#nobody").partition(";")[0]
    assert "staff" not in said("rows/t.jsonl#staff"), "nor is it what may have been meant"
    hits = index.search(like="rows/t.jsonl#ada", k=100, principals=["ada"])
    assert {hit.uri.partition("#")[2] for hit in hits} <= {"both", "all", ""}


def test_readers_at_the_same_time_do_not_see_each_others_documents(index: Index) -> None:
    expected = {"ada": {"ada", "both"}, "group:staff": {"staff", "both"}, "nobody": set()}
    names = [name for _ in range(8) for name in expected]

    async def ask() -> list[Any]:
        return await asyncio.gather(*(index.asearch("ferry", k=100, principals=[name]) for name in names))

    for name, hits in zip(names, asyncio.run(ask()), strict=True):
        assert {hit.uri.partition("#")[2] for hit in hits} - {""} == expected[name] | {"all"}


@pytest.mark.parametrize("principals", ["ada", [7], [""], ["x" * 501], [f"p{n}" for n in range(1001)], ["\ud800"]])
def test_what_are_no_principals_is_refused(index: Index, principals: Any) -> None:
    with pytest.raises(InputError):
        index.search("ferry", principals=principals)
    with pytest.raises(InputError):
        index.for_principals(principals)


def test_a_table_where_nothing_is_restricted_is_searched_as_it_is(tmp_path: Path) -> None:
    index = declare(tmp_path, ROWS, None)
    assert not isinstance(index.visible(), VisibleTable)
    hits = index.search("ferry", explain=True)
    assert hits.explanation is not None
    assert hits.explanation.where is None


def test_an_index_of_principals_is_made_where_it_pays_and_finds_the_same(tmp_path: Path) -> None:
    rows = {f"r{n}": [f"g{n % 7}", f"g{n % 5}"] for n in range(60)} | ROWS
    index = declare(tmp_path, rows, {"field": "readers"})
    asked: list[Principals] = [None, ["g3"], ["g3", "g4", "ada"], ["o'brien"], ["g9"], relance.OWNER]
    before = [seen(index, principals) for principals in asked]
    table = index.table()
    refresh_indexes(table, retention=timedelta(days=7), language="none",
                    limits=MaintenanceLimits(lookup_rows=10))  # fmt: skip
    assert "access" in {column for each in table.list_indices() for column in each.columns}
    assert [seen(index, principals) for principals in asked] == before
    declare(tmp_path, rows | {"ada": ["g3"], "r3": [], "new": ["g3"]}, {"field": "readers"})
    after = seen(index, ["g3"])
    assert after >= {"ada", "new"}
    assert "r3" not in after
    assert "ada" not in seen(index, ["ada"])


names = st.text(min_size=1, max_size=8) | st.sampled_from(["a", "b", "'", "\\", "*", "%", "null", "') OR (1=1"])
lists = st.lists(names, max_size=4)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import lancedb

    return lancedb.connect(tmp_path_factory.mktemp("bare"))


@given(st.lists(st.none() | lists, max_size=8), st.none() | lists)
@settings(max_examples=60)
def test_the_condition_finds_what_a_model_does(bare: Any, documents: list[Any], asked: list[str] | None) -> None:
    import pyarrow as pa

    ids, access = [str(n) for n in range(len(documents))], pa.array(documents, pa.list_(pa.string()))
    rows = pa.table({"id": pa.array(ids, pa.string()), "access": access, "active": pa.repeat(True, len(ids))})
    table = bare.create_table("t", rows, mode="overwrite")
    mine = {"*", *(asked or ())}
    expected = {name for name, said in zip(ids, documents, strict=True) if said is None or mine & set(said)}
    visible = seen_by(table, Reader.of(asked))
    assert {row["id"] for row in visible.search().limit(None).to_list()} == expected
    assert visible.count_rows() == len(expected)
    assert {row["id"] for row in visible.search().where("true OR true").limit(None).to_list()} == expected


def test_front_matter_says_who_reads_a_document_and_a_file_without_it_is_hidden(
    make_index: Callable[..., Index], docs: Path
) -> None:
    (docs / "staff.md").write_text("---\ngroups: [group:staff, ada]\n---\n# A\n\nThe ferry.\n", encoding="utf-8")
    (docs / "bare.md").write_text("# B\n\nThe ferry.\n", encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "access": {"field": "groups"}}])
    index.ingest()
    assert [row.uri for row in index.failures()] == ["docs/bare.md"]
    assert seen(index) == set()
    assert seen(index, ["ada"]) == {"staff"}
    (hit,) = index.search("ferry", principals=["ada"])
    assert "groups" not in hit.metadata
    assert "mtime" in hit.metadata
