"""Discovery compares many documents at a time, and misses none."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from relance.config import FilesSource
from relance.documents import Item, document_id
from relance.parsers import installed_parsers
from relance.pipeline.discovery import Discovery
from relance.pipeline.items import items_of
from relance.pipeline.text_reader import TextReader
from relance.sources import SourceContext
from relance.sources.files import Files
from relance.store import Store, schemas
from relance.store.manifest import Manifest, marker

SOME = 2345  # more than are compared at a time


class Home:
    """Two sources that may have the same folder, and a manifest of what was found."""

    def __init__(self, folder: Path, store: Store, exits: ExitStack) -> None:
        self.docs, self.store, self.exits = folder / "docs", store, exits
        self.docs.mkdir()

    def write(self, rows: dict[str, str], name: str = "t.jsonl") -> None:
        lines = (json.dumps({"id": key, "text": text}, ensure_ascii=False) for key, text in rows.items())
        (self.docs / name).write_text("\n".join(lines), encoding="utf-8")

    def discover(self, sources: int = 1, **options: Any) -> tuple[Discovery, list[Item]]:
        """Compare, and put what was found into the manifest; returns the candidates."""
        section = FilesSource.model_validate({"type": "files", "root": self.docs, "rows": {}})
        readers = [TextReader(Files(section, SourceContext(self.docs, n)), installed_parsers()) for n in range(sources)]
        manifest = Manifest(self.store, "t")
        found = Discovery(readers, manifest.snapshot(), manifest, lambda item: item.media_type, **options)
        self.exits.callback(found.close)
        found.run()
        items = [item for table in found.batches() for item in items_of(table)]
        known = [known for table in found.batches() for known in table["known"].to_pylist()]
        assert len(items) == found.candidates
        assert sum(known) == found.known
        rows = [
            {"doc_id": document_id(item.uri), "uri": item.uri, "collection": item.collection,
             "parent": document_id(item.parent) if item.parent else None,
             "version": item.version, "marker": marker(item.version, item.media_type)}
            for item in [*items, *found.collections]
        ]  # fmt: skip
        table = self.store.create("t__documents", schemas.DOCUMENTS)
        merge = table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(pa.Table.from_pylist(rows, schemas.DOCUMENTS))
        return found, items


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with ExitStack() as exits:
        yield Home(tmp_path, Store(str(tmp_path / "db"), storage_options={}, api_key=""), exits)


@pytest.fixture
def rows(home: Home) -> dict[str, str]:
    """Write many rows, and have them found."""
    rows = {f"r{n}": f"Text {n}." for n in range(SOME)}
    home.write(rows)
    found, items = home.discover()
    assert [(item.uri, item.row and item.row["text"]) for item in items] == [
        (f"t.jsonl#{key}", text) for key, text in rows.items()
    ]
    assert (found.unchanged, found.known, len(found.removed), found.failures) == (0, 0, 0, [])
    assert [item.uri for item in found.collections] == ["t.jsonl"]
    return rows


def test_of_many_rows_those_that_changed_are_found(home: Home, rows: dict[str, str]) -> None:
    found, items = home.discover()
    assert (items, found.unchanged, found.collections) == ([], SOME, [])
    assert not found.removed
    del rows["r7"], rows["r2000"]
    home.write(rows | {"r1500": "Another text.", "new": "New."})
    found, items = home.discover()
    assert [item.uri for item in items] == ["t.jsonl#r1500", "t.jsonl#new"]
    assert (found.unchanged, found.known) == (SOME - 3, 1)
    assert sorted(found.removed) == sorted(document_id(f"t.jsonl#{key}") for key in ("r7", "r2000"))
    assert found.removed.documents == 2


def test_what_is_named_is_looked_at_and_nothing_else(home: Home, rows: dict[str, str]) -> None:
    home.write({key: f"{text} Changed." for key, text in rows.items() if key != "r3"})
    found, items = home.discover(only=frozenset({"t.jsonl#r1000", "t.jsonl#r3"}))
    assert [item.uri for item in items] == ["t.jsonl#r1000"]
    assert list(found.removed) == [document_id("t.jsonl#r3")]
    assert (found.unchanged, found.collections) == (SOME - 2, [])


def test_a_full_run_takes_all(home: Home, rows: dict[str, str]) -> None:
    found, items = home.discover(full=True)
    assert len(items) == found.known == SOME
    assert Counter(item.uri for item in items).most_common(1)[0][1] == 1


def test_a_row_that_cannot_be_read_keeps_what_is_indexed(home: Home, rows: dict[str, str]) -> None:
    lines = (home.docs / "t.jsonl").read_text(encoding="utf-8").splitlines()
    lines[5], lines[1999] = '{"id": "r5", ', '{"id": "r1999", "text": {"x": 1}}'
    (home.docs / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found, items = home.discover()
    assert [failure.uri for failure in found.failures] == ["t.jsonl#line-6", "t.jsonl#r1999"]
    assert not items
    assert not found.removed
    (home.docs / "t.jsonl").write_bytes(b"\x89PNG\0\0" * 99)
    found, items = home.discover()
    assert [failure.uri for failure in found.failures] == ["t.jsonl"]
    assert found.unchanged == SOME
    assert not found.removed


def test_what_two_sources_have_is_found_once(home: Home, rows: dict[str, str]) -> None:
    for n in range(SOME):
        (home.docs / f"{n}.md").write_text(f"# Note {n}", encoding="utf-8")
    found, items = home.discover(sources=2)
    assert sorted(item.uri for item in items) == sorted(f"{n}.md" for n in range(SOME))
    assert found.unchanged == SOME
    (home.docs / "3.md").write_text("# Another", encoding="utf-8")
    (home.docs / "4.md").unlink()
    found, items = home.discover(sources=2)
    assert [(item.uri, item.source) for item in items] == [("3.md", 0)]
    assert found.unchanged == 2 * SOME - 2
    assert list(found.removed) == [document_id("4.md")]


def test_all_that_is_gone_can_be_counted_and_cut(home: Home, rows: dict[str, str]) -> None:
    (home.docs / "t.jsonl").rename(home.docs / "u.jsonl")
    found, _ = home.discover()
    gone = found.removed
    ids = {document_id("t.jsonl"), *(document_id(f"t.jsonl#{key}") for key in rows)}
    assert set(gone) == ids
    assert (len(gone), gone.documents) == (SOME + 1, SOME)
    assert gone[:1000] + gone[1000:2000] + gone[2000:] == list(gone)
    assert (gone[0], gone[-1]) == (next(iter(gone)), list(gone)[-1])
    with pytest.raises(IndexError):
        gone[len(gone)]
