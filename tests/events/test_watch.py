"""Watching real folders."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from files import put

from relance.config import IndexSpec
from relance.errors import ConfigurationError, RetryableError
from relance.events import Change, merge
from relance.events.watch import watch

QUIET_S, LONGEST_S = 0.4, 2.0
EVERYTHING = Change("notes", everything=True)
ALL_OF_DOCS = Change("notes", "docs", everything=True)


class Watching:
    """A watch in a thread, and the events it sends."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        declared = {"name": "notes", "sources": [{"type": "files", "root": "docs"}], "folder": folder}
        self.spec = IndexSpec.model_validate(declared | sections)
        self.events: list[Change] = []
        self.away = False
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        watch(self.spec, self._emit, stop=self.stop, debounce_s=QUIET_S, longest_s=LONGEST_S)

    def _emit(self, change: Change) -> None:
        if self.away:
            raise RetryableError("the server is away")
        self.events.append(change)

    def wait(self, count: int, timeout_s: float = 20.0) -> list[Change]:
        """Wait for so many events."""
        deadline = time.monotonic() + timeout_s
        while len(self.events) < count:
            assert time.monotonic() < deadline, f"got {self.events}"
            assert self.thread.is_alive()
            time.sleep(0.02)
        return self.events

    def settle(self, *, nothing: bool = False) -> list[Change]:
        """Wait until what has happened must have been told, if anything; returns the events and forgets them."""
        if not nothing:
            self.wait(1)
        time.sleep(QUIET_S + 0.8)
        events, self.events = self.events, []
        return events


@contextlib.contextmanager
def watching(folder, **sections):
    """Watch, past the first event."""
    running = Watching(folder, **sections)
    running.thread.start()
    try:
        assert running.wait(1) == [EVERYTHING]
        running.events.clear()
        yield running
    finally:
        running.stop.set()
        running.thread.join(20)
    assert not running.thread.is_alive()


def touch(*paths: Path) -> None:
    for path in paths:
        put(path)


def only(events: list[Change]) -> Change:
    """Put events that a busy machine made of one burst together."""
    assert events
    return merge(events)


def test_a_file_that_is_written_changed_and_removed(tmp_path, docs):
    touch(docs / "old.md")
    with watching(tmp_path) as running:
        touch(docs / "new.md")
        assert only(running.wait(1)) == Change("notes", "docs", ("docs/new.md",))
        running.settle()
        with (docs / "old.md").open("a") as file:
            file.write("more")
        (docs / "new.md").unlink()
        assert only(running.settle()) == Change("notes", "docs", ("docs/old.md",), ("docs/new.md",))


def test_a_file_that_is_renamed_is_removed_and_new(tmp_path, docs):
    touch(docs / "old.md")
    with watching(tmp_path) as running:
        (docs / "old.md").rename(docs / "new.md")
        assert only(running.settle()) == Change("notes", "docs", ("docs/new.md",), ("docs/old.md",))


@pytest.mark.slow
def test_a_thousand_changes_are_a_few_events_and_none_is_lost(tmp_path, docs):
    with watching(tmp_path) as running:
        expected, began = set(), time.monotonic()
        for number in range(1000):
            name = f"{number % 7}/{number % 3}/{number}.md"  # folders that appear while it goes on
            touch(docs / name)
            expected.add(f"docs/{name}")
            time.sleep(0.003)
        deadline = time.monotonic() + 20
        while {uri for change in running.events for uri in change.changed} != expected and time.monotonic() < deadline:
            time.sleep(0.1)
        events = running.settle()
    assert len(events) <= (time.monotonic() - began) / LONGEST_S + 2
    assert {uri for change in events for uri in change.changed} == expected
    assert not any(change.removed or change.everything for change in events)


def test_what_is_put_into_a_new_folder_at_once_is_found(tmp_path, docs):
    outside = tmp_path / "outside"
    touch(*(outside / f"{number}" / "deep" / "a.md" for number in range(20)))
    with watching(tmp_path) as running:
        shutil.move(outside, docs / "inside")
        events = running.settle()
    assert set(only(events).changed) == {f"docs/inside/{number}/deep/a.md" for number in range(20)}


def test_a_folder_that_goes_means_everything(tmp_path, docs):
    touch(docs / "part" / "a.md", docs / "b.md")
    with watching(tmp_path) as running:
        (docs / "part").rename(tmp_path / "elsewhere")
        assert only(running.settle()) == ALL_OF_DOCS
        touch(docs / "new" / "c.md")
        running.settle()
        (docs / "new").rename(tmp_path / "there")  # one that came while it was watched
        assert only(running.settle()) == ALL_OF_DOCS


@pytest.mark.long
def test_a_folder_that_takes_the_place_of_another_means_everything(tmp_path, docs):
    touch(docs / "part" / "a.md", tmp_path / "other" / "sub" / "b.md")
    with watching(tmp_path) as running:
        (docs / "part").rename(tmp_path / "elsewhere")
        (tmp_path / "other").rename(docs / "part")
        assert only(running.settle()) == ALL_OF_DOCS
        (docs / "part" / "sub").rename(tmp_path / "there")  # it was learnt
        assert only(running.settle()) == ALL_OF_DOCS


def test_what_is_no_document_is_no_event(tmp_path, docs):
    touch(docs / ".gitignore", docs / "ignored" / "a.md")
    (docs / ".gitignore").write_text("ignored/\n*.log\n")
    with watching(tmp_path, store={"uri": "./docs/db"}) as running:
        touch(
            docs / "ignored" / "b.md",
            docs / "x.log",
            docs / ".hidden.md",
            docs / "program.bin",
            docs / "db" / "t" / "x.md",
        )
        touch(docs / ".git" / "HEAD.md", docs / "a.md~", docs / ".a.md.swp")
        shutil.rmtree(docs / "ignored")
        shutil.rmtree(docs / "db")
        (docs / "a.md~").unlink()
        assert running.settle(nothing=True) == []


def test_an_editor_that_saves_by_renaming_changes_one_document(tmp_path, docs):
    touch(docs / "a.txt")
    with watching(tmp_path, sources=[{"type": "files", "root": "docs", "include": ["*"]}]) as running:
        touch(docs / "4913")
        (docs / "4913").unlink()
        (docs / "a.txt").rename(docs / "a.txt~")
        touch(docs / "a.txt.tmp")
        (docs / "a.txt.tmp").rename(docs / "a.txt")
        (docs / "a.txt~").unlink()
        assert only(running.settle()) == Change("notes", "docs", ("docs/a.txt",))


def test_an_ignore_file_that_changes_means_everything(tmp_path, docs):
    with watching(tmp_path) as running:
        touch(docs / ".relanceignore")
        assert only(running.settle()) == ALL_OF_DOCS


def test_a_table_of_rows_is_told_as_the_table(tmp_path, docs):
    source = {"type": "files", "root": "docs", "include": ["*.jsonl"], "rows": {"id": "id", "text": "text"}}
    with watching(tmp_path, sources=[source]) as running:
        touch(docs / "rows.jsonl", docs / "other.md")
        assert only(running.settle()) == Change("notes", "docs", ("docs/rows.jsonl",))


@pytest.mark.long
def test_all_sources_are_watched(tmp_path, docs):
    (tmp_path / "more").mkdir()
    sources = [{"type": "files", "root": "docs"}, {"type": "files", "root": "more", "include": ["*.txt"]}]
    with watching(tmp_path, sources=sources) as running:
        touch(docs / "a.md", tmp_path / "more" / "b.txt", tmp_path / "more" / "c.md")
        assert only(running.settle()) == Change("notes", "", ("docs/a.md", "more/b.txt"))


def test_a_server_that_is_away_loses_nothing(tmp_path, docs):
    touch(docs / "b.md")
    with watching(tmp_path) as running:
        running.away = True
        touch(docs / "a.md")
        running.settle(nothing=True)
        (docs / "b.md").unlink()
        running.settle(nothing=True)
        touch(docs / "c.md")
        running.away = False
        assert only(running.settle()) == Change("notes", "docs", ("docs/a.md", "docs/c.md"), ("docs/b.md",))


def test_a_folder_that_is_unmounted_removes_nothing(tmp_path, docs, caplog):
    touch(docs / "a.md", docs / "part" / "b.md")
    with watching(tmp_path) as running:
        docs.rename(tmp_path / "away")
        assert running.settle(nothing=True) == []
        docs.mkdir()  # the empty mount point
        assert running.settle(nothing=True) == []
        docs.rmdir()
        (tmp_path / "away").rename(docs)
        assert only(running.settle()) == EVERYTHING
        (docs / "a.md").unlink()
        assert only(running.settle()) == Change("notes", "docs", (), ("docs/a.md",))
    assert "its documents stay as they are" in caplog.text
    assert "is there again" in caplog.text


@pytest.mark.long
def test_a_folder_that_is_made_anew_at_once_goes_on_being_watched(tmp_path, docs):
    touch(docs / "0.md")
    with watching(tmp_path) as running:
        for _ in range(5):  # file systems give the number of an inode away again
            shutil.rmtree(docs)
            docs.mkdir()
        assert running.settle(nothing=True) == []
        touch(docs / "a.md")
        assert only(running.settle()) == Change("notes", "docs", ("docs/a.md",))


def test_a_folder_that_is_emptied_with_its_root_removes_nothing(tmp_path, docs):
    touch(*(docs / f"{number}.md" for number in range(50)))
    with watching(tmp_path) as running:
        shutil.rmtree(docs)
        assert running.settle(nothing=True) == []


def test_a_name_that_is_no_unicode_does_not_end_the_watch(tmp_path, docs):
    with watching(tmp_path) as running:
        os.close(os.open(os.fsencode(docs) + b"/\xff.md", os.O_CREAT))
        assert only(running.settle()) == EVERYTHING
        touch(docs / "a.md")
        assert only(running.settle()) == Change("notes", "docs", ("docs/a.md",))


@pytest.mark.long
def test_what_is_pending_is_sent_at_the_end(tmp_path, docs):
    with watching(tmp_path) as running:
        touch(docs / "a.md")
        time.sleep(0.3)  # reported, and not quiet for long enough
        running.stop.set()
        running.thread.join()
        assert running.events == [Change("notes", "docs", ("docs/a.md",))]


@pytest.mark.long
def test_an_end_without_a_server_is_bounded_and_said(tmp_path, docs, caplog):
    with watching(tmp_path) as running:
        running.away = True
        touch(docs / "a.md")
        running.settle(nothing=True)
        began = time.monotonic()
        running.stop.set()
        running.thread.join()
    assert time.monotonic() - began < 5
    assert "the next watch begins by looking at everything" in caplog.text


def test_a_folder_that_does_not_exist_is_said_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="docs does not exist"):
        Watching(tmp_path)._run()


def test_a_mistake_of_the_server_ends_the_watch(tmp_path, docs):
    def refuse(_):
        raise ConfigurationError("wrong key")

    with pytest.raises(ConfigurationError, match="wrong key"):
        watch(Watching(tmp_path).spec, refuse, stop=threading.Event())


def test_ctrl_c_ends_it_cleanly_with_what_was_pending(tmp_path, docs):
    code = (
        "import signal, sys, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background jobs ignore it\n"
        "from pathlib import Path\nfrom relance.events.watch import watch\n"
        "from relance.config import IndexSpec\n"
        "spec = IndexSpec.model_validate({'name': 'n', 'sources': [{'type': 'files', 'root': 'docs'}], "
        "'folder': Path(sys.argv[1])})\n"
        "watch(spec, lambda change: print(change, flush=True), stop=threading.Event(), debounce_s=30, longest_s=30)\n"
        "print('ended')"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout.readline() == "n: everything\n"
        touch(docs / "a.md")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (output, errors, process.returncode) == ("n: 1 changed\nended\n", "", 0)
