"""From a change to an answer: a bucket's notification and a push, by `relance webhook`, Prefect and a worker."""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import yaml
from buckets import S3Server, s3_server
from files import put
from git_repositories import Repo, daemon, needs_git
from servers import free_port
from tests.e2e.stack import Stack, wait_until

from relance.events.signatures import route_secret
from relance.index import Index

# 220 s of their own on two cores, most of them the start of a worker: CI has not the time for them.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600), needs_git]

# What a server of repositories does after a push, in the form of GitHub's webhook.
HOOK = """#!{python}
import hashlib, hmac, json, subprocess, sys, urllib.request

def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout

for line in sys.stdin:
    before, after, ref = line.split()
    files = {{"A": [], "M": [], "D": []}}
    for found in git("diff", "--no-renames", "--name-status", before, after).splitlines():
        kind, name = found.split("\\t")
        files[kind].append(name)
    commit = {{"id": after, "added": files["A"], "modified": files["M"], "removed": files["D"]}}
    repository = {{"default_branch": "main", "full_name": "org/notes", "clone_url": "{clone}"}}
    body = json.dumps({{"ref": ref, "before": before, "after": after, "forced": False, "repository": repository,
                        "commits": [commit], "head_commit": commit}}).encode()
    mac = hmac.new(b"{secret}", body, hashlib.sha256).hexdigest()
    headers = {{"Content-Type": "application/json", "X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + mac}}
    opened = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    opened.open(urllib.request.Request("{address}", body, headers), timeout=60).read()
"""


@dataclass
class Chain:
    """An index over a bucket and a repository, which both tell the webhook what happens."""

    bucket: S3Server
    told: Callable[[], str]
    repo: Repo
    url: str
    token: str
    index: Index

    def put(self, key: str, text: str) -> None:
        """Write an object; the notification that the bucket makes is posted as MinIO does."""
        self.bucket.put("wiki", key, text)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answer = httpx.post(f"{self.url}/s3/chains", content=self.told(), headers=headers, trust_env=False, timeout=60)
        assert (answer.status_code, answer.json()["status"]) == (202, "taken"), answer.text

    def finds(self, words: str) -> dict[str, str]:
        """Search; returns texts by uri."""
        return {hit.uri: hit.text for hit in self.index.search(words, mode="full-text", k=3)}


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
            hook = HOOK.format(python=sys.executable, clone=clone, address=f"{address}/github/chains",
                               secret=route_secret(secret, "github", "chains"))  # fmt: skip
            put(folder / "served/notes.git/hooks/post-receive", hook).chmod(0o755)
            with Index(spec) as index:
                yield Chain(bucket, bucket.tell("wiki"), repo, address, route_secret(secret, "s3", "chains"), index)
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
