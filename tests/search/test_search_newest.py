"""Tables stay open between searches, and yet each search sees the newest version, whoever wrote it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.index import Index
from relance.store import open_store
from relance.store.catalog import Catalog

INGESTS = """
import json, sys
from relance.config import IndexSpec
from relance.index import Index
for line in sys.stdin:
    report = Index(IndexSpec.model_validate(json.loads(line))).ingest(approved=True)
    print(report.status, flush=True)
"""


class OtherProcess:
    """A process that runs what it is given."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ingest(self, declared: dict[str, Any]) -> None:
        """Run an index there, and wait until it is through."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(declared) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "completed\n"


@pytest.fixture(scope="module")
def other() -> Iterator[OtherProcess]:
    """Another process, ready to run indexes."""
    with subprocess.Popen([sys.executable, "-c", INGESTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
        yield OtherProcess(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def declared(tmp_path: Path, docs: Path) -> dict[str, Any]:
    """An index of one document about a ferry."""
    (docs / "a.md").write_text("A ferry over the river.\n", encoding="utf-8")
    return {"name": "notes", "sources": [{"type": "files", "root": str(docs)}], "embedding": {"model": "fake/hash"},
            "store": {"uri": str(tmp_path / "db")}, "folder": str(tmp_path)}  # fmt: skip


def texts(index: Index, question: str = "ferry", **asked: Any) -> set[str]:
    return {hit.text.strip() for hit in index.search(question, **asked)}


def test_a_run_of_another_process_is_seen_by_the_next_search(
    declared: dict[str, Any], docs: Path, other: OtherProcess
) -> None:
    other.ingest(declared)
    index = Index(IndexSpec.model_validate(declared))
    assert texts(index) == {"A ferry over the river."}
    for number in range(3):
        (docs / "b.md").write_text(f"A ferry, number {number}.\n", encoding="utf-8")
        other.ingest(declared)
        assert texts(index) == {"A ferry over the river.", f"A ferry, number {number}."}
    (docs / "b.md").unlink()
    other.ingest(declared)
    assert texts(index) == {"A ferry over the river."}


def test_another_table_that_serves_is_searched_at_once(
    declared: dict[str, Any], docs: Path, other: OtherProcess
) -> None:
    other.ingest(declared)
    index = Index(IndexSpec.model_validate(declared))
    with index:
        first = index.search("ferry", explain=True).explanation
        assert first is not None
        (docs / "a.md").write_text("A ferry in another space.\n", encoding="utf-8")
        other.ingest(declared | {"embedding": {"model": "fake/hash", "dimension": 32}})
        second = index.search("ferry", explain=True).explanation
        assert second is not None
        assert texts(index) == {"A ferry in another space."}
    assert first.table != second.table == index.table().name


@pytest.mark.parametrize("runs", [1, 2])
def test_a_store_that_was_built_anew_is_searched_although_its_versions_have_the_same_numbers(
    declared: dict[str, Any], docs: Path, other: OtherProcess, runs: int
) -> None:
    other.ingest(declared)
    index = Index(IndexSpec.model_validate(declared))
    assert texts(index) == {"A ferry over the river."}
    assert texts(index, filter='tag = "x"') == set()
    version = index.table().version
    shutil.rmtree(declared["store"]["uri"])
    with pytest.raises(ConfigurationError, match="run `relance ingest` first"):
        index.search("ferry")
    for number in range(runs):
        (docs / "a.md").write_text(f"---\ntag: x\n---\nThe lighthouse, number {number}.\n", encoding="utf-8")
        other.ingest(declared)
    assert runs > 1 or index.table().version == version, "else this test shows little"
    assert any("lighthouse" in text for text in texts(index, "lighthouse", mode="full-text"))
    assert any("lighthouse" in text for text in texts(index, "lighthouse", filter='tag = "x"'))
    assert not any("river" in text for text in texts(index))


def test_an_index_that_comes_into_being_is_found(declared: dict[str, Any], other: OtherProcess) -> None:
    index = Index(IndexSpec.model_validate(declared))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="run `relance ingest` first"):
            index.search("ferry")
    other.ingest(declared)
    assert texts(index) == {"A ferry over the river."}


def test_a_version_that_is_pruned_while_it_is_searched_is_searched_in_the_next_one(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of what was found are deleted before its columns are read."""
    from relance.search import hybrid_query

    for number in range(8):
        (docs / f"{number}.md").write_text(f"The ferry number {number}.\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    index.search("ferry")
    best, searched = hybrid_query.HybridQuery.best, []

    def prune(self: Any, *arguments: Any) -> Any:
        found = best(self, *arguments)
        searched.append(self)
        if len(searched) == 1:
            (docs / "7.md").write_text("Another ferry.\n", encoding="utf-8")
            index.ingest()
            index.table().optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)
        return found

    monkeypatch.setattr(hybrid_query.HybridQuery, "best", prune)
    hits = index.search("ferry number", k=20, group=True)
    assert len(searched) == 2
    assert {hit.uri for hit in hits} == {f"docs/{number}.md" for number in range(8)}
    assert "Another ferry." in {hit.text for hit in hits}


@pytest.mark.long
def test_a_search_sees_one_version_whatever_is_written_meanwhile(make_index: Callable[..., Index], docs: Path) -> None:
    """Every document says the same number, and changes it in one commit: a page with two numbers is a mixture."""

    def write(number: int) -> None:
        for name in range(6):
            (docs / f"{name}.md").write_text(f"The ferry leaves at {number}.\n", encoding="utf-8")

    write(0)
    index = make_index()
    index.ingest()
    seen: list[set[str]] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            seen.append(texts(index, "ferry leaves", k=50))

    thread = threading.Thread(target=search)
    thread.start()
    try:
        for number in range(1, 5):
            write(number)
            make_index().ingest()
    finally:
        done.set()
        thread.join()
    assert {len(found) for found in seen} == {1}
    assert len({next(iter(found)) for found in seen}) > 1
    assert texts(index, "ferry leaves", k=50) == {"The ferry leaves at 4."}


def test_the_catalog_is_read_again_when_another_index_of_the_store_changes_it(
    make_index: Callable[..., Index], docs: Path
) -> None:
    (docs / "a.md").write_text("A ferry.\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    assert texts(index) == {"A ferry."}
    Catalog(open_store(index.spec)).put("index/other", {"table": "other__0", "previous": None}, expected=None)
    assert texts(index) == {"A ferry."}
    make_index(name="more").ingest()
    assert texts(make_index(name="more")) == {"A ferry."} == texts(index)


def paused(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Let runs stop after their second commit, before anything is tidied; returns when one did, and what lets it go on."""
    from relance.store.writer import Writer

    there, go_on, tidy = threading.Event(), threading.Event(), Writer.tidy

    def wait(self: Writer, *, bought: int) -> None:
        self.flush()
        there.set()
        assert go_on.wait(30)
        tidy(self, bought=bought)

    monkeypatch.setattr(Writer, "tidy", wait)
    return there, go_on


def test_no_search_sees_half_of_a_run_and_the_first_after_its_end_sees_all_of_it(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("A ferry.\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    (docs / "a.md").write_text("Another ferry.\n", encoding="utf-8")
    (docs / "b.md").write_text("A new ferry.\n", encoding="utf-8")
    there, go_on = paused(monkeypatch)
    run = threading.Thread(target=make_index().ingest)
    run.start()
    try:
        assert there.wait(30)
        assert index.table().count_rows() == 2, "all of it is written"
        assert texts(index) == {"A ferry."} == texts(make_index())
    finally:
        go_on.set()
        run.join()
    assert texts(index) == {"Another ferry.", "A new ferry."} == texts(make_index())


def test_a_run_that_was_cut_short_is_seen_when_the_next_one_has_finished_it(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.store.writer import Writer

    (docs / "a.md").write_text("A ferry.\n", encoding="utf-8")
    index = make_index()
    index.ingest()

    def dies(self: Writer, **_: Any) -> None:
        self.flush()
        raise KeyboardInterrupt

    for name in ("b", "c"):
        (docs / f"{name}.md").write_text(f"A ferry {name}.\n", encoding="utf-8")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Writer, "tidy", dies)
            make_index().ingest()
        assert texts(index) == {"A ferry."}
    make_index().ingest()
    assert texts(index) == {"A ferry.", "A ferry b.", "A ferry c."}


def test_the_first_run_is_searched_while_it_grows(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("A ferry.\n", encoding="utf-8")
    index = make_index()
    there, go_on = paused(monkeypatch)
    run = threading.Thread(target=make_index().ingest)
    run.start()
    try:
        assert there.wait(30)
        assert texts(index) == texts(index, mode="dense") == {"A ferry."}
        with pytest.raises(ConfigurationError, match="no full-text index yet"):
            index.search("ferry", mode="full-text")
    finally:
        go_on.set()
        run.join()
    assert texts(index, mode="full-text") == {"A ferry."}


def test_where_what_a_run_found_is_pruned_readers_see_what_there_is(
    make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("A ferry.\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    assert texts(index) == {"A ferry."}
    (docs / "a.md").write_text("Another ferry.\n", encoding="utf-8")
    there, go_on = paused(monkeypatch)
    run = threading.Thread(target=make_index().ingest)
    run.start()
    try:
        assert there.wait(30)
        time.sleep(0.05)
        index.table().optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)
        assert texts(index) == {"Another ferry."} == texts(make_index())
    finally:
        go_on.set()
        run.join()
    assert texts(index) == {"Another ferry."}
