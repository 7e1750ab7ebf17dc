"""From a change to an answer: a bucket's notification and a push, by `relance webhook`, Prefect and a worker."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator

import pytest
import yaml
from buckets import s3_server
from chains import Chain
from files import put
from git_repositories import Repo, daemon, needs_git
from servers import free_port
from tests.e2e.stack import Stack, wait_until

from relance.index import Index

# 220 s of their own on two cores, most of them the start of a worker: CI has not the time for them.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600), needs_git]


@pytest.fixture(scope="module")
def chain(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Deployed, ingested once, and listened to."""
    folder = tmp_path_factory.mktemp("chains")
    repo = Repo(folder / "checkout", folder / "served/notes.git")
    repo.put(first_md="# First\n\nThe first page of the repository.\n")
    repo.commit()
    with daemon(folder / "served") as base, s3_server() as bucket:
        bucket.make("wiki")
        bucket.put("wiki", "pages/first.md", "# First\n\nThe first page of the bucket.\n")
        clone, address, secret = f"{base}/notes.git", f"http://127.0.0.1:{free_port()}", secrets.token_hex(16)
        sources = [bucket.section("wiki", url="s3://wiki/pages"), {"type": "git", "url": clone}]
        declared = {"name": "chains", "sources": sources, "embedding": {"model": "fake/hash"}, "store": {"uri": "db"}}
        spec = put(folder / "index.yaml", yaml.safe_dump(declared))
        for command in ("deploy", "ingest"):
            done = stack.run(command, str(spec))
            assert done.returncode == 0, done.stderr
        receiving = stack.start(
            "webhook", str(spec), "--port", address.rpartition(":")[2], RELANCE_WEBHOOK_SECRET=secret
        )
        try:
            assert receiving.stdout is not None
            assert "POST" in receiving.stdout.readline()
            with Index(spec) as index:
                chain = Chain(bucket, bucket.tell("wiki"), repo, address, secret, index)
                chain.tell_pushes(clone)
                yield chain
        finally:
            receiving.send_signal(signal.SIGINT)
            said, _ = receiving.communicate(timeout=60)
        assert receiving.returncode == 0, said


def test_an_object_that_is_put_is_found(chain: Chain, stack: Stack) -> None:
    chain.put("pages/deep down/weir & lock.md", "The weir of Chalon is open.")
    uri = "s3://wiki/pages/deep down/weir & lock.md"
    wait_until(lambda: chain.finds("Chalon"), timeout=240, what=lambda: stack.runs_of("ingest-on-change/chains"))
    assert chain.finds("Chalon") == {uri: "The weir of Chalon is open."}
    chain.put("pages/deep down/weir & lock.md", "The weir of Tournus is shut.")
    wait_until(lambda: chain.finds("Tournus"), timeout=240, what=lambda: stack.runs_of("ingest-on-change/chains"))
    assert not chain.finds("Chalon")


def test_what_is_pushed_is_found(chain: Chain, stack: Stack) -> None:
    chain.repo.put(guide__locks_md="# Locks\n\nThe lock of Verdun opens at dawn.\n")
    chain.repo.commit()
    wait_until(lambda: chain.finds("Verdun"), timeout=240, what=lambda: stack.runs_of("ingest-on-change/chains"))
    (found,) = chain.finds("Verdun")
    assert found.endswith("/notes/guide/locks.md")
    chain.repo.git("rm", "-q", "guide/locks.md")
    chain.repo.commit()
    wait_until(lambda: not chain.finds("Verdun"), timeout=240, what=lambda: stack.runs_of("ingest-on-change/chains"))
