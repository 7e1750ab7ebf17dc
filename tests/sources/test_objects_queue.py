"""Notifications of a bucket that come to a queue of SQS, by moto's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import S3Server, s3_server

from relance.config import IndexSpec
from relance.errors import ConfigurationError, MissingExtraError, RetryableError
from relance.events import Change
from relance.events.watch import watch
from relance.sources import Announcing, open_source
from relance.sources.confirmed_news import ConfirmedNews

EVERYTHING = Change("notes", everything=True)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A bucket of its own, which tells its queue."""
    name = request.node.name.replace("_", "-")[:50].strip("-")
    server.make(name)
    server.tell(name)
    yield name
    server.clear()


def spec_of(server: S3Server, bucket: str, folder: Path, **more: Any) -> IndexSpec:
    section = server.section(bucket, url=f"s3://{bucket}/pages", queue=server.queue(bucket)) | more
    values = {"name": "notes", "sources": [section], "store": {"uri": "db"}, "embedding": {"model": "fake/hash"}}
    return IndexSpec.model_validate(values | {"folder": folder})


class News:
    """What a source hears."""

    def __init__(self, spec: IndexSpec) -> None:
        self.stop = threading.Event()
        source = open_source(spec, 0)
        assert isinstance(source, Announcing)
        stream = source.news(self.stop)
        assert isinstance(stream, ConfirmedNews)
        self.stream, self.count = stream, 0

    def heard(self, wanted: int = 1) -> set[str]:
        """Listen until so many uris came, at most some seconds; returns them."""
        uris: set[str] = set()
        deadline = time.monotonic() + 20
        while len(uris) < wanted and time.monotonic() < deadline:
            uris |= next(self.stream) or set()
            self.count += 1
        return uris

    def nothing(self, for_s: float = 0.6) -> None:
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            assert not next(self.stream)
            self.count += 1


def wait(for_: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not for_():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def news(server: S3Server, bucket: str, tmp_path: Path) -> Iterator[News]:
    news = News(spec_of(server, bucket, tmp_path))
    yield news
    news.stop.set()


def drain(news: News, server: S3Server, bucket: str) -> None:
    """Take the test message that a bucket sends when it is set up."""
    news.nothing(0.3)
    wait(lambda: not server.queued(bucket))


def test_a_message_stays_until_what_it_says_is_confirmed(server: S3Server, bucket: str, news: News) -> None:
    drain(news, server, bucket)
    server.put(bucket, "pages/weir & lock.md", "Open.")
    assert news.heard() == {f"s3://{bucket}/pages/weir & lock.md"}
    first = news.count
    server.put(bucket, "pages/b#1.md", "Shut.")
    server.remove(bucket, "pages/weir & lock.md")
    assert news.heard(2) == {f"s3://{bucket}/pages/b%231.md", f"s3://{bucket}/pages/weir & lock.md"}
    held = server.queued(bucket)
    news.stream.confirm(first)
    assert server.queued(bucket) == held - 1
    news.stream.confirm(first)
    assert server.queued(bucket) == held - 1
    news.stream.confirm(news.count)
    assert server.queued(bucket) == 0


def test_a_message_that_comes_again_is_no_news_while_it_is_held(server: S3Server, bucket: str, news: News) -> None:
    drain(news, server, bucket)
    server.put(bucket, "pages/a.md", "Open.")
    news.heard()
    server.release(bucket)
    news.nothing()
    news.stream.confirm(news.count)
    assert server.queued(bucket) == 0


def test_what_is_no_notification_is_counted_and_does_not_come_again(
    server: S3Server, bucket: str, news: News, caplog: pytest.LogCaptureFixture
) -> None:
    drain(news, server, bucket)
    for body in ("no JSON", json.dumps({"Records": [{"eventName": "ObjectCreated:Put"}]})):
        server.send(bucket, body)
    told = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": "pages/by+sns.md"}}}
    server.send(
        bucket, json.dumps({"Type": "Notification", "TopicArn": "a", "Message": json.dumps({"Records": [told]})})
    )
    assert news.heard() == {f"s3://{bucket}/pages/by sns.md"}
    wait(lambda: server.queued(bucket) == 1)
    said = [line for line in caplog.messages if "is no notification of a bucket" in line]
    assert "the body is not JSON" in said[0]
    assert said[1].endswith("(Records[0].s3.bucket.name: missing); it is deleted; 2 so far")


def test_a_queue_that_does_not_answer_is_asked_again(
    server: S3Server, bucket: str, news: News, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = lambda request: (403, "AccessDenied") if request[0] == "POST" else None
    news.nothing(0.4)
    wait(lambda: "asked again in 1 s" in caplog.text)
    assert "a-secret" not in caplog.text
    server.put(bucket, "pages/a.md", "Open.")
    server.fault = lambda request: None
    assert news.heard() == {f"s3://{bucket}/pages/a.md"}


def test_a_change_that_is_not_taken_stays_in_the_queue(server: S3Server, bucket: str, tmp_path: Path) -> None:
    taken: list[Change] = []
    stop, closed = threading.Event(), threading.Event()

    def take(change: Change) -> None:
        if closed.is_set():
            raise RetryableError("not now")
        taken.append(change)

    watching = threading.Thread(target=watch, args=(spec_of(server, bucket, tmp_path), take),
                                kwargs={"stop": stop, "debounce_s": 0.2})  # fmt: skip
    watching.start()
    try:
        wait(lambda: EVERYTHING in taken and not server.queued(bucket))
        closed.set()
        for name in "ab":
            server.put(bucket, f"pages/{name}.md", "Open.")
        wait(lambda: server.queued(bucket) == 2)
        time.sleep(0.8)
        assert (server.queued(bucket), taken) == (2, [EVERYTHING])
        closed.clear()
        uris = {f"s3://{bucket}/pages/{name}.md" for name in "ab"}
        wait(lambda: {uri for change in taken for uri in change.changed} == uris)
        wait(lambda: not server.queued(bucket))
    finally:
        stop.set()
        watching.join(20)


def test_where_nobody_can_listen_the_watch_ends(
    server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(server, bucket, tmp_path, queue=f"{server.endpoint}/123456789012/nobody-s")
    with pytest.raises(ConfigurationError, match=r"there is no queue http://127.*nobody-s; check `queue`"):
        News(spec).heard()
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'relance\[sqs\]'"):
        News(spec).heard()


@pytest.mark.parametrize(("more", "said"), [
    ({"queue": "wiki-changes"}, "is no address of a queue"),
    ({"queue": "https://sqs.eu-west-3.amazonaws.com/1/a", "url": "gs://wiki"}, "only buckets of s3://"),
])  # fmt: skip
def test_what_is_no_queue_is_refused(more: dict[str, str], said: str) -> None:
    section = {"type": "objects", "url": "s3://wiki"} | more
    with pytest.raises(ValueError, match=said):
        IndexSpec.model_validate({"name": "notes", "sources": [section], "folder": Path("/srv")})
