"""`relance watch --ingest` as people run it: a process without a Prefect server, and files that change."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from buckets import s3_server
from databases import Database
from files import put
from git_repositories import Repo, needs_git
from live import Live, declared, wait

from relance.index import Index


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Begin to watch a folder with what is in it, past the first look."""
    begun: list[Live] = []

    def call(*options: str, **environment: str) -> Live:
        begun.append(Live(tmp_path, "watch", *options, **environment))
        begun[-1].say("everything")
        return begun[-1]

    yield call
    for live in begun:
        live.close()


def test_what_is_saved_added_renamed_and_removed_is_in_the_index(docs: Path, begin: Callable[..., Live]) -> None:
    put(docs / "a.md", "one")
    put(docs / "b.md", "two")
    live = begin()
    live.holds(a_md="one", b_md="two")
    put(docs / "a.md", "one and more")
    put(docs / "new.md", "three")
    live.holds(a_md="one and more", new_md="three")
    (docs / "b.md").rename(docs / "c.md")
    live.holds(b_md=None, c_md="two")
    (docs / "new.md").unlink()
    live.holds(new_md=None)
    assert live.end() == 0
    assert not [line for line in live.lines if "Prefect" in line or "relance:" in line]


@pytest.mark.long
def test_rows_of_a_file_are_followed(docs: Path, begin: Callable[..., Live]) -> None:
    others = {f"docs/{name}.md": name for name in "abc"}  # without them most of the index would go at the end
    for name in "abc":
        put(docs / f"{name}.md", name)
    table = put(docs / "t.csv", "id,text\n1,first\n2,second\n")
    live = begin()
    wait(lambda: live.texts() == others | {"docs/t.csv#1": "first", "docs/t.csv#2": "second"}, what=live.texts)
    put(table, "id,text\n2,second\n3,third\n")
    wait(lambda: live.texts() == others | {"docs/t.csv#2": "second", "docs/t.csv#3": "third"}, what=live.texts)
    table.unlink()
    wait(lambda: live.texts() == others, what=live.texts)


@pytest.mark.long
def test_what_changes_during_a_run_is_one_run_afterwards(
    docs: Path, begin: Callable[..., Live], log: Callable[[], list[str]]
) -> None:
    live = begin(RELANCE_FAKE_DELAY_S="1.5")
    put(docs / "slow.md", "slow")
    wait(lambda: "slow" in log(), what=log)
    for name in "abc":
        put(docs / f"{name}.md", name)
        time.sleep(0.4)  # longer than the quiet that ends a burst
    assert "1 changed: 1 added" in live.say("changed")
    assert "3 changed: 3 added" in live.say("changed")
    assert set(live.texts().values()) == {"slow", "a", "b", "c"}


@pytest.mark.long
def test_a_broken_file_is_said_and_followed_until_it_is_whole(docs: Path, begin: Callable[..., Live]) -> None:
    live = begin()
    put(docs / "bad.pdf", b"%PDF-1.4 and then nothing")
    put(docs / "a.md", "one")
    assert "1 added, 1 failed (relance failures says why)" in live.say("changed")
    live.holds(a_md="one")
    (docs / "bad.pdf").unlink()
    live.say("1 removed")
    wait(lambda: Index(live.spec).failures() == [], what=Index(live.spec).failures)


@pytest.mark.long
def test_a_run_that_needs_approval_is_one_line_and_keeps_nothing_else_out(
    docs: Path, begin: Callable[..., Live]
) -> None:
    for name in "abcdefghijklmn":
        put(docs / f"{name}.md", name)
    live = begin()
    for name in "abcdefghijklm":
        (docs / f"{name}.md").unlink()
    assert "--yes" in live.say("relance: notes: 13 removed: ")
    put(docs / "n.md", "changed since")
    live.holds(n_md="changed since", a_md="a")
    Index(live.spec).ingest(approved=True, wait_s=60)
    live.holds(n_md="changed since", a_md=None)


def test_another_process_on_the_index_is_waited_for(docs: Path, begin: Callable[..., Live], tmp_path: Path) -> None:
    from relance.store import open_store
    from relance.store.lock import hold

    live = begin()
    with hold(open_store(Index(live.spec).spec), "notes"):
        put(docs / "a.md", "one")
        live.say("notes: the run does not get through")
        put(docs / "b.md", "two")
    assert "2 changed: 2 added" in live.say("changed")


def test_ctrl_c_stops_a_run_at_a_batch_and_the_next_one_finishes_it(
    docs: Path, begin: Callable[..., Live], log: Callable[[], list[str]]
) -> None:
    live = begin(RELANCE_FAKE_DELAY_S="1")
    for number in range(200):
        put(docs / f"{number}.md", f"text {number}")
    wait(log, what=log)
    assert live.end() == 0, live.lines
    assert not [line for line in live.lines if "Traceback" in line or "relance:" in line]
    bought = log()
    done = Index(live.spec).ingest()
    assert (done.status, len(live.texts())) == ("completed", 100)  # `texts` shows a hundred
    assert len(log()) == len(set(log())) == 200, json.dumps(bought)


SQL_PAGE = Path(__file__).parents[2] / "docs/sources/sql.md"


def test_a_row_is_found_after_the_notify_of_the_documented_trigger(
    tmp_path: Path, postgres: Database, begin: Callable[..., Live]
) -> None:
    postgres.execute("CREATE TABLE products (sku text PRIMARY KEY, name text, description text)")
    postgres.many(
        "INSERT INTO products VALUES (?, ?, ?)", [(f"A{n}", f"Lamp {n}", "It gives light.") for n in range(5)]
    )
    trigger = re.findall(r"```sql\n(.*?)```", SQL_PAGE.read_text(encoding="utf-8"), re.DOTALL)[-1]
    postgres.execute(trigger)
    rows = {"id": "sku", "text": ["{name}: {description}"]}
    declared(tmp_path, postgres.section(table="public.products", rows=rows, notify="relance_products"))
    live = begin()
    live.say("everything")  # it listens now: whatever happened before is in this run
    uri = f"{postgres.shown}/public.products#A3"
    postgres.execute("UPDATE products SET description = 'It drives the bilge pump.' WHERE sku = 'A3'")
    wait(lambda: uri in live.finds("bilge"), what=lambda: live.lines)
    assert live.finds("bilge") == {uri: "Lamp 3: It drives the bilge pump."}
    assert "1 changed: 1 changed" in live.say("1 changed")
    postgres.execute("DELETE FROM products WHERE sku = 'A3'")
    wait(lambda: not live.finds("bilge"), what=lambda: live.lines)
    assert live.end() == 0


@needs_git
@pytest.mark.long
def test_a_bucket_and_a_repository_are_looked_at_every_so_often(tmp_path: Path, begin: Callable[..., Live]) -> None:
    repo = Repo(tmp_path / "checkout", tmp_path / "served/notes.git")
    for name in "abc":
        repo.write(f"{name}.md", f"Page {name}.")
    repo.commit()
    with s3_server() as bucket:
        bucket.make("wiki")
        bucket.put("wiki", "first.md", "The first page.")
        declared(tmp_path, bucket.section("wiki"), {"type": "git", "url": f"file://{repo.bare}"})
        live = begin("--every", "1")
        bucket.put("wiki", "weir.md", "The weir of Chalon is open.")
        wait(lambda: live.finds("Chalon"), what=lambda: live.lines)
        repo.write("lock.md", "The lock of Verdun is shut.")
        repo.commit()
        wait(lambda: live.finds("Verdun"), what=lambda: live.lines)
        bucket.remove("wiki", "weir.md")
        wait(lambda: not live.finds("Chalon"), what=lambda: live.lines)
        live.say("1 removed")
        looks = len(bucket.requests)
        wait(lambda: len(bucket.requests) > looks + 2, what=lambda: bucket.requests)
        assert not [line for line in live.lines if "everything" in line], "nothing has changed, so nothing runs"
        bucket.fault = lambda request: (403, "AccessDenied") if request[0] == "GET" else None
        live.say("sources[0] cannot be looked at")
        bucket.put("wiki", "late.md", "The ferry of Seurre.")
        bucket.clear()
        wait(lambda: live.finds("ferry"), what=lambda: live.lines)
        assert live.end() == 0


def test_an_object_is_found_after_its_message_in_a_queue(tmp_path: Path, begin: Callable[..., Live]) -> None:
    with s3_server() as bucket:
        bucket.make("wiki")
        bucket.tell("wiki")
        declared(tmp_path, bucket.section("wiki", queue=bucket.queue("wiki")))
        live = begin()
        bucket.put("wiki", "weir.md", "The weir of Chalon is open.")
        assert "1 changed: 1 added in" in live.say("1 changed")
        assert live.finds("Chalon") == {"s3://wiki/weir.md": "The weir of Chalon is open."}
        wait(lambda: not bucket.queued("wiki"), what=lambda: live.said)
        assert live.end() == 0
    assert not [line for line in live.said if "cannot be watched" in line], live.said


def test_what_cannot_be_watched_is_said_with_what_to_do(tmp_path: Path, begin: Callable[..., Live]) -> None:
    with s3_server() as bucket:
        bucket.make("wiki")
        declared(tmp_path, bucket.section("wiki"))
        live = begin()
        live.end()
    assert [line for line in live.said if "sources[0] (objects) cannot be watched: `--every 60`" in line]
