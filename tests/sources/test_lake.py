"""Rows of tables in a lake: a version that is the same is not read, and of another one only what changed is embedded."""

from __future__ import annotations

import io
from base64 import b64decode
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import SCHEMA, LakeTable, some_rows
from pydantic import ValidationError
from rows import rows

from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError, MissingExtraError, SourceError
from relance.index import Index
from relance.sources.lake import Lake
from relance.sources.lake.pictures import with_addresses
from relance.sources.lake.spec import LakeSpec


def version(source: Lake) -> str:
    (item,) = [each for each in source.list() if isinstance(each, Item)]
    return item.version


def test_rows_are_documents_with_their_metadata(lake):
    lake.write(some_rows())
    assert lake.index().ingest().added == 9
    (row,) = [row for row in rows(lake.index()) if row["uri"] == f"{lake.uri}#3"]
    assert (row["text"], row["metadata"]["year"]) == ("Row number 3.", 2000)


def test_exactly_what_changed_is_embedded_and_an_unchanged_table_is_not_read(lake, log, monkeypatch):
    lake.write(some_rows())
    lake.index().ingest()
    bought, opened = len(log()), []
    whole = Lake._write
    monkeypatch.setattr(Lake, "_write", lambda self, file: (opened.append(1), whole(self, file))[1])
    assert lake.index().ingest().unchanged == 9
    assert opened == []
    changed = some_rows(10)[1:]
    changed[3]["text"] = "Row four says something else."
    lake.write(changed)
    report = lake.index().ingest()
    assert (report.added, report.changed, report.removed, report.unchanged) == (1, 1, 1, 7)
    assert sorted(log()[bought:]) == ["Row four says something else.", "Row number 9."]
    lake.write(changed)  # another version of the same rows
    assert lake.index().ingest().unchanged == 9
    assert len(opened) == 2
    assert len(log()) == bought + 2


def test_an_empty_table_empties_the_index(lake):
    lake.write(some_rows())
    lake.index().ingest()
    lake.write([])
    lake.place.mkdir(exist_ok=True)  # no row, no file
    report = lake.index().ingest(approved=True)
    assert (report.removed, report.failed) == (9, 0)


def test_a_column_that_goes_removes_nothing_and_is_named(lake):
    lake.write(some_rows())
    lake.index().ingest()
    lake.write(
        [{"id": 1, "txt": "One.", "year": 1}], pa.schema({"id": pa.int64(), "txt": pa.string(), "year": pa.int64()})
    )
    index = lake.index()
    if lake.form == "parquet":  # its columns are known when it is read
        report = index.ingest()
        assert (report.removed, report.failed) == (0, 1)
        assert "did you mean 'txt'?" in report.failures[0].reason
    else:
        with pytest.raises(ConfigurationError, match=r"has no column 'text'; did you mean 'txt'\?"):
            index.ingest()
    assert len(rows(index)) == 9


def test_a_column_that_comes_changes_no_row(lake, log):
    lake.write(some_rows())
    lake.index().ingest()
    bought = len(log())
    lake.write([each | {"extra": "x"} for each in some_rows()], SCHEMA.append(pa.field("extra", pa.string())))
    assert lake.index().ingest().unchanged == 9
    assert len(log()) == bought


def test_a_table_that_is_not_there_is_said(lake):
    if lake.form in {"iceberg", "lance"}:
        lake.write(some_rows(1))
        options = {"table": "shop.nix" if lake.form == "iceberg" else "nix"}
    else:
        options = {"uri": "nowhere"}
    with pytest.raises(ConfigurationError, match="there is no"):
        version(lake.source(**options))


def test_types_become_what_json_has(lake):
    kinds = {"id": pa.string(), "text": pa.string(), "year": pa.int64(), "at": pa.timestamp("us", "UTC"),
             "list": pa.list_(pa.int64()), "in": pa.struct({"a": pa.string()})}  # fmt: skip
    row = {
        "id": "a/b#c",
        "text": "One.",
        "year": 1,
        "at": datetime(2024, 1, 2, tzinfo=UTC),
        "list": [1, 2],
        "in": {"a": "x"},
    }
    lake.write([row], pa.schema(kinds))
    index = lake.index(rows={"text": ["{text} {in.a}"], "metadata": ["at", "list", "in"]})
    assert index.ingest().added == 1
    (found,) = rows(index)
    assert (found["uri"], found["text"]) == (f"{lake.uri}#a/b#c", "One. x")
    assert found["metadata"] | {"list": [1, 2], "in": {"a": "x"}} == found["metadata"]
    assert found["metadata"]["at"] == "2024-01-02T00:00:00+00:00"


def test_locations_are_those_of_its_table(lake):
    lake.write(some_rows(1))
    source = lake.source()
    assert source.location().text == lake.uri
    assert source.location(f"{lake.uri}#1").text == f"{lake.uri}#1"
    for uri in (f"{lake.uri}x", "other#1", "iceberg://x"):
        assert source.location(uri) is None
    with pytest.raises(DocumentError):
        source.read(Item("other", "", ""))


@pytest.mark.parametrize("form", ["parquet", "delta"])
def test_a_torn_file_removes_nothing(make_lake, form):
    lake = make_lake(form)
    lake.write(some_rows())
    lake.index().ingest()
    lake.write(some_rows(5))
    torn = max(lake.place.rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    torn.write_bytes(torn.read_bytes()[:50])
    report = lake.index().ingest()
    assert (report.removed, report.failed) == (0, 1)
    assert len(rows(lake.index())) == 9
    lake.write(some_rows(5))
    assert lake.index().ingest().removed == 4


@pytest.mark.parametrize("form", ["delta", "iceberg", "lance"])
def test_an_older_version_may_be_read(make_lake, form):
    lake = make_lake(form)
    lake.write(some_rows(3))
    at = {"delta": 0, "lance": 1}.get(form)
    if form == "iceberg":
        at = lake.source()._open()._snapshot
    lake.write(some_rows(5))
    assert lake.index(at=at).ingest().added == 3
    with pytest.raises((ConfigurationError, SourceError)):
        version(lake.source(at=99))


def test_a_table_that_was_made_anew_is_another_one(make_lake):
    import lancedb

    lake = make_lake("lance")
    seen = set()
    for text in ("One.", "Two."):
        database = lancedb.connect(lake.place)
        database.create_table("notes", pa.Table.from_pylist([{"id": 1, "text": text, "year": 1}]), mode="overwrite")
        seen.add(version(lake.source()))
        database.drop_table("notes")
    assert len(seen) == 2


def test_deletion_vectors_and_partitions_of_delta_are_read(make_lake):
    from deltalake import DeltaTable, write_deltalake

    lake = make_lake("delta")
    write_deltalake(lake.place, pa.Table.from_pylist(some_rows(), schema=SCHEMA), partition_by=["year"])
    index = lake.index()
    assert index.ingest().added == 9
    table = DeltaTable(lake.place)
    table.delete("id = 3")
    table.update(updates={"text": "'Other.'"}, predicate="id = 4")
    report = index.ingest()
    assert (report.removed, report.changed) == (1, 1)
    table.optimize.compact()
    assert index.ingest().unchanged == 8


def test_partitions_of_parquet_are_columns_and_later_files_may_have_more(make_lake):
    lake = make_lake("parquet")
    lake.write(some_rows(3))
    pq.write_table(pa.table({"id": [50], "text": ["More."], "extra": ["x"]}), lake.place / "year=2001" / "z.parquet")
    (lake.place / "_SUCCESS").touch()
    (lake.place / "readme.txt").write_text("x")
    ignored = [each for each in lake.source().list() if isinstance(each, Ignored)]
    assert {(each.uri, each.reason) for each in ignored} == {
        ("lake/_SUCCESS", "hidden, or no data of the table"), ("lake/readme.txt", "no Parquet file")
    }  # fmt: skip
    index = lake.index(rows={"metadata": ["year", "extra"]})
    assert index.ingest().added == 4
    found = {row["uri"]: row["metadata"] for row in rows(index)}
    assert (found["lake#50"]["year"], found["lake#50"]["extra"]) == (2001, "x")
    assert found["lake#1"]["extra"] is None


def test_a_table_of_iceberg_needs_no_catalog(make_lake):
    lake = make_lake("iceberg")
    lake.write(some_rows(3))
    newest = max((lake.folder / "warehouse").rglob("*.metadata.json"), key=lambda path: path.name)
    index = lake.index(catalog={}, table="", uri=str(newest.relative_to(lake.folder)))
    assert index.ingest().added == 3


def test_a_table_of_the_index_itself_is_no_source(make_lake):
    lake = make_lake("lance")
    lake.write(some_rows(1))
    index = lake.index()
    index.ingest()
    name = index.table().name
    with pytest.raises(ConfigurationError, match="is a table of this index"):
        version(lake.source(uri="db", table=name))


def test_pictures_in_a_table_of_lance_are_media(make_lake, gallery):
    import lancedb

    lake = make_lake("lance")
    pictures = [{"id": n, "image": gallery.png(each), "name": each} for n, each in enumerate(("red", "green", "blue"))]
    lancedb.connect(lake.place).create_table("notes", pa.Table.from_pylist(pictures))
    index = Index(lake.spec(rows={"url": "image", "caption": "name"}, sections={"media": gallery.media()}))
    assert index.ingest().media.added == 3


def test_bytes_become_addresses():
    batch = pa.record_batch(
        {"image": pa.array([b"\xff\xd8\xffx", None, b"RIFF\0\0\0\0WEBP"]), "other": ["a", "b", "c"]}
    )
    found = with_addresses(batch, "image").to_pydict()
    assert found["image"][0].startswith("data:image/jpeg;base64,")
    assert b64decode(found["image"][2].partition(",")[2]) == b"RIFF\0\0\0\0WEBP"
    assert found["image"][1] is None
    assert found["image"][2].startswith("data:image/webp")
    assert with_addresses(batch, "other") is batch
    assert with_addresses(batch, "nix") is batch


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"format": "parquet"}, "needs `uri`"),
        ({"format": "parquet", "uri": "x", "at": 1}, "has no versions"),
        ({"format": "parquet", "uri": "x", "table": "t"}, "`table` is for LanceDB"),
        ({"format": "lance", "uri": "x"}, "`table` is for LanceDB"),
        ({"format": "iceberg"}, "needs one of `catalog` and `uri`"),
        ({"format": "iceberg", "uri": "x", "catalog": {"type": "sql"}}, "needs one of"),
        ({"format": "delta", "uri": "x", "catalog": {"type": "sql"}}, "no `catalog`"),
        ({"format": "delta", "uri": "x", "rows": None}, "row by row only"),
        ({"format": "delta", "uri": "x", "encoding": "utf-8"}, "no encoding"),
    ],
)
def test_a_wrong_section_is_refused(section, problem):
    with pytest.raises(ValidationError, match=problem):
        LakeSpec.model_validate(section)


@pytest.mark.parametrize(("form", "module"), [("delta", "deltalake"), ("iceberg", "pyiceberg.catalog")])
def test_a_library_that_is_not_installed_is_named_with_its_extra(make_lake, monkeypatch, form, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"relance\[{form}\]"):
        version(make_lake(form).source())


def test_an_empty_parquet_file_of_no_columns_is_read(make_lake):
    lake = make_lake("parquet")
    lake.place.mkdir()
    source = lake.source()
    (item,) = [*source.list()]
    assert isinstance(item, Item)
    assert pq.read_table(io.BytesIO(source.read(item).data)).num_rows == 0
    assert isinstance(lake, LakeTable)
