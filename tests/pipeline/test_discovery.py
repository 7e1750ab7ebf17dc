"""Discovery gives its batches while it still lists."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relance.documents import Item, document_id
from relance.errors import ConfigurationError, DocumentError
from relance.pipeline.discovery import Discovery
from relance.pipeline.items import ITEMS, items_of
from relance.sources import Location
from relance.store import Store
from relance.store.manifest import Manifest

WAIT_S = 20


class Listing:
    """A source that lists what it has, and stops at a gate until the test opens it."""

    def __init__(self, items: list[Item], gate: threading.Event, error: Exception | None = None) -> None:
        self.items, self.gate, self.error = items, gate, error

    def list(self, only: frozenset[str] = frozenset()) -> Iterator[Item | DocumentError]:
        half = len(self.items) // 2
        yield from self.items[:half]
        assert self.gate.wait(WAIT_S)
        if self.error is not None:
            raise self.error
        yield from self.items[half:]

    def rows(self, collection: Item, names: frozenset[str] = frozenset()) -> Iterator[Item | DocumentError]:
        raise NotImplementedError

    def location(self, uri: str = "") -> Location | None:
        return Location(uri or "a place")

    def parser_version(self, media_type: str) -> str:
        return media_type


Discover = Callable[..., Discovery]


@pytest.fixture
def discover(tmp_path: Path) -> Iterator[Discover]:
    """Make discoveries of one source, for an index that has nothing."""
    manifest = Manifest(Store(str(tmp_path / "db"), storage_options={}, api_key=""), "t")
    with ExitStack() as stack:

        def make(source: Listing, **options: Any) -> Discovery:
            made = Discovery([source], manifest.snapshot(), manifest, lambda item: item.media_type, **options)
            stack.callback(made.close)
            return made

        yield make


FILES = [Item(f"docs/{n}.md", f"v{n}", "text/markdown", 10) for n in range(100)]
ROWS = [
    Item("t.jsonl#é", "v", "application/x-ndjson", 3, 1, parent="t.jsonl",
         row={"text": "one", "title": "", "metadata": {"b": 1, "a": [None, "ü"]}}),
    Item("t.csv#1", "v", "text/csv", 0, 2, parent="t.csv", live=True, row={"urls": ["a.png"], "caption": ""}),
    Item("a.md", "v", "text/markdown", 7),
]  # fmt: skip


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def opened(gate: threading.Event) -> threading.Event:
    gate.set()
    return gate


def test_items_come_back_as_they_were(opened: threading.Event, discover: Discover) -> None:
    found = discover(Listing(ROWS, opened))
    found.run()
    tables = list(found.batches())
    assert [item for table in tables for item in items_of(table)] == ROWS
    assert all(table.schema == ITEMS for table in tables)
    ids = [doc_id for table in tables for doc_id in table["doc_id"].to_pylist()]
    assert ids == [document_id(item.uri) for item in ROWS]
    metadata = [item.row["metadata"] for table in tables for item in items_of(table)[:1] if item.row]
    assert list(metadata[0]) == ["b", "a"]  # in the order of the spec, which the index shows


def test_a_batch_is_there_while_the_source_still_lists(gate: threading.Event, discover: Discover) -> None:
    found = discover(Listing(FILES, gate), batch_items=16)
    thread = threading.Thread(target=found.run)
    thread.start()
    batches = found.batches()
    first = next(batches)
    assert thread.is_alive()
    assert first.num_rows == 16
    gate.set()
    sizes = [first.num_rows, *(table.num_rows for table in batches)]
    thread.join()
    assert sum(sizes) == found.candidates == 100
    assert max(sizes) == 16
    assert len(sizes) == found.spooled
    again = [item for table in found.batches() for item in items_of(table)]
    assert again == FILES
    found.close()
    assert list(found.batches()) == []


def test_batches_are_bounded_in_bytes_too(opened: threading.Event, discover: Discover) -> None:
    large = [replace(item, size=400 if n == 50 else 30) for n, item in enumerate(FILES)]
    found = discover(Listing(large, opened), batch_bytes=100)
    found.run()
    sizes = [table["size"].to_pylist() for table in found.batches()]
    assert sum(sizes[0]) < 100 / 2  # so that embedding starts early
    assert all(sum(each) <= 100 or each == [400] for each in sizes)
    assert max(map(len, sizes)) == 3
    assert [size for each in sizes for size in each] == [item.size for item in large]


def test_what_run_raises_is_raised_by_those_who_read(gate: threading.Event, discover: Discover) -> None:
    found = discover(Listing(FILES, gate, ConfigurationError("not mounted")), batch_items=16)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.run()
        except ConfigurationError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    batches = found.batches()
    next(batches)
    gate.set()
    with pytest.raises(ConfigurationError, match="not mounted"):
        list(batches)
    thread.join()
    assert len(raised) == 1
    assert not found.complete


def test_stopping_ends_both(gate: threading.Event, discover: Discover) -> None:
    stop = threading.Event()
    found = discover(Listing(FILES, gate), batch_items=16, stopped=stop.is_set)
    thread = threading.Thread(target=found.run)
    thread.start()
    batches = found.batches()
    next(batches)
    stop.set()
    assert list(batches) == []  # although the source hangs
    gate.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert not found.complete


def test_closing_ends_a_run_that_still_lists(gate: threading.Event, discover: Discover) -> None:
    found = discover(Listing(FILES, gate), batch_items=16)
    thread = threading.Thread(target=found.run)
    thread.start()
    next(found.batches())
    found.close()
    gate.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert not found.complete
