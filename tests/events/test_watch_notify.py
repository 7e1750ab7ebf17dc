"""Rows that a database says have changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest
from databases import Database

from relance.errors import ConfigurationError
from relance.events import Change
from relance.events.watch import watch

TRIGGER = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('relance_notes', OLD.id::text) WHERE OLD.id IS NOT NULL;
  PERFORM pg_notify('relance_notes', NEW.id::text) WHERE NEW.id IS NOT NULL;
  RETURN NULL;
END $$
"""
EVERYTHING = Change("notes", everything=True)


class Watch:
    """A watch in a thread, and what it tells."""

    def __init__(self, database: Database, **options) -> None:
        self.spec = database.index(notify="relance_notes", **options).spec
        self.events: list[Change] = []
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            watch(self.spec, self.events.append, stop=self.stop, debounce_s=0.3, longest_s=2.0)
        except BaseException as error:
            self.error = error

    def wait(self, wanted: Change) -> None:
        deadline = time.monotonic() + 30
        while wanted not in self.events:
            assert time.monotonic() < deadline, self.events
            assert self.thread.is_alive(), self.error
            time.sleep(0.02)
        self.events.clear()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def told(postgres) -> Generator[tuple[Database, Watch]]:
    postgres.fill()
    postgres.execute(
        TRIGGER, "CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    watching = Watch(postgres)
    watching.wait(EVERYTHING)  # of the beginning
    deadline = time.monotonic() + 30
    while not watching.events:  # it listens: whatever changed in between is in this one
        assert time.monotonic() < deadline
        time.sleep(0.02)
    watching.wait(EVERYTHING)
    yield postgres, watching
    watching.end()


def test_rows_that_change_are_named(told):
    database, watching = told
    index = database.index()
    index.ingest()
    uri = f"{database.shown}/notes#"
    database.execute("UPDATE notes SET text = 'Other.' WHERE id = 4")
    watching.wait(Change("notes", changed=(f"{uri}4",)))
    report = index.ingest(only=[f"{uri}4"])
    assert (report.changed, report.removed) == (1, 0)
    database.execute("DELETE FROM notes WHERE id = 5")
    watching.wait(Change("notes", changed=(f"{uri}5",)))
    assert index.ingest(only=[f"{uri}5"]).removed == 1
    database.execute("UPDATE notes SET id = 70 WHERE id = 6")
    watching.wait(Change("notes", changed=(f"{uri}6", f"{uri}70")))
    database.execute("NOTIFY relance_notes")
    watching.wait(Change("notes", changed=(f"{database.shown}/notes",)))


def test_many_at_once_are_everything(told):
    database, watching = told
    database.many("INSERT INTO notes VALUES (?, ?, 1)", [(n, "x") for n in range(100, 1200)])
    watching.wait(EVERYTHING)


def test_after_a_break_everything_is_looked_at(told):
    database, watching = told
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    watching.wait(EVERYTHING)
    database.execute("UPDATE notes SET text = 'Other.' WHERE id = 4")
    watching.wait(Change("notes", changed=(f"{database.shown}/notes#4",)))


def test_several_tables_are_told_apart(postgres):
    postgres.fill()
    postgres.execute("CREATE TABLE other (id int PRIMARY KEY, text text)")
    source = postgres.source(table=["notes", "public.other"], notify="c")
    whole = [f"{postgres.shown}/notes", f"{postgres.shown}/public.other"]
    assert [*source._named("public.other#7#8")] == [f"{whole[1]}#7#8"]
    assert [*source._named("notes")] == [whole[0]]
    assert [*source._named("nobody")] == whole


def test_a_watch_ends_where_nobody_can_ever_listen(postgres):
    watching = Watch(postgres, url=f"{postgres.url}x")
    watching.thread.join(30)
    assert isinstance(watching.error, ConfigurationError)
