"""From sources to rows: who may see a document, and that a change of permissions alone embeds nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import relance
from relance.config import AccessSpec, IndexSpec
from relance.errors import SpecError
from relance.index import Index
from relance.pipeline.access import Permits

Log = Callable[[], list[str]]


def access_of(index: Index, *, media: bool = False) -> dict[str, list[str] | None]:
    rows = index.table(media=media).search().where("active").select(["uri", "access"]).limit(None).to_list()
    return {row["uri"]: row["access"] for row in rows}


@pytest.mark.parametrize(
    ("said", "found", "problem"),
    [
        ("ada", ("ada",), ""), (" ada ", (" ada ",), ""), (["a", "b", "a"], ("a", "b"), ""), (["a", "*"], ("*",), ""),
        ([], (), ""), (None, (), "is not there"), ("", (), "is empty"), (7, (), "neither a text nor a list"),
        ({"a": 1}, (), "neither a text nor a list"), (["a", 7], (), "lists 7, which is no text"),
        (["a", None], (), "lists null"), (["a", ""], (), "an empty one"), (["x" * 501], (), "501 characters"),
        (["x"] * 1001, (), "lists 1,001 principals"), (["\ud800"], (), "not valid Unicode"), (True, (), "neither"),
    ],
)  # fmt: skip
def test_what_a_field_says(said: Any, found: tuple[str, ...], problem: str) -> None:
    metadata = {"groups": said, "year": 2020}
    access, warning = Permits(AccessSpec(field="groups")).take(metadata)
    assert access == found
    assert metadata == {"year": 2020}
    assert (problem in warning) if problem else not warning
    always = Permits(AccessSpec(field="groups", principals=["boss"])).take({"groups": said})[0]
    assert always == (("*",) if found == ("*",) else ("boss", *found))


def test_what_no_section_says() -> None:
    metadata = {"principals": ["ada"]}
    assert Permits(None).take(metadata) == (None, "")
    assert metadata == {"principals": ["ada"]}
    assert Permits(AccessSpec()).take(metadata) == (("ada",), "")


@pytest.mark.parametrize("section", ["", " null", " staff", " {feld: a}", " {principals: staff}", " {principals: ['']}",
                                     " {principals: [a], separator: ;}"])  # fmt: skip
def test_a_section_that_could_be_misunderstood_is_refused(tmp_path: Path, section: str) -> None:
    (tmp_path / "index.yaml").write_text(
        "name: a\nsources:\n  - type: files\n    root: .\n"
        f"    access:{section}\nembedding: {{model: fake/hash}}\nstore: {{uri: db}}\n"
    )
    with pytest.raises(SpecError, match="access"):
        Index(tmp_path / "index.yaml")


def rows_of(folder: Path, access: Any = None, **readers: Any) -> Index:
    """Write a table whose rows say who reads them, and declare an index of it."""
    folder.joinpath("rows").mkdir(exist_ok=True)
    lines = [json.dumps({"id": name, "text": f"The ferry {name}.", "who": said}) for name, said in readers.items()]
    folder.joinpath("rows/t.jsonl").write_text("\n".join(lines))
    source: dict[str, Any] = {"type": "files", "root": "rows", "rows": {}} | ({"access": access} if access else {})
    declared = {"name": "rows", "sources": [source], "embedding": {"model": "fake/hash"}, "store": {"uri": "db"}}
    return Index(IndexSpec.model_validate(declared | {"folder": folder}))


def test_permissions_of_rows_change_and_nothing_is_embedded(tmp_path: Path, log: Log) -> None:
    column = {"field": "who"}
    rows_of(tmp_path, column, a=["ada"], b="bob", c=["*"]).ingest()
    assert len(log()) == 3
    report = rows_of(tmp_path, column, a=["ada"], b=["bob", "ada"], c=["*"]).ingest()
    assert (report.changed, report.unchanged, len(log())) == (1, 2, 3)
    index = rows_of(tmp_path, column, a=[], b=["bob", "ada"], c=None)
    assert index.ingest().changed == 2
    assert access_of(index) == {"rows/t.jsonl#a": [], "rows/t.jsonl#b": ["bob", "ada"], "rows/t.jsonl#c": []}
    assert [row.uri for row in index.failures()] == ["rows/t.jsonl#c"]
    assert index.ingest().changed == 0
    assert [row.uri for row in index.failures()] == ["rows/t.jsonl#c"], "the warning holds while the row is so"
    assert len(log()) == 3


def test_the_section_changes_and_nothing_is_embedded(tmp_path: Path, log: Log) -> None:
    said: dict[str, Any] = {"a": ["ada"], "b": "bob"}
    assert access_of_run(tmp_path, None, said) == {"rows/t.jsonl#a": None, "rows/t.jsonl#b": None}
    assert access_of_run(tmp_path, {"field": "who"}, said) == {"rows/t.jsonl#a": ["ada"], "rows/t.jsonl#b": ["bob"]}
    boss = {"field": "who", "principals": ["boss"]}
    assert access_of_run(tmp_path, boss, said)["rows/t.jsonl#a"] == ["boss", "ada"]
    assert access_of_run(tmp_path, {"principals": ["boss"]}, said)["rows/t.jsonl#b"] == ["boss"]
    assert access_of_run(tmp_path, None, said) == {"rows/t.jsonl#a": None, "rows/t.jsonl#b": None}
    assert len(log()) == 2


def access_of_run(folder: Path, access: Any, said: dict[str, Any]) -> dict[str, Any]:
    index = rows_of(folder, access, **said)
    index.ingest()
    assert index.ingest().changed == 0
    return access_of(index)


def test_a_column_that_is_metadata_too_stays_there(tmp_path: Path) -> None:
    spec = rows_of(tmp_path, {"field": "who"}, a=["ada"]).spec
    rows = spec.sources[0].rows
    assert rows is not None
    source = spec.sources[0].model_copy(update={"rows": rows.model_copy(update={"metadata": ["who"]})})
    index = Index(spec.model_copy(update={"sources": [source]}))
    index.ingest()
    assert index.search("ferry", principals=["ada"])[0].metadata["who"] == ["ada"]


@pytest.mark.parametrize("chunking", [{"max_tokens": 64}, {"max_tokens": 32, "strategy": "text"}])
def test_a_file_whose_front_matter_says_others_is_written_again_and_nothing_is_embedded(
    make_index: Callable[..., Index], docs: Path, log: Log, chunking: Any
) -> None:
    def write(readers: str) -> None:
        (docs / "a.md").write_text(f"---\nreaders: {readers}\n---\n# A\n\nThe ferry leaves.\n", encoding="utf-8")

    index = make_index(
        sources=[{"type": "files", "root": str(docs), "access": {"field": "readers"}}], chunking=chunking
    )
    write("ada")
    index.ingest()
    count = len(log())
    write("[ada, bob]")
    assert index.ingest().changed == 1
    assert access_of(index) == {"docs/a.md": ["ada", "bob"]}
    assert len(log()) == count


def test_while_another_model_is_on_its_way_permissions_are_taken_in(
    make_index: Callable[..., Index], docs: Path, tmp_path: Path, log: Log
) -> None:
    (docs / "a.md").write_text("---\nreaders: ada\n---\n# A\n\nThe ferry.\n", encoding="utf-8")
    (tmp_path / "golden.yaml").write_text("- {query: ferry, documents: [docs/a.md]}\n")
    make_index(gate={"queries": "golden.yaml"}).ingest()
    count = len(log())
    other = {"gate": {"queries": "golden.yaml"}, "embedding": {"model": "fake/hash", "dimension": 32}}
    index = make_index(sources=[{"type": "files", "root": str(docs), "access": {"field": "readers"}}], **other)
    assert index.ingest().changed == 1
    assert access_of(index) == {"docs/a.md": ["ada"]}
    assert len(log()) == count, "by the model that serves, nothing was bought"


def test_a_table_built_by_another_model_has_the_same_permissions(
    make_index: Callable[..., Index], docs: Path, tmp_path: Path
) -> None:
    from relance.reembed import reembed

    for name, readers in {"a": "ada", "b": "['*']", "c": "[]"}.items():
        (docs / f"{name}.md").write_text(f"---\nreaders: {readers}\n---\n# A\n\nThe ferry {name}.\n", encoding="utf-8")
    (tmp_path / "golden.yaml").write_text("- {query: ferry a, documents: [docs/a.md]}\n")
    asked: dict[str, Any] = {
        "sources": [{"type": "files", "root": str(docs), "access": {"field": "readers"}}],
        "gate": {"queries": "golden.yaml", "tolerance": 1.0},
    }
    make_index(**asked).ingest()
    index = make_index(**asked, embedding={"model": "fake/hash", "dimension": 32})
    before = index.table().name
    outcome = reembed(index.spec)
    assert index.table().name != before, outcome
    assert access_of(index) == {"docs/a.md": ["ada"], "docs/b.md": ["*"], "docs/c.md": []}


def test_a_table_of_an_earlier_version_is_for_everybody_until_the_next_run(tmp_path: Path) -> None:
    index = rows_of(tmp_path, None, a=["ada"], b="bob")
    index.ingest()
    index.table().drop_columns(["access"])
    assert len(index.search("ferry")) == 2
    restricted = rows_of(tmp_path, {"field": "who"}, a=["ada"], b="bob")
    restricted.ingest()
    assert [hit.uri for hit in restricted.search("ferry", principals=["ada"])] == ["rows/t.jsonl#a"]
    assert not restricted.search("ferry")


def test_pictures_are_seen_by_who_may_see_their_row_their_page_or_their_source(gallery: Any, emulator: Any) -> None:
    def write(page: str, row: str) -> None:
        gallery.write("docs/p.md", f"---\nreaders: {page}\n---\n# P\n\nThe lake.\n\n![a house](../pics/a.png)\n")
        gallery.write("docs/m.csv", f"id,url,caption,readers\n1,../pics/b.png,a barn,{row}\n")

    for name, colour in {"pics/a.png": "red", "pics/b.png": "green", "docs/c.png": "blue"}.items():
        gallery.paint(name, colour)
    write("ada", "ada")
    source = {"type": "files", "root": str(gallery.folder / "docs"), "rows": {"url": "url", "caption": "caption"}}
    index = gallery.index(sources=[source | {"access": {"field": "readers", "principals": ["boss"]}}])
    index.ingest()
    page, row, file = "docs/p.md#../pics/a.png", "docs/m.csv#1", "docs/c.png"
    assert access_of(index, media=True) == {page: ["boss", "ada"], row: ["boss", "ada"], file: ["boss"]}
    assert [each.uri for each in index.failures()] == [file]

    def seen(*principals: str) -> set[str]:
        return {hit.uri for hit in index.search_media("red green blue", k=9, floor=0, principals=principals)}

    assert (seen(), seen("ada"), seen("boss")) == (set(), {page, row}, {page, row, file})
    asked = emulator.stats()["tokens"]
    write("bob", "bob")
    report = index.ingest()
    assert report.media is not None
    assert report.media.changed == 2
    assert emulator.stats()["tokens"] == asked, "nothing is bought"
    assert (seen("ada"), seen("bob")) == (set(), {page, row})
    with pytest.raises(relance.InputError):
        index.search_media(like=page, principals=["ada"])
    assert not index.search_both("lake house", principals=["ada"], floor=0)[1]
