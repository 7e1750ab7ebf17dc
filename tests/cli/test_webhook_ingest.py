"""`relance webhook --ingest` as people run it: a process without a Prefect server that indexes what it receives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from buckets import s3_server
from chains import Chain
from files import put
from git_repositories import Repo, daemon, needs_git
from live import Live, declared, wait

from relance.events.signatures import route_secret
from relance.index import Index

SECRET = "a secret of sixteen letters and more"


class Receiving(Live):
    """A receiver."""

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(folder, "webhook", "--port", "0", RELANCE_WEBHOOK_SECRET=SECRET, **environment)
        self.url = self.say("POST").split()[1].partition("/{")[0]

    def post(self, *changed: str, removed: tuple[str, ...] = ()) -> httpx.Response:
        """Post a change as a script does."""
        token = route_secret(SECRET, "generic", "notes")
        return httpx.post(f"{self.url}/generic/notes", json={"changed": changed, "removed": removed}, timeout=30,
                          headers={"Authorization": f"Bearer {token}"}, trust_env=False)  # fmt: skip


@pytest.fixture
def receive(tmp_path: Path) -> Iterator[Callable[..., Receiving]]:
    """Begin to receive, past the first look."""
    begun: list[Receiving] = []

    def call(**environment: str) -> Receiving:
        begun.append(Receiving(tmp_path, **environment))
        begun[-1].say("notes: everything")
        return begun[-1]

    yield call
    for each in begun:
        each.close()


@needs_git
def test_objects_and_pushes_are_found(tmp_path: Path, receive: Callable[..., Receiving]) -> None:
    repo = Repo(tmp_path / "checkout", tmp_path / "served/notes.git")
    repo.put(first_md="The first page of the repository.")
    repo.commit()
    with daemon(tmp_path / "served") as base, s3_server() as bucket:
        bucket.make("wiki")
        bucket.put("wiki", "pages/first.md", "The first page of the bucket.")
        clone = f"{base}/notes.git"
        declared(tmp_path, bucket.section("wiki", url="s3://wiki/pages"), {"type": "git", "url": clone})
        live = receive()
        with Index(live.spec) as index:
            chain = Chain(bucket, bucket.tell("wiki"), repo, live.url, SECRET, index)
            chain.tell_pushes(clone)
            assert len(chain.finds("first")) == 2
            chain.put("pages/weir & lock.md", "The weir of Chalon is open.")
            assert "1 changed: 1 added in" in live.say("1 changed")
            assert chain.finds("Chalon") == {"s3://wiki/pages/weir & lock.md": "The weir of Chalon is open."}
            repo.put(guide__locks_md="The lock of Verdun opens at dawn.")
            repo.commit()
            wait(lambda: chain.finds("Verdun"), what=lambda: live.said)
            chain.remove("pages/weir & lock.md")
            repo.git("rm", "-q", "guide/locks.md")
            repo.commit()
            wait(lambda: not chain.finds("Chalon") and not chain.finds("Verdun"), what=lambda: live.said)
        assert live.end() == 0
    assert not [line for line in live.said if "Prefect" in line or "relance:" in line], live.said


def test_what_was_accepted_survives_a_kill(
    docs: Path, receive: Callable[..., Receiving], log: Callable[[], list[str]]
) -> None:
    live = receive(RELANCE_FAKE_DELAY_S="1.5")
    put(docs / "slow.md", "slow")
    live.post("docs/slow.md")
    wait(lambda: "slow" in log(), what=log)
    put(docs / "a.md", "one")
    assert live.post("docs/a.md").status_code == 202
    live.close()
    assert live.texts() == {}
    again = receive()
    assert again.texts() == {"docs/slow.md": "slow", "docs/a.md": "one"}


def test_ctrl_c_ends_the_run_after_its_batches(
    docs: Path, receive: Callable[..., Receiving], log: Callable[[], list[str]]
) -> None:
    live = receive(RELANCE_FAKE_DELAY_S="1")
    names = [f"docs/{number}.md" for number in range(200)]
    for name in names:
        put(docs.parent / name, f"text of {name}")
    live.post(*names)
    wait(log, what=log)
    assert live.end() == 0, live.said
    assert not [line for line in live.said if "Traceback" in line or "relance:" in line], live.said
    assert Index(live.spec).ingest().status == "completed"
    assert len(log()) == len(set(log())) == 200, json.dumps(log())
