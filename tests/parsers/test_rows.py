"""Rows of JSONL, CSV, TSV and Parquet files are documents of their own."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_items import row_items

from relance.config import FilesSource
from relance.errors import DocumentError
from relance.parsers import installed_parsers
from relance.parsers.first_seen import FirstSeen
from relance.pipeline.text_reader import TextReader
from relance.sources import SourceContext
from relance.sources.files import Files


def open_files(root: Path, position: int = 0, **options: Any) -> Any:
    section = FilesSource(type="files", root=root, **options)
    return TextReader(Files(section, SourceContext(root, position)), installed_parsers())


FORMATS = ["jsonl", "csv", "tsv", "parquet"]
ROWS = [
    {"id": "a", "title": "First", "text": "One, two.\nThree.", "year": 1999},
    {"id": "b", "title": "Zweite", "text": 'Say "Öl"', "year": 2001},
]


def encode(rows, form, encoding="utf-8"):
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(encoding)
    if form == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        return buffer.getvalue()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), dialect="excel-tab" if form == "tsv" else "excel")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


@pytest.fixture
def load(tmp_path):
    """Write a table and read its rows."""

    def run(data, form="jsonl", **options):
        section = {"rows": {}} | options
        root = tmp_path / "data"
        root.mkdir(exist_ok=True)
        (root / f"t.{form}").write_bytes(data if isinstance(data, bytes) else encode(data, form))
        files = open_files(root, 2, **section)
        (collection,) = files.list()
        assert collection.collection
        return files, list(row_items(files.rows(collection)))

    return run


def reasons(found):
    return [(failure.uri, failure.reason) for failure in found if isinstance(failure, DocumentError)]


def texts(files, found):
    return [files.parse(files.read(item)).text for item in found if not isinstance(item, DocumentError)]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_documents(load, form):
    files, rows = load(ROWS, form, rows={"text": ["title", "text"], "metadata": ["year"]})
    assert [(row.uri, row.parent, row.source, row.collection) for row in rows] == [
        (f"t.{form}#a", f"t.{form}", 2, False),
        (f"t.{form}#b", f"t.{form}", 2, False),
    ]
    first = files.parse(files.read(rows[0]))
    assert first.text == "First\n\nOne, two.\nThree."
    assert (first.title, first.syntax, first.uri) == ("First", "row", f"t.{form}#a")
    year = "1999" if form in {"csv", "tsv"} else 1999
    assert first.metadata == {"path": f"t.{form}", "media_type": rows[0].media_type, "year": year}
    assert first.content_hash == rows[0].version


@pytest.mark.parametrize("form", FORMATS)
def test_only_a_row_whose_text_title_or_metadata_changed_has_a_new_version(load, form):
    options = {"rows": {"text": "text", "title": "title", "metadata": ["year"]}}
    _, before = load([row | {"other": "x"} for row in ROWS], form, **options)
    _, same = load([row | {"other": "y"} for row in reversed(ROWS)], form, **options)
    assert {row.uri: row.version for row in same} == {row.uri: row.version for row in before}
    for column in ("text", "title", "year"):
        _, after = load([ROWS[0] | {column: 5 if column == "year" else "5"}, ROWS[1]], form, **options)
        assert [new.version == old.version for new, old in zip(after, before, strict=True)] == [False, True], column


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab1 é中", min_size=1, max_size=5), st.text("a ,\t\"'\n;|é中{}\\", min_size=1)), max_size=8
    ),
    st.sampled_from(["jsonl", "csv", "parquet"]),
)
def test_any_text_survives(tmp_path_factory, rows, form):
    rows = [("kept", "kept"), *rows]
    root = tmp_path_factory.mktemp("t")
    (root / f"t.{form}").write_bytes(encode([{"id": name, "text": text} for name, text in rows], form))
    files = open_files(root, rows={})
    (collection,) = files.list()
    expected = {}
    for name, text in rows:
        if name.strip() and name.strip() not in expected:
            expected[name.strip()] = text.strip()
    items = [row for row in row_items(files.rows(collection)) if not isinstance(row, DocumentError)]
    found = {row.uri.partition("#")[2]: row.row["text"] for row in items}
    assert found == {name: text for name, text in expected.items() if text}


def test_a_bad_row_stops_nothing_else_and_says_where_it_is(load):
    lines = [
        '{"id": "a", "text": "fine"}',
        '{"id": "b", "text": ',
        "",
        '{"text": "no id"}',
        '{"id": "a", "text": "again"}',
        "[1]",
        '{"id": "c", "text": "  "}',
        '{"id": "d", "text": {"en": "x"}}',
        '{"id": "e"}',
        '{"id": true, "text": "x"}',
        '{"id": "z", "text": 7}',
    ]
    data = "\n".join(lines).encode()
    files, found = load(data)
    assert texts(files, found) == ["fine", "7"]
    assert reasons(found) == [
        ("t.jsonl#line-2", "invalid JSON: Expecting value at column 22"),
        ("t.jsonl#line-4", "no id in column 'id'"),
        ("t.jsonl#line-5", "the id 'a' was already used in line 1"),
        ("t.jsonl#line-6", "a JSON array, not an object"),
        ("t.jsonl#c", "no text in text"),
        ("t.jsonl#d", "column 'text' holds an object, not text; text.en would be a text in it"),
        ("t.jsonl#e", "no text column text; this row has: id"),
        ("t.jsonl#line-10", "the id in column 'id' is a bool, not text or a whole number"),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_column_that_is_in_no_row_is_a_fault_of_the_file(load, form):
    _, found = load(ROWS, form, rows={"text": ["txt"]})
    assert reasons(found) == [
        (f"t.{form}", "no column 'txt' in it; did you mean 'text'? it has: id, title, text, year")
    ]
    renamed = [{"_id": row["id"], "text": row["text"]} for row in ROWS]
    _, found = load(renamed, form)
    assert reasons(found) == [(f"t.{form}", "no column 'id' in it; did you mean '_id'? it has: _id, text")]


def test_a_column_may_be_missing_in_some_rows_of_jsonl(load):
    rows = [{"id": 1, "text": "a"}, {"id": 2, "title": "T", "text": "b", "year": 3}]
    files, found = load(rows, rows={"text": ["title", "text"], "metadata": ["year", "never"]})
    assert texts(files, found) == ["a", "T\n\nb"]
    assert [row.row["metadata"] for row in found] == [{"year": None, "never": None}, {"year": 3, "never": None}]


def test_numbers_make_ids_and_text(load):
    _, found = load([{"id": 1, "text": 2.5}, {"id": 2.0, "text": 10**30}])
    assert [(row.uri, row.row["text"]) for row in found] == [("t.jsonl#1", "2.5"), ("t.jsonl#2", "1" + "0" * 30)]


def test_values_of_parquet_become_json(load):
    rows = [
        {
            "id": "a",
            "text": "x",
            "day": date(2024, 2, 29),
            "at": datetime(2024, 2, 29, 12, tzinfo=UTC),
            "price": Decimal("1.50"),
            "nan": float("nan"),
            "tags": ["p", "q"],
            "none": None,
        }
    ]
    _, (row,) = load(rows, "parquet", rows={"metadata": ["day", "at", "price", "nan", "tags", "none"]})
    assert json.loads(json.dumps(row.row["metadata"], allow_nan=False)) == {
        "day": "2024-02-29",
        "at": "2024-02-29T12:00:00+00:00",
        "price": 1.5,
        "nan": None,
        "tags": ["p", "q"],
        "none": None,
    }


def test_bytes_in_metadata_are_refused(load):
    _, found = load([{"id": "a", "text": "x", "raw": b"\0"}], "parquet", rows={"metadata": ["raw"]})
    assert reasons(found) == [("t.parquet#a", "column 'raw' holds bytes, which metadata cannot keep")]


def test_columns_nobody_asked_for_are_not_kept(load):
    _, (row,) = load([{"id": "a", "text": "x", "huge": "y" * 1000}])
    assert row.row == {"text": "x", "title": "", "metadata": {}}


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gbk", "utf-16", "utf-16-le"])
def test_tables_are_read_in_their_encoding(load, form, encoding):
    text = "图书馆的开放时间是上午九点到下午五点，周末不开放。"
    files, found = load(encode([{"id": "甲", "text": text}, {"id": "b", "text": text}], form, encoding), form)
    assert [item.uri for item in found] == [f"t.{form}#甲", f"t.{form}#b"]
    assert texts(files, found) == [text, text]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_byte_that_does_not_fit_costs_one_row(load, form):
    good = "图书馆的开放时间" * 9
    data = encode([{"id": "a", "text": good}, {"id": "b", "text": "BAD"}, {"id": "c", "text": good}], form)
    files, found = load(data.replace(b"BAD", b"x\xffx"), form)
    assert texts(files, found) == [good, good]
    ((uri, reason),) = reasons(found)
    assert uri == f"t.{form}#line-{2 if form == 'jsonl' else 3}"
    assert "set `encoding`" in reason


@pytest.mark.parametrize("mark", [",", ";", "|", "\t"])
def test_the_delimiter_of_a_csv_is_the_one_that_gives_the_columns(load, mark):
    files, found = load(f"id{mark}text\n1{mark}a b\n".encode(), "csv")
    assert texts(files, found) == ["a b"]


def test_a_csv_row_with_too_many_fields_is_refused_and_lines_are_counted_through_quotes(load):
    _, found = load(b'id,text\n1,"two\nlines"\n2,a,b\n3,c\n', "csv")
    assert reasons(found) == [("t.csv#line-4", "3 fields where the header has 2")]
    assert len(found) == 3


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest_in_silence(load):
    _, found = load(b'id,text\n1,fine\n2,"open\n3,lost\n', "csv")
    assert reasons(found) == [("t.csv", "a quote that is opened in or after line 3 is never closed")]


def test_bare_quotes_in_tsv_are_text(load):
    files, found = load(b'id\ttext\n1\t"Foo" is a bar\n2\t"open\n', "tsv")
    assert texts(files, found) == ['"Foo" is a bar', '"open']


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_no_table_is_one_failure(load, form):
    for data in (b"\0", b"\x89PNG\r\n\x1a\n" + bytes(300)):
        _, found = load(data, form)
        ((uri, reason),) = reasons(found)
        assert uri == f"t.{form}"
        assert "\n" not in reason


def test_text_that_is_no_jsonl_is_one_failure(load):
    _, found = load(b'[\n  {"id":\n  1}\n]\n' * 50)
    ((uri, reason),) = reasons(found)
    assert uri == "t.jsonl"
    assert reason.startswith("none of its first 200 lines is a row: line 1: invalid JSON")


def test_a_truncated_parquet_file_is_one_failure(load):
    data = encode([{"id": str(n), "text": "x" * 50} for n in range(1000)], "parquet")
    _, found = load(data[:-100], "parquet")
    ((uri, reason),) = reasons(found)
    assert uri == "t.parquet"
    assert reason.startswith("truncated or damaged")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_without_rows_is_no_failure(load, form):
    data = b"id,text\n"
    if form == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())}), buffer)
        data = buffer.getvalue()
    assert load(data, form)[1] == []


def test_a_row_over_the_limit_is_a_failure_and_the_file_has_none(load):
    rows = [{"id": n, "text": "x" * (50 if n != 3 else 500)} for n in range(6)]
    _, found = load(rows, max_size=200)
    assert reasons(found) == [("t.jsonl#line-4", "the row is longer than max_size (200 bytes)")]
    assert len(found) == 6


def test_a_csv_without_line_ends_is_refused_before_it_fills_the_memory(load):
    _, found = load(b"id,text\n" + b"x" * 5000, "csv", max_size=1000)
    assert reasons(found) == [("t.csv", "line 2 is longer than max_size (1,000 bytes)")]


def test_rows_are_a_stream(tmp_path):
    """A file of 40 MB is begun without being read to its end."""
    (tmp_path / "t.jsonl").write_text("".join(f'{{"id": {n}, "text": "{"x" * 1000}"}}\n' for n in range(40_000)))
    files = open_files(tmp_path, rows={})
    import tracemalloc

    (collection,) = files.list()
    tracemalloc.start()
    try:
        stream: Any = row_items(files.rows(collection))
        assert sum(1 for _, _ in zip(range(5000), stream, strict=False)) == 5000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        stream.close()
    assert peak < 8_000_000


def test_the_options_of_rows_are_part_of_the_version(load):
    one, _ = load(ROWS)
    two, _ = load(ROWS, rows={"text": ["title"]})
    assert one.parser_version("application/x-ndjson") != two.parser_version("application/x-ndjson")
    assert one.parser_version("text/markdown") == two.parser_version("text/markdown")


def test_without_rows_a_csv_is_one_document_and_parquet_says_what_to_do(tmp_path):
    (tmp_path / "t.csv").write_text("id,text\n1,a\n")
    (tmp_path / "t.parquet").write_bytes(encode(ROWS, "parquet"))
    files = open_files(tmp_path)
    table, parquet = files.list()
    assert not table.collection
    assert files.parse(files.read(table)).text == "id,text\n1,a\n"
    with pytest.raises(DocumentError, match="row by row only; set `rows`"):
        files.read(parquet)


@given(st.lists(st.text(max_size=3), max_size=3000), st.integers(1, 1000))
@settings(max_examples=15, deadline=None)
def test_every_id_remembers_the_line_it_was_first_in(ids, block):
    seen, first = FirstSeen(), {}
    names = [*ids, *map(str, range(2000)), *ids]
    for start in range(0, len(names), block):
        some = names[start : start + block]
        lines = np.arange(start + 1, start + 1 + len(some))
        keys = np.array([hash(name) for name in some], np.int64).view(np.uint64)
        expected = [first.setdefault(name, line) for name, line in zip(some, lines.tolist(), strict=True)]
        assert seen.first(keys, lines).tolist() == expected
