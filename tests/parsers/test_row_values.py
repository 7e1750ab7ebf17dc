"""What of a row becomes a document: paths, templates, names by content, and values as they were written."""

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collections_of import documents_in, problems_in, rows_in
from mutations import mutations, truncations
from pydantic import ValidationError

from relance.config import RowsSpec
from relance.errors import DocumentError
from relance.parsers import Collection, installed_parsers

NESTED = {"meta": {"id": "a1", "tags": ["x", "y"]}, "body": {"text": "nested", "parts": [{"t": "one"}, {"t": "two"}]}}


def write(rows, form):
    if form == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        return buffer.getvalue()
    if form == "json":
        return json.dumps(rows).encode()
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_a_path_leads_into_nested_values(form):
    spec = {"id": "meta.id", "text": ["body.text", "body.parts.t", "body.parts.0.t"], "metadata": ["meta.tags"]}
    (row,) = documents_in(f"t.{form}", write([NESTED], form), **spec).values()
    assert (row.name, row.text, row.metadata) == ("a1", "nested\n\none\ntwo\n\none", {"meta.tags": ["x", "y"]})


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_a_path_that_leads_nowhere_is_said(form):
    reason = problems_in(f"t.{form}", write([NESTED], form), id="meta.id", text="body.txt")[f"t.{form}"]
    assert reason.startswith("no column 'body.txt' in it")


def test_a_column_whose_name_has_a_dot_comes_before_a_path():
    row = {"id": 1, "a.b": "flat", "a": {"b": "deep"}}
    assert documents_in("t.jsonl", write([row], "jsonl"), text="a.b")["1"].text == "flat"
    assert documents_in("t.csv", "id,a.b\n1,flat\n", text="a.b")["1"].text == "flat"


@pytest.mark.parametrize(
    "data", ['[{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]', '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}']
)
def test_json_is_an_array_or_objects_one_after_the_other(data):
    assert {name: row.text for name, row in documents_in("t.json", data).items()} == {"1": "a", "2": "b"}


def test_an_array_is_found_by_its_path():
    data = json.dumps({"note": "[{", "data": {"n": [1, {"items": []}], "items": [{"id": 1, "text": "a"}]}, "after": 1})
    assert documents_in("t.json", data, path="data.items")["1"].text == "a"
    assert problems_in("t.json", data, path="data.rows") == {
        "t.json": "no 'rows' of the path 'data.rows' in it; it has: n, items"
    }
    assert problems_in("t.json", data, path="note") == {"t.json": "what is at 'note' is no array of rows"}
    hint = problems_in("t.json", json.dumps({"rows": [{"id": 1, "text": "a"}]}))["t.json"]
    assert hint.endswith("if the rows are in 'rows', set `path: rows` below `rows`")


@pytest.mark.parametrize("size", [1, 1000, 262_100, 600_000])
def test_a_row_may_lie_across_what_is_read_at_once(size):
    rows = [{"id": n, "text": "x" * size + '\\"é', "n": [1.5, None, True]} for n in range(3)]
    for indent in (None, 2):
        found = documents_in("t.json", json.dumps(rows, indent=indent))
        assert [row.text for row in found.values()] == [row["text"] for row in rows]


def test_what_is_wrong_in_an_array_is_said_after_the_rows_before_it():
    found = rows_in("t.json", '[{"id": 1, "text": "a"}, 7, {"id": 2, "text": "b"} {"id": 3}]')
    assert [getattr(row, "name", None) for row in found] == ["1", "2", None, None] or len(found) >= 2
    problems = {error.uri: error.reason for error in found if isinstance(error, DocumentError)}
    assert problems["t.json"].startswith("invalid JSON in row 3: no comma between two rows, at '{")


@pytest.mark.parametrize("cut", [1, 5, 20, 24])
def test_a_truncated_array_is_no_success(cut):
    data = '[{"id": 1, "text": "aaa"}]'
    assert "t.json" in problems_in("t.json", data[:-cut] if cut < 24 else data[:2])


def test_a_value_over_the_limit_does_not_fill_the_memory():
    huge = '[{"id": 1, "text": "' + "x" * 3_000_000 + '"}]'
    (reason,) = problems_in("t.json", huge).values()
    assert "longer than max_size" in reason


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1, "text": "a", "text": "b"}',
        '{"id": 1, "text" : "a", "text": "b", "x": 1}',
        '{"id": 1, "text"\t: "a", "text": "b", "x": 1}',
        '{"id": 1, "text": "a", "x": {"a": 1}, "text": "b"}',
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_key_that_is_there_twice_has_no_value(form, line):
    assert problems_in(f"t.{form}", line) == {f"t.{form}#1": "column 'text' is there twice in this row"}
    assert (
        documents_in(f"t.{form}", line.replace("text", "t").replace('"id": 1', '"id": 1, "text": "fine"'))["1"].text
        == "fine"
    )
    assert (
        "twice"
        in problems_in(f"t.{form}", line.replace("text", "id").replace('"id": 1', '"text": "x"'))[f"t.{form}#line-1"]
    )
    meta = line.replace("text", "v").replace('"id": 1', '"id": 1, "text": "fine"')
    assert problems_in(f"t.{form}", meta, metadata=["v"]) == {f"t.{form}#1": "column 'v' is there twice in this row"}


def test_a_header_that_is_there_twice_is_a_failure_where_it_is_wanted():
    data = "id,text,text,other,other\n1,first,second,3,4\n"
    assert problems_in("t.csv", data) == {"t.csv": "its header has 'text' twice; rename one of the two"}
    assert documents_in("t.csv", data.replace("text", "t", 1))["1"].text == "second"


def test_the_header_of_a_csv_may_stand_below_other_lines():
    data = "Prices, of 2024\n\nid,text\n1,a\n2,b,c\n"
    assert problems_in("t.csv", data, header=3) == {"t.csv#line-5": "3 fields where the header has 2"}


@pytest.mark.parametrize("rows", [{"id": None}, {}])
@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet"])
def test_rows_without_ids_are_named_by_their_content(form, rows):
    some = [{"title": "A", "text": "x"}, {"title": "B", "text": "y"}, {"title": "A", "text": "x"}]
    data = write(some, form)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, ["title", "text"])
        writer.writeheader()
        writer.writerows(some)
        data = text.getvalue()
    names = list(documents_in(f"t.{form}", data, text=["title", "text"], **rows))
    assert len(set(names)) == 3
    assert names[2] == f"{names[0]}-2"
    assert set(
        documents_in(
            f"t.{form}", write(list(reversed(some)), form) if form != "csv" else data, text=["title", "text"], **rows
        )
    ) == set(names)


def test_names_by_content_are_the_same_in_every_format_and_block():
    rows = [{"text": f"row {n % 1500}"} for n in range(3000)]
    names = list(documents_in("t.jsonl", write(rows, "jsonl"), id=None))
    assert names == list(documents_in("t.parquet", write(rows, "parquet"), id=None))
    assert names[1500:] == [f"{name}-2" for name in names[:1500]]


def test_an_id_that_the_spec_names_has_to_be_there():
    assert problems_in("t.csv", "text\nx\n", id="id")["t.csv"].startswith("no column 'id'")
    assert problems_in("t.csv", "_id,text\n1,x\n")["t.csv"].startswith("no column 'id' in it; did you mean '_id'?")
    assert problems_in("t.csv", "text,n\nx,1\n,2\n") == {"t.csv#row-3": "no text in text"}


def test_templates_write_columns_into_a_text():
    data = write([{"id": 1, "name": "Pump", "price": 12.5, "tags": ["a", "b"], "ok": True}, {"id": 2}], "jsonl")
    spec: Any = {"text": "{name}: {price} {{EUR}} ({tags}, {ok})", "title": "{name} no. {id}"}
    found = rows_in("t.jsonl", data, **spec)
    assert found[0].text == "Pump: 12.5 {EUR} (a, b, true)"
    assert found[0].title == "Pump no. 1"
    assert found[1].reason.startswith("no text column")


@pytest.mark.parametrize("template", ["{a", "a}", "{}", "{ }", "{{a}}", "{a}}", "{a{b}}"])
def test_a_template_whose_braces_do_not_match_is_a_mistake_of_the_spec(template):
    for spec in ({"text": template}, {"title": template}, {"caption": template}):
        with pytest.raises(ValidationError, match="column is written"):
            RowsSpec(**spec)


def test_columns_may_have_their_names_in_the_text():
    data = "id,name,price\n1,Pump,12.50\n2,Valve,\n"
    found = documents_in("t.csv", data, text=["name", "price"], labels=True)
    assert [row.text for row in found.values()] == ["name: Pump\nprice: 12.50", "name: Valve"]


def test_a_list_of_texts_has_a_line_for_each():
    row = {"id": 1, "text": ["one", " two ", "", None, 3], "tags": ["a", "b"]}
    found = documents_in("t.jsonl", write([row], "jsonl"), title="tags")["1"]
    assert (found.text, found.title) == ("one\ntwo\n3", "a, b")


def test_numbers_stay_what_was_written():
    line = '{"id": 12345678901234567890123, "text": 1.50, "a": 1.50, "b": 0.1, "c": 1e400, "d": 0.12345678901234567890123, "e": 18446744073709551617}'
    for name in ("t.jsonl", "t.json"):
        ((key, row),) = documents_in(name, line, metadata=["a", "b", "c", "d", "e"]).items()
        assert (key, row.text) == ("12345678901234567890123", "1.50")
        assert row.metadata == {"a": 1.5, "b": 0.1, "c": "1E+400", "d": "0.12345678901234567890123", "e": 2**64 + 1}


def test_times_of_parquet_keep_their_nanoseconds():
    stamps = pa.array([1709164800123456789, 1709164800000001000, None, -1], pa.timestamp("ns", "UTC"))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2, 3, 4], "text": ["x"] * 4, "at": stamps}), buffer)
    found = documents_in("t.parquet", buffer.getvalue(), metadata=["at"])
    assert [row.metadata["at"] for row in found.values()] == [
        "2024-02-29T00:00:00.123456789+00:00",
        "2024-02-29T00:00:00.000001+00:00",
        None,
        "1969-12-31T23:59:59.999999999+00:00",
    ]


def test_rows_that_are_pictures_have_titles():
    data = "id,url,title\n1,a.png,A barn\n"
    for title in ("", "title", "{title}"):
        spec = RowsSpec(url="url", title=title)
        opened = Collection(io.BytesIO(data.encode()), "t.csv", "text/csv", spec, media=True)
        (row,) = installed_parsers().rows(opened)
        assert row.title == "A barn"


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_damaged_tables_are_rows_or_failures_in_one_sentence(form):
    whole = write([NESTED | {"id": n, "text": f"row {n}"} for n in range(40)], form)
    for data in [*mutations(whole, 60), *truncations(whole, 20)]:
        for found in rows_in(f"t.{form}", data, metadata=["meta", "body.parts"]):
            if isinstance(found, DocumentError):
                assert "\n" not in found.reason
                assert "cannot be parsed" not in found.reason
