"""What an index promises wherever its tables are: in a folder, and in an object store."""

from __future__ import annotations

import logging
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rows import rows

from relance.config import IndexSpec
from relance.errors import IndexBusyError, RelanceError, StoreError
from relance.index import Index
from relance.store import Store, open_store
from relance.store.catalog import Catalog
from relance.store.lock import hold

Make = Callable[..., Index]
Log = Callable[[], list[str]]
BUCKET = "shelf"


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """Serve S3 on loopback; yields the storage options to reach it."""
    from moto.server import ThreadedMotoServer

    requests = logging.getLogger("werkzeug")
    level = requests.level
    requests.setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"), timeout=60):
        pass
    yield {
        "endpoint": endpoint,
        "allow_http": "true",
        "region": "us-east-1",
        "aws_access_key_id": "nobody",
        "aws_secret_access_key": "nothing",
    }
    server.stop()
    requests.setLevel(level)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The store section of a spec, empty for each test."""
    if request.param == "folder":
        return {"uri": str(tmp_path / "db")}
    return {"uri": f"s3://{BUCKET}/{tmp_path.name}", "storage_options": request.getfixturevalue("s3")}


@pytest.fixture
def make(make_index: Make, store: dict[str, Any]) -> Make:
    return lambda **sections: make_index(**{"store": store} | sections)


@pytest.fixture
def notes(docs: Path) -> Path:
    for name, text in {"rivers": "A gauge tells how high the river is.", "bridges": "A bridge spans the water.",
                       "文档": "传感器每十分钟测量一次水位。"}.items():  # fmt: skip
        (docs / f"{name}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    return docs


def test_it_follows_edits_deletions_and_renames_without_buying_twice(
    make: Make, make_index: Make, notes: Path, log: Log, tmp_path: Path
) -> None:
    index = make()
    assert index.ingest().added == 3
    version = index.status().table_version
    report = index.ingest()
    assert (report.unchanged, report.table_version) == (3, version), "no change, no version"
    (notes / "rivers.md").write_text("# rivers\n\nThe gauge was moved.\n", encoding="utf-8")
    (notes / "bridges.md").unlink()
    (notes / "文档.md").rename(notes / "moved.md")
    report = make().ingest()
    assert (report.added, report.changed, report.removed, report.embedded) == (1, 1, 2, 1)
    assert len(log()) == len(set(log())) == 4
    fresh = make_index(store={"uri": str(tmp_path / "fresh")})
    fresh.ingest()
    assert rows(index, vectors=True) == rows(fresh, vectors=True)
    status = index.status()
    assert (status.documents, status.chunks, status.interrupted) == (2, 2, None)


def test_it_is_searched_by_meaning_by_words_and_by_both_and_rolled_back(make: Make, notes: Path) -> None:
    index = make()
    index.ingest()
    for mode in ("dense", "full-text"):
        assert index.search("水位 传感器", k=1, mode=mode)[0].uri == "docs/文档.md"
    hits = index.search("gauge water", k=3, where="uri = 'docs/bridges.md'")
    assert [hit.uri for hit in hits] == ["docs/bridges.md"]
    first = rows(index, vectors=True)
    (notes / "rivers.md").unlink()
    index.ingest()
    assert len(rows(index, vectors=True)) == 2
    index.rollback()
    assert rows(index, vectors=True) == first


def test_a_crash_between_two_commits_is_repaired(make: Make, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.store.manifest import Manifest

    index = make()

    def die(*_: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "append", die)
        with pytest.raises(SystemExit):
            index.ingest()
    assert index.status().interrupted
    assert make().ingest().embedded == 0, "what was bought before the crash is not bought again"
    assert len(rows(index, vectors=True)) == 3
    assert index.status().interrupted is None


def test_one_run_at_a_time(make: Make) -> None:
    index = make()
    with hold(open_store(index.spec), "notes"):
        with pytest.raises(IndexBusyError, match="process"):
            index.ingest()
        with hold(open_store(index.spec), "other"):
            pass
    with hold(open_store(index.spec), "notes"):
        pass


def test_a_run_that_waits_goes_on_when_the_other_has_ended(make: Make) -> None:
    opened = open_store(make().spec)
    inside, events = threading.Event(), []

    def first() -> None:
        with hold(opened, "notes"):
            inside.set()
            time.sleep(0.5)
            events.append("first left")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with hold(open_store(make().spec), "notes", wait_s=30, poll_s=0.05):
        events.append("second came")
    thread.join()
    assert events == ["first left", "second came"]


def test_of_many_that_come_at_once_one_gets_in(make: Make) -> None:
    together, leave = threading.Barrier(4), threading.Event()
    inside, refused, errors = [], [], []

    def come(spec: IndexSpec) -> None:
        try:
            opened = open_store(spec)
            together.wait(30)
            with hold(opened, "notes", poll_s=0.05):
                inside.append(1)
                leave.wait(30)
        except IndexBusyError:
            refused.append(1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=come, args=(make().spec,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(refused) < 3 and not errors and time.monotonic() < deadline:
        time.sleep(0.05)
    leave.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert (len(inside), len(refused)) == (1, 3)


def test_a_store_that_cannot_be_reached_is_a_plain_error(make_index: Make, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    index = make_index(store={"uri": str(tmp_path / "file" / "db")})
    with pytest.raises(StoreError, match=r"file.*Not a directory; .*`store.uri`"):
        index.ingest()


def store_at(port: int, **options: str) -> dict[str, Any]:
    return {"uri": "s3://shelf/away", "storage_options": {
        "endpoint": f"http://127.0.0.1:{port}", "allow_http": "true", "region": "us-east-1", "aws_access_key_id": "nobody",
        "aws_secret_access_key": "nothing", **options}}  # fmt: skip


@pytest.mark.long
def test_an_object_store_that_is_away_is_a_sentence(make_index: Make, notes: Path) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        index = make_index(store=store_at(port, client_max_retries="0"))
        for action in (index.ingest, lambda: index.search("river")):
            with pytest.raises(StoreError) as caught:
                action()
            assert (
                f"opening s3://shelf/away: Connection refused (http://127.0.0.1:{port}); is the object store up?"
                in str(caught.value)
            )
            assert ".rs" not in str(caught.value)


@pytest.mark.parametrize("repair", [False, True])
def test_the_doctor_says_that_an_object_store_is_away(make_index: Make, *, repair: bool) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        index = make_index(store=store_at(taken.getsockname()[1], client_max_retries="0"))
        (found,) = index.doctor(repair=repair).findings
    assert (found.code, found.where, found.level) == ("store-unreadable", "s3://shelf/away", "error")
    assert "cannot be listed: Connection refused (http://127.0.0.1:" in found.what


def test_an_object_store_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        options = store_at(silent.getsockname()[1], timeout="0.2s", client_max_retries="0")["storage_options"]
        store = Store("s3://shelf/silent", storage_options=options, api_key="")
        began = time.monotonic()
        with pytest.raises(
            StoreError, match=r"asking s3://shelf/silent: no answer within 0.2 s; is the object store up"
        ):
            store.ask(within_s=0.2)
        assert time.monotonic() - began < 5
        with pytest.raises(
            StoreError, match=r"s3://shelf/silent: no answer in time \(http://127.0.0.1:\d+\); is the obj"
        ):
            store.tables()


# -- the lease that stands in for a file lock --------------------------------------------------------------------


@pytest.fixture
def remote(s3: dict[str, str], tmp_path: Path) -> Store:
    return Store(f"s3://{BUCKET}/{tmp_path.name}", storage_options=s3, api_key="")


def test_a_lease_nobody_renews_is_taken_over(remote: Store) -> None:
    dead = {"holder": {"pid": "1", "host": "gone", "since": "long ago"}, "expires": time.time() + 1.5}
    Catalog(remote).put("lock/notes", dead, expected=None)
    with pytest.raises(IndexBusyError, match="process 1 on gone since long ago"), hold(remote, "notes"):
        pass
    with hold(remote, "notes", wait_s=30, poll_s=0.1):
        assert time.time() > dead["expires"]
        assert Catalog(remote).get("lock/notes")["holder"]["host"] != "gone"
    assert Catalog(remote).get("lock/notes")["expires"] == 0.0, "given back at once, not after its time"


def test_a_lease_is_renewed_as_long_as_the_run_lasts(remote: Store) -> None:
    with hold(remote, "notes", lease_s=1.5):
        first = Catalog(remote).get("lock/notes")["expires"]
        time.sleep(3)
        assert Catalog(remote).get("lock/notes")["expires"] > first + 1.5
        with pytest.raises(IndexBusyError), hold(remote, "notes"):
            pass


@pytest.mark.long
def test_one_renewal_that_fails_does_not_lose_the_lease(
    remote: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put, failures = Catalog.put, []

    def flaky(self: Catalog, key: str, value: dict[str, Any], *, expected: dict[str, Any] | None) -> None:
        if threading.current_thread().name == "relance-lease" and not failures:
            failures.append(key)
            raise RelanceError("the network is away")
        put(self, key, value, expected=expected)

    monkeypatch.setattr(Catalog, "put", flaky)
    with hold(remote, "notes", lease_s=2.4):
        time.sleep(3.2)
        with pytest.raises(IndexBusyError), hold(remote, "notes"):
            pass
    assert failures == ["lock/notes"]
    assert "could not renew the lease of index 'notes': the network is away" in caplog.text


def test_a_lease_that_was_lost_is_not_given_back_for_its_new_holder(remote: Store) -> None:
    with hold(remote, "notes"):
        mine = Catalog(remote).get("lock/notes")
        theirs = {"holder": {"pid": "2", "host": "other", "since": "now"}, "expires": time.time() + 60}
        Catalog(remote).put("lock/notes", theirs, expected=mine)
    assert Catalog(remote).get("lock/notes") == theirs
