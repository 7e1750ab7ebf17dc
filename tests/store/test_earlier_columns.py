"""A table that an earlier version made, without columns of today's, goes on working; the next run that writes adds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import pytest
from lancedb.index import FTS

from relance.explore.index_reader import IndexReader
from relance.index import Index
from relance.parsers import Parsed, Parser, Raw
from relance.store import open_store
from relance.store.chunks import ChunkTable

Make = Callable[..., Index]

NEW = ["page_end", "lead", "words"]


class Paged(Parser):
    """Pages that are apart by a form feed."""

    version = "1"
    media_types = ("text/x-paged",)
    suffixes: ClassVar = {"paged": "text/x-paged"}

    def parse(self, raw: Raw) -> Parsed:
        pages = raw.data.decode().split("\f")
        begins = [sum(len(page) + 1 for page in pages[:at]) for at in range(len(pages))]
        return Parsed("\n".join(pages), pages=tuple(begins))


@pytest.fixture
def index(make_index: Make, docs: Path) -> Index:
    """An index of a document of four pages, the last of which takes several chunks."""
    (docs / "report.paged").write_text("Intake.\fPumps.\fValves.\f" + "The ferry leaves at noon. " * 9)
    return Index(make_index(chunking={"max_tokens": 32}).spec, parsers={"paged": Paged})


def as_before(index: Index, columns: Iterable[str] = NEW) -> None:
    """Take away what the tables of an earlier version had not, and index the words of the text as that did."""
    index.table().drop_columns(list(columns))
    index.table().create_index("text", config=FTS(base_tokenizer="icu", stem=True, remove_stop_words=False))


def pages_of(index: Index) -> list[tuple[int | None, int | None]]:
    return [(hit.page, hit.page_end) for hit in sorted(index.search("ferry valves"), key=lambda hit: hit.start)]


def test_a_chunk_knows_the_pages_it_begins_and_ends_on(index: Index) -> None:
    index.ingest()
    assert pages_of(index)[0] == (1, 4)
    assert pages_of(index)[-1] == (4, 4)


def test_readers_cope_with_a_table_of_an_earlier_version(index: Index) -> None:
    index.ingest()
    as_before(index)
    hits = index.search("valves")
    assert [(hits[0].page, hits[0].page_end, hits[0].lead)] == [(1, None, "")]
    assert index.search("valves", group=True)[0].uri.endswith("report.paged")
    reader = IndexReader(index)
    document = reader.documents().first("uri", hits[0].uri)
    assert document is not None
    assert next(chunk["page"] for chunk in reader.chunks(document, 1).rows) == 1
    assert json.dumps(hits.to_list())


def test_a_run_that_writes_adds_the_columns(index: Index, docs: Path) -> None:
    index.ingest()
    as_before(index)
    report = index.ingest()
    assert report.unchanged == 1
    assert not set(NEW) & set(index.table().schema.names), "a run that has nothing to write leaves a table alone"
    (docs / "new.paged").write_text("Salt.\fPepper.")
    index.ingest()
    assert set(NEW) < set(index.table().schema.names)
    assert [(hit.page, hit.page_end) for hit in index.search("salt pepper", filter="page_end = 2")] == [(1, 2)]
    assert pages_of(index)[-1] == (4, None), "what was not read again keeps its rows"
    assert [each.columns for each in index.table().list_indices()] == [["words"]], "text had one, which is not needed"
    assert "valves" in index.search("valves", mode="full-text")[0].text.lower(), "and is found as before"
    index.ingest(full=True)
    assert {(1, 4), (4, 4)} <= set(pages_of(index))


def test_a_document_is_replaced_in_a_table_of_an_earlier_version(index: Index, docs: Path) -> None:
    index.ingest()
    as_before(index)
    (docs / "report.paged").write_text("Intake.\fPumps.")
    index.ingest()
    assert pages_of(index) == [(1, 2)]
    assert index.table().count_rows() == 1


def test_a_rollback_to_a_version_without_the_columns_is_no_dead_end(index: Index, docs: Path) -> None:
    first = index.ingest()
    as_before(index)
    (docs / "new.paged").write_text("Salt.\fPepper.")
    index.ingest()
    (docs / "newer.paged").write_text("Sugar.\fFlour.")
    index.ingest()
    index.rollback(first.run_id)
    index.ingest(full=True)
    assert {(1, 2), (1, 4), (4, 4)} <= {(hit.page, hit.page_end) for hit in index.search("ferry salt sugar", k=50)}


def test_columns_are_added_once(index: Index) -> None:
    index.ingest()
    store = open_store(index.spec)
    today = index.table().schema
    as_before(index)
    table = ChunkTable(store, index.table().name, today)
    version = table.version
    assert len({id(table.create()) for _ in range(3)}) == 1
    added = table.version
    assert added > version
    assert ChunkTable(store, table.name, today).create().version == added
