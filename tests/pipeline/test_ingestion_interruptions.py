"""A run that meets another, is stopped or is taken back: readers see whole documents, and nothing is paid for twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files import write
from paragraphs import PARAGRAPHS, fill
from rows import rows

from relance.errors import IndexBusyError
from relance.index import Index
from relance.pipeline.run_handle import RunHandle
from relance.store import open_store
from relance.store.lock import hold
from relance.store.manifest import Manifest

Make = Callable[..., Index]
Log = Callable[[], list[str]]


def test_two_runs_on_one_index_do_not_overlap(make_index: Make, docs: Path) -> None:
    fill(docs, 2)
    index = make_index()

    with hold(open_store(index.spec), "notes"), pytest.raises(IndexBusyError, match="process"):
        index.ingest()
    assert index.ingest().status == "completed"


def test_racing_runs_leave_one_row_per_chunk(make_index: Make, docs: Path) -> None:
    fill(docs, 8)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            make_index().ingest(wait_s=60)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    fresh = make_index(store={"uri": str(docs.parent / "fresh")})
    fresh.ingest()
    assert rows(make_index()) == rows(fresh)


@pytest.mark.parametrize("failing", ["before chunks", "after chunks"])
def test_an_interrupted_commit_is_repaired_by_the_next_run(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    from relance.store.chunks import ChunkTable

    fill(docs)
    index = make_index()
    index.ingest()
    fill(docs, 8)
    write(docs, "note-2.md", "Only this is left.")
    (docs / "note-5.md").unlink()
    victim, name = (ChunkTable, "replace") if failing == "before chunks" else (Manifest, "upsert")

    def die(*_: object, **__: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(victim, name, die)
        with pytest.raises(SystemExit):
            index.ingest()
    # What changes between the crash and the next run must not hide what the crash left.
    fill(docs, 3)
    (docs / "note-7.md").unlink()
    index.ingest()
    fresh = make_index(store={"uri": str(docs.parent / "fresh")})
    fresh.ingest()
    assert rows(index, vectors=True) == rows(fresh, vectors=True)
    assert index.status().interrupted is None


def test_a_rollback_brings_back_what_an_earlier_run_left(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs, 3)
    index = make_index()
    index.ingest()
    first = rows(index)
    fill(docs, 5)
    write(docs, "note-0.md", "Changed.")
    index.ingest()
    second, paid = rows(index), len(log())
    done = index.rollback()
    assert rows(index) == first
    assert done.chunks == len(first)
    index.ingest()
    assert rows(index) == second
    assert len(log()) == paid, "going forth again costs nothing"
    with pytest.raises(Exception, match="not known"):
        index.rollback("nonsense")


def test_a_stopped_run_keeps_what_it_did_and_the_next_one_goes_on(make_index: Make, docs: Path, log: Log) -> None:
    for i in range(1200):
        write(docs, f"{i % 7}/note-{i}.md", f"{PARAGRAPHS[i % 10]} It is number {i}.")
    handle = RunHandle()
    handle.on_progress = lambda progress: handle.stop.set() if progress.chunks else None
    index = make_index(limits={"batches_in_flight": 1})
    report = index.ingest(handle=handle)
    assert report.status == "stopped"
    assert 0 < report.chunks < 1200
    assert report.removed == 0
    assert index.ingest().status == "completed"
    assert len(rows(index)) == 1200
    assert len(log()) == len(set(log())) == 1200


def test_readers_never_see_half_a_document(make_index: Make, docs: Path) -> None:
    """A reader that polls while a document is replaced over and over sees one generation, whole."""
    generations = [[f"Generation {g}, part {i}: {PARAGRAPHS[i]}" for i in range(6)] for g in range(12)]
    index = make_index(chunking={"max_tokens": 32})
    write(docs, "one.md", *generations[0])
    index.ingest()
    seen: list[set[str]] = []
    done = threading.Event()

    def poll() -> None:
        reader = make_index(chunking={"max_tokens": 32})
        vector = np.ones(64, dtype=np.float32)
        while not done.is_set():
            found = reader.table().search(vector).limit(100).select(["text"]).to_list()
            seen.append({row["text"].split(",")[0][-3:] for row in found if "Generation" in row["text"]} or {"none"})

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        for paragraphs in generations[1:]:
            write(docs, "one.md", *paragraphs)
            index.ingest()
    finally:
        done.set()
        thread.join()
    assert len(seen) > 20
    assert all(len(each) == 1 and each != {"none"} for each in seen)


def test_no_row_ever_lacks_a_vector(make_index: Make, docs: Path) -> None:
    """The best-known trap of this trade: null vectors and exit code 0."""
    fill(docs, 3)
    index = make_index()
    index.ingest()
    table = index.table().to_arrow()
    assert table["vector"].null_count == 0
    vectors = np.array(table["vector"].to_pylist(), dtype=np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
