"""Rows become documents column by column, and come out as each of them would alone."""

import json

import pyarrow as pa
import pytest

from relance.config.load import load_spec
from relance.documents import Item, document_id
from relance.pipeline.fingerprints import Fingerprints
from relance.pipeline.items import items_of
from relance.pipeline.rows import load_rows
from relance.pipeline.tables import DOCUMENTS, table_of
from relance.pipeline.text_reader import open_text_reader

ROWS = [
    {"id": 1, "text": "plain", "name": "n", "path": None, "when": 3},
    {"id": 2, "text": "quotes", "name": 'a "b" \\ c', "path": "its own", "when": 1.5},
    {"id": 3, "text": "letters", "name": "größe 日本", "path": "x\u007fy", "when": None},
    {"id": 4, "text": "nested", "name": {"path": 1, "é": [1, "ü"]}, "path": True, "when": "\\u0041"},
]


@pytest.fixture
def read(tmp_path):
    """The reader of two files of rows, and its items as discovery finds them."""
    (tmp_path / "docs").mkdir()
    for name in ("größe.jsonl", "b.jsonl"):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS)
        (tmp_path / "docs" / name).write_text(lines, encoding="utf-8")

    def open_it(metadata):
        (tmp_path / "index.yaml").write_text(
            "name: rows\nsources: [{type: files, root: docs, rows: {text: text, id: id, metadata: ["
            f"{metadata}]}}}}]\nembedding: {{model: fake/hash}}\nstore: {{uri: db}}\n",
            encoding="utf-8",
        )
        spec = load_spec(tmp_path / "index.yaml")
        reader = open_text_reader(spec, 0)
        found = [table for item in reader.list() if isinstance(item, Item) for table in reader.rows(item)]
        versions = Fingerprints(spec, [reader], tokenizer="words", space="space", split=True)
        return reader, pa.concat_tables(found), versions

    return open_it


def alone(reader, items, versions):
    """What reading and parsing each row makes."""
    documents = [reader.parse(reader.read(item)) for item in items]
    rows = [
        {"doc_id": each.id, "uri": each.uri, "parent": document_id(item.parent), "collection": False,
         "content_hash": each.content_hash, "title": each.title, "chunks": 0, "tokens": 0, **versions.versions(item)}
        for each, item in zip(documents, items, strict=True)
    ]  # fmt: skip
    return table_of(documents, rows)


@pytest.mark.parametrize("metadata", ["", "name", "path, name", "when, path, name"])
def test_rows_come_out_as_each_alone(read, metadata):
    reader, items, versions = read(metadata)
    documents, touched = load_rows(items, DOCUMENTS.empty_table(), versions, full=False)
    assert documents.num_rows == 8
    assert touched.num_rows == 0
    assert documents.to_pylist() == alone(reader, items_of(items), versions).to_pylist()


def test_only_what_really_changed_is_split(read):
    reader, items, versions = read("name")
    manifest = alone(reader, items_of(items), versions).select(DOCUMENTS.names)
    changed = pa.array([f"old{at}" if at in {1, 5} else each for at, each in enumerate(items["version"].to_pylist())])
    manifest = manifest.set_column(manifest.column_names.index("content_hash"), "content_hash", changed)
    stale = manifest.set_column(manifest.column_names.index("marker"), "marker", pa.array([0] * 8, pa.int64()))
    documents, touched = load_rows(items, stale.slice(0, 7), versions, full=False)
    assert [each.as_py() for each in documents["uri"]] == [items["uri"][at].as_py() for at in (1, 5, 7)]
    assert touched["marker"].to_pylist() == [manifest["marker"][at].as_py() for at in (0, 2, 3, 4, 6)]
    documents, touched = load_rows(items, stale, versions, full=True)
    assert (documents.num_rows, touched.num_rows) == (8, 0)
