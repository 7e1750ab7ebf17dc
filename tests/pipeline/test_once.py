"""Once: a run lists its sources, and reads, parses and splits each document, one time, whatever is asked before it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_emulator import Service, embedding_for, emulating
from files import fill
from rows import rows

from relance import chunkers
from relance.documents import Content, Document, Ignored, Item
from relance.errors import DocumentError
from relance.index import Index
from relance.media.loader import MediaLoader
from relance.pipeline.run_handle import RunHandle
from relance.pipeline.text_reader import TextReader
from relance.sources.files import Files
from relance.store.manifest import Manifest

Make = Callable[..., Index]

PRICED = {"model": "fake/hash", "price_per_million_tokens": 1000.0}
EACH = {f"docs/{at}.md": 1 for at in range(30)}


class Counted:
    """How often each thing was done."""

    def __init__(self) -> None:
        self.listings = 0
        self.reads: Counter[str] = Counter()
        self.parses: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()

    def check(self, documents: dict[str, int]) -> None:
        """Everything was done once to each document."""
        assert self.listings == 1
        assert dict(self.reads) == dict(self.parses) == dict(self.splits) == documents


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Count from now on."""
    done, lock = Counted(), threading.Lock()
    listing, reading, parsing, splitting = Files.list, Files.read, TextReader.parse, chunkers.chunk_documents

    def add(counter: Counter[str], *uris: str) -> None:
        with lock:
            counter.update(uris)

    def count_list(self: Files) -> Iterator[Item | DocumentError | Ignored]:
        done.listings += 1
        return listing(self)

    def count_read(self: Files, item: Item) -> Content:
        add(done.reads, item.uri)
        return reading(self, item)

    def count_parse(self: TextReader, content: Content) -> Document:
        add(done.parses, content.item.uri)
        return parsing(self, content)

    def count_split(documents: list[Document], *rest: Any) -> Any:
        add(done.splits, *(each.uri for each in documents))
        return splitting(documents, *rest)

    monkeypatch.setattr(Files, "list", count_list)
    monkeypatch.setattr(Files, "read", count_read)
    monkeypatch.setattr(TextReader, "parse", count_parse)
    monkeypatch.setattr(chunkers, "chunk_documents", count_split)
    return done


@pytest.mark.parametrize("limits", [
    {}, {"max_cost_usd": 100}, {"approve_above_usd": 0.001}, {"max_cost_usd": 100, "approve_above_usd": 0.001},
])  # fmt: skip
@pytest.mark.parametrize("approval", ["given", "called"])
def test_each_document_is_looked_at_once(
    make_index: Make, docs: Path, counted: Counted, limits: dict[str, float], approval: str
) -> None:
    fill(docs, 30)
    index = make_index(embedding=PRICED, limits={"batch_documents": 7, **limits})
    handle = RunHandle()
    handle.approve = lambda _: True
    report = index.ingest(approved=True) if approval == "given" else index.ingest(handle=handle)
    assert (report.status, report.added) == ("completed", 30)
    counted.check(EACH)


def test_an_index_with_readers_that_is_asked_about_is_looked_at_once(
    make_index: Make, docs: Path, counted: Counted
) -> None:
    fill(docs, 60)
    index = make_index(limits={"batch_documents": 7})
    index.ingest()
    counted.__init__()
    for at in range(30, 60):
        (docs / f"{at}.md").unlink()
    fill(docs, 30, "second")
    handle = RunHandle()
    handle.approve = lambda _: True
    report = index.ingest(handle=handle)
    assert (report.changed, report.removed) == (30, 30)
    counted.check(EACH)


def test_a_run_that_another_one_overtakes_while_a_person_is_asked_looks_again(
    make_index: Make, docs: Path, counted: Counted
) -> None:
    fill(docs, 30)
    (docs / "broken.md").write_bytes(bytes(range(256)))
    index = make_index(embedding=PRICED, limits={"batch_documents": 7, "approve_above_usd": 0.001})
    asked: list[int] = []

    def approve(preview: Any) -> bool:
        asked.append(preview.plan.added)
        if len(asked) == 1:
            other = index.ingest(approved=True)  # the index is free meanwhile
            assert (other.added, other.failed) == (30, 1)
            fill(docs, 2, "second")
        return True

    handle = RunHandle()
    handle.approve = approve
    report = index.ingest(handle=handle)
    assert report.status == "completed with failures"
    assert (report.added, report.changed, report.unchanged, report.failed) == (0, 2, 28, 1)
    assert [failure.uri for failure in report.failures] == ["docs/broken.md"]
    assert index.status().documents == 30
    assert len(index.failures()) == 1


def test_a_run_whose_index_nobody_touches_while_a_person_is_asked_looks_once(
    make_index: Make, docs: Path, counted: Counted
) -> None:
    fill(docs, 30)
    index = make_index(embedding=PRICED, limits={"approve_above_usd": 0.001})
    other = make_index(name="others", embedding=PRICED)
    handle = RunHandle()
    handle.approve = lambda _: other.ingest(approved=True).status == "completed"
    report = index.ingest(handle=handle)
    assert (report.added, report.embedded) == (30, 0), "the other index has bought the same texts meanwhile"
    assert counted.listings == 2
    assert set(counted.reads.values()) == set(counted.splits.values()) == {2}


def test_a_run_that_was_killed_while_a_person_was_asked_is_repaired(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(docs, 30)
    index = make_index(embedding=PRICED, limits={"batch_documents": 7, "approve_above_usd": 0.001})
    index.ingest(approved=True)
    fill(docs, 30, "second")

    def die(*_: object, **__: object) -> None:
        raise SystemExit(9)

    def approve(_: Any) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr(Manifest, "upsert", die)
            with pytest.raises(SystemExit):
                index.ingest(approved=True)
        fill(docs, 30)  # back to what the manifest still says
        return True

    handle = RunHandle()
    handle.approve = approve
    assert index.ingest(handle=handle).status == "completed"
    fresh = make_index(store={"uri": str(docs.parent / "fresh")})
    fresh.ingest()
    assert rows(index) == rows(fresh)


@pytest.mark.parametrize("limits", [{}, {"approve_above_usd": 0.0}, {"max_cost_usd": 100}])
def test_media_are_listed_and_fetched_once(
    gallery: Any, counted: Counted, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]
) -> None:
    for i in range(6):
        gallery.paint(f"pics/{i}.png", f"rgb({i},0,0)")
        gallery.write(f"docs/{i}.md", f"Words of note {i}.")
    loaded: Counter[str] = Counter()
    real = MediaLoader.load

    def load(self: MediaLoader, requests: list[Any]) -> Any:
        loaded.update(each.uri for each in requests)
        return real(self, requests)

    monkeypatch.setattr(MediaLoader, "load", load)
    index = gallery.index(limits=limits)
    sources = len(index.spec.sources)
    report = index.ingest(approved=True)
    assert (report.added, report.media.added) == (6, 6)
    assert counted.listings == 2 * sources, "by the texts and by the media"
    assert set(counted.parses.values()) == set(counted.splits.values()) == {1}
    assert loaded == Counter({f"pics/{i}.png": 1 for i in range(6)})


@pytest.mark.parametrize("limits", [{}, {"max_cost_usd": 100}])
def test_a_run_that_orders_batches_looks_at_each_document_once(
    make_index: Make, docs: Path, counted: Counted, limits: dict[str, float]
) -> None:
    fill(docs, 30)
    with emulating() as url:
        index = make_index(embedding=embedding_for(Service(url)), limits={"batch_documents": 7, **limits})
        report = index.ingest()
    assert (report.status, report.added) == ("completed", 30)
    counted.check(EACH)
