"""The receiver over real connections: what it takes, what it refuses, and how it is served."""

import concurrent.futures
import json
import logging
import re
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
from receivers import (
    BEARER,
    CHANGED,
    JSON,
    OSS,
    OTHER,
    OTHER_ROUTE,
    PUSH,
    ROUTE,
    S3,
    SECRET,
    Receiver,
    github,
    signed,
    token,
)
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from relance.errors import ConfigurationError, RetryableError
from relance.events import Change
from relance.events.receiver import Limits
from relance.events.serve import running_receiver, serve_receiver


@pytest.mark.parametrize(
    ("path", "content", "headers", "expected"),
    [
        ("/generic/handbook", CHANGED, JSON | BEARER, Change("handbook", "", ("docs/a.md",), ("docs/b.md",))),
        ("/generic/handbook", CHANGED, signed, Change("handbook", "", ("docs/a.md",), ("docs/b.md",))),
        ("/generic/handbook", CHANGED, lambda: signed(secret=OTHER), Change("handbook", "", ("docs/a.md",), ("docs/b.md",))),
        ("/generic/handbook", CHANGED, lambda: signed(at=time.time() - 200), Change("handbook", "", ("docs/a.md",), ("docs/b.md",))),
        ("/generic/notes", b'{"everything": true, "source": "ci"}', JSON | BEARER, Change("notes", "ci", everything=True)),
        ("/s3/handbook", S3, JSON | BEARER, Change("handbook", "bucket", ("docs/a.md",))),
        ("/s3/handbook?prefix=bucket/docs/&root=docs/deep", S3, JSON | BEARER, Change("handbook", "bucket", ("docs/deep/a.md",))),
        ("/s3/handbook?root=nowhere", S3, JSON | BEARER, Change("handbook", "bucket", everything=True)),
        ("/oss/handbook", OSS, JSON | BEARER, Change("handbook", "bucket", (), ("docs/b.md",))),
        ("/oss/handbook", OSS, JSON | {"x-eventbridge-signature-token": OTHER_ROUTE}, Change("handbook", "bucket", (), ("docs/b.md",))),
        ("/oss/handbook", OSS, {"content-type": "text/plain;charset=utf-8"} | BEARER, Change("handbook", "bucket", (), ("docs/b.md",))),
        ("/github/handbook", PUSH, github, Change("handbook", "relance/handbook", ("docs/a.md",), ("docs/b.md",))),
        ("/github/handbook", PUSH, lambda: github(secret=OTHER), Change("handbook", "relance/handbook", ("docs/a.md",), ("docs/b.md",))),
    ],
)  # fmt: skip
def test_a_notification_becomes_an_event(desk, path, content, headers, expected):
    reply = desk.post(path, content, headers() if callable(headers) else headers)
    assert (reply.status_code, reply.json()["status"]) == (202, "taken")
    assert desk.events == [expected]
    assert reply.json()["changed"] == len(expected.changed)


@pytest.mark.parametrize(
    ("path", "content", "headers"),
    [
        ("/s3/handbook", b'{"Event": "s3:TestEvent"}', JSON | BEARER),
        ("/s3/handbook?prefix=other", S3, JSON | BEARER),
        ("/generic/handbook", b'{"changed": []}', JSON | BEARER),
        ("/github/handbook", b"{}", github(b"{}", event="ping")),
        (
            "/github/handbook",
            PUSH.replace(b"heads/main", b"heads/topic"),
            github(PUSH.replace(b"heads/main", b"heads/topic")),
        ),
    ],
)
def test_what_concerns_no_document_is_heard_and_ignored(desk, path, content, headers):
    reply = desk.post(path, content, headers)
    assert (reply.status_code, reply.json()["status"]) == (202, "ignored")
    assert desk.events == []


LATE_PUSH = PUSH.replace(b'{"default_branch"', b'{"pushed_at": %d, "default_branch"' % (time.time() - 4 * 86400))
WRONG = {"authorization": f"Bearer {ROUTE}x"}
# What is sent, how it is answered, and a word of the reason.
REFUSED: dict[str, tuple[str, Any, Any, int, str]] = {
    # forged
    "nothing that authorises": ("/generic/handbook", CHANGED, JSON, 401, "authorised"),
    "a wrong token": ("/generic/handbook", CHANGED, JSON | WRONG, 401, "authorised"),
    "a token cut short": ("/s3/handbook", S3, JSON | {"authorization": f"Bearer {token('/s3/handbook')[:-1]}"}, 401, "authorised"),
    "no token": ("/s3/handbook", S3, JSON | {"authorization": "Bearer"}, 401, "authorised"),
    "both secrets as one": ("/s3/handbook", S3, JSON | {"authorization": f"Bearer {ROUTE},{OTHER_ROUTE}"}, 401, "authorised"),
    "another scheme": ("/s3/handbook", S3, JSON | {"authorization": f"Basic {SECRET}"}, 401, "authorised"),
    "the secret that all others come from": ("/generic/handbook", CHANGED, JSON | {"authorization": f"Bearer {SECRET}"}, 401, "authorised"),
    "the token of another index": ("/generic/handbook", CHANGED, JSON | {"authorization": f"Bearer {token('/generic/notes')}"}, 401, "authorised"),
    "the token of another kind of sender": ("/s3/handbook", S3, JSON | {"authorization": f"Bearer {token('/generic/handbook')}"}, 401, "authorised"),
    "a signature for another index": ("/generic/notes", CHANGED, signed, 401, "authorised"),
    "a signature for another index by its sender": ("/generic/notes", CHANGED, lambda: signed(path="/generic/notes", route="/generic/handbook"), 401, "authorised"),
    "a signature for another place": ("/generic/handbook?root=secret", CHANGED, signed, 401, "authorised"),
    "a push to another index": ("/github/notes", PUSH, github(), 401, "authorised"),
    "a push of last week": ("/github/handbook", LATE_PUSH, lambda: github(LATE_PUSH), 401, "3 days ago"),
    "letters of another alphabet": ("/oss/handbook", OSS, JSON | {"authorization": "Bearer é\xff".encode("latin-1")}, 401, "authorised"),
    "a token in the address": (f"/s3/handbook?token={token('/s3/handbook')}", S3, JSON, 401, "authorised"),
    "the token of another kind": ("/s3/handbook", S3, JSON | {"x-eventbridge-signature-token": ROUTE}, 401, "authorised"),
    "a token where a signature belongs": ("/github/handbook", PUSH, JSON | BEARER, 401, "authorised"),
    "a signature with another secret": ("/github/handbook", PUSH, github(secret="not the secret at all"), 401, "authorised"),
    "a signature of another body": ("/github/handbook", PUSH + b" ", github(), 401, "authorised"),
    "the old signature of GitHub": ("/github/handbook", PUSH, JSON | {"x-hub-signature": "sha1=00"}, 401, "authorised"),
    "a signature of nothing": ("/generic/handbook", CHANGED, JSON | {"x-relance-signature": ""}, 401, "authorised"),
    "a signature without mac": ("/generic/handbook", CHANGED, JSON | {"x-relance-signature": "t=1,v1="}, 401, "authorised"),
    "a signature of another moment": ("/generic/handbook", CHANGED,
                                      lambda: JSON | {"x-relance-signature": re.sub(r"t=(\d+)", lambda found: f"t={int(found[1]) + 1}", signed()["x-relance-signature"])}, 401, "authorised"),
    # old
    "a signature of long ago": ("/generic/handbook", CHANGED, lambda: signed(at=time.time() - 400), 401, "more than 300 seconds"),
    "a signature of the future": ("/generic/handbook", CHANGED, lambda: signed(at=time.time() + 400), 401, "more than 300 seconds"),
    # oversized
    "a body a little too large": ("/generic/handbook", b" " * 4097, JSON | BEARER, 413, "larger than 4,096"),
    "a body a little too large, in pieces": ("/generic/handbook", lambda: iter([b" " * 2048, b" " * 2049]), JSON | BEARER, 413, "larger than 4,096"),
    "a large body with a signature": ("/github/handbook", b" " * 4097, github(b" " * 4097), 413, "larger than 4,096"),
    # malformed
    "no body": ("/generic/handbook", b"", JSON | BEARER, 400, "not JSON"),
    "half a body": ("/generic/handbook", CHANGED[:-1], JSON | BEARER, 400, "not JSON"),
    "a deep body": ("/s3/handbook", b"[" * 4000, JSON | BEARER, 400, "not JSON"),
    "bytes": ("/oss/handbook", b"\xff\x00\xfe", JSON | BEARER, 400, "neither JSON nor Base64"),
    "a list": ("/generic/handbook", b"[]", JSON | BEARER, 400, "expected an object"),
    "a field missing": ("/s3/handbook", b'{"Records": [{}]}', JSON | BEARER, 400, "Records[0].eventName"),
    "a field of another kind": ("/oss/handbook", b'{"events": 1}', JSON | BEARER, 400, "events"),
    "a field nobody knows": ("/generic/handbook", b'{"changed": [], "x": 1}', JSON | BEARER, 400, "x: unknown"),
    "a push without branch": ("/github/handbook", b"{}", github(b"{}"), 400, "ref: missing"),
    # of the wrong type
    "a form": ("/generic/handbook", b"changed=a", BEARER | {"content-type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    "text": ("/s3/handbook", S3, BEARER | {"content-type": "text/plain"}, 415, "application/json"),
    "no type": ("/s3/handbook", S3, BEARER, 415, "application/json"),
    # elsewhere
    "an index that is not here": ("/generic/other", CHANGED, JSON | BEARER, 404, "no such index"),
    "an index that is not here, signed": ("/github/other", PUSH, github(index="other"), 404, "no such index"),
    "an index that is not here, without key": ("/generic/other", CHANGED, JSON, 401, "authorised"),
    "a kind that does not exist": ("/slack/handbook", CHANGED, JSON | BEARER, 404, "KIND"),
    "no index": ("/generic", CHANGED, JSON | BEARER, 404, "no such address"),
    "a slash too many": ("/generic/handbook/", CHANGED, JSON | BEARER, 404, "no such address"),
    "a path that climbs": ("/generic/..%2f..%2fetc", CHANGED, JSON | BEARER, 404, "no such"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(desk, what):
    path, content, headers, status, words = REFUSED[what]
    reply = desk.post(path, content() if callable(content) else content, headers() if callable(headers) else headers)
    assert reply.status_code == status
    assert words in reply.json()["error"]
    assert list(reply.json()) == ["error"]
    assert desk.events == []
    if status == 401:
        assert SECRET not in reply.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_posting_is_allowed(desk, method):
    reply = desk.post("/generic/handbook", None, JSON | BEARER, method)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("path", "content", "sign"), [("/generic/handbook", CHANGED, signed), ("/github/handbook", PUSH, github)]
)
def test_a_signed_delivery_is_taken_once_also_by_another_receiver(desk, path, content, sign):
    headers = sign()  # now: what was signed when the tests were collected may be too old
    assert desk.post(path, content, headers).status_code == 202
    again = desk.post(path, content, headers | {"x-github-delivery": "another"})
    assert (again.status_code, "before" in again.json()["error"]) == (409, True)
    twin = Receiver(desk.store)  # started later, or a replica
    with running_receiver(twin.app()) as twin.url, twin.client:
        assert twin.post(path, content, headers).status_code == 409
    assert (len(desk.events), twin.events) == (1, [])


def test_two_receivers_take_what_comes_to_both_at_once_only_once(desk):
    twin = Receiver(desk.store)
    with running_receiver(twin.app()) as twin.url, twin.client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number in range(3):
            body = b'{"changed": ["docs/%d.md"]}' % number
            headers = signed(body)
            replies = pool.map(lambda each: each.post("/generic/handbook", body, headers).status_code, [desk, twin] * 4)  # noqa: B023
            assert sorted(replies) == [202] + [409] * 7
    assert len(desk.events) + len(twin.events) == 3


def test_a_delivery_under_way_is_not_taken_a_second_time(desk):
    desk.delay_s, headers = 0.5, github()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda _: desk.post("/github/handbook", PUSH, headers).status_code, range(4)))
    assert sorted(replies) == [202, 409, 409, 409]
    assert len(desk.events) == 1


@pytest.mark.parametrize(("path", "content"), [("/s3/handbook", S3), ("/oss/handbook", OSS)])
def test_a_bucket_that_repeats_itself_is_answered_and_not_heard(desk, path, content):
    # It repeats what it got no answer for, and would never stop if it were refused.
    replies = [desk.post(path, content).json()["status"] for _ in range(3)]
    assert replies == ["taken", "ignored", "ignored"]
    assert len(desk.events) == 1


def test_the_same_words_with_a_token_are_a_new_change(desk):
    assert [desk.post("/generic/handbook").status_code for _ in range(2)] == [202, 202]
    assert len(desk.events) == 2


@pytest.mark.parametrize("error", [RetryableError("away"), ConfigurationError("wrong key"), ZeroDivisionError("oops")])
@pytest.mark.parametrize(
    ("path", "content", "headers"), [("/github/handbook", PUSH, github()), ("/s3/handbook", S3, JSON | BEARER)]
)
def test_what_prefect_does_not_take_is_sent_again(desk, path, content, headers, error):
    desk.error = error
    reply = desk.post(path, content, headers)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "10")
    assert "oops" not in reply.text
    desk.error = None
    assert desk.post(path, content, headers).status_code == 202
    assert len(desk.events) == 1


def test_who_waits_too_long_for_prefect_is_asked_to_come_again(desk):
    desk.delay_s = 1.5
    reply = desk.post("/generic/handbook")
    assert (reply.status_code, "not taken the event yet" in reply.json()["error"]) == (503, True)


def test_what_comes_together_becomes_one_event(desk):
    desk.delay_s = 0.2
    names = [f"docs/{number}.md" for number in range(60)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda name: desk.post("/generic/handbook", json.dumps({"changed": [name]})), names))
    assert {reply.status_code for reply in replies} == {202}
    assert len(desk.events) <= 30  # three rounds of twenty, however a busy machine cuts them
    assert sorted(uri for change in desk.events for uri in change.changed) == sorted(names)


def test_every_sender_hears_of_the_event_its_change_was_part_of(desk):
    desk.error = RetryableError("away")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: desk.post("/generic/handbook").status_code, range(8)))
    assert replies == [503] * 8


def test_a_flood_is_slowed_down_per_index(tmp_path):
    desk = Receiver(tmp_path)
    limits = Limits(gather_s=0.01, per_second=0.5, burst=3)
    with running_receiver(desk.app(limits=limits)) as desk.url, desk.client:
        replies = [desk.post("/generic/handbook") for _ in range(5)]
        assert [reply.status_code for reply in replies] == [202, 202, 202, 429, 429]
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 2
        assert desk.post("/generic/notes").status_code == 202
        assert [desk.post("/generic/handbook", headers=JSON | WRONG).status_code for _ in range(5)] == [401] * 5


def test_it_says_that_it_is_well_and_shows_what_else_there_is(desk):
    assert desk.post("/health", None, {}, "GET").json() == {"status": "ok"}
    more = [Route("/metrics", lambda _: PlainTextResponse("up 1"))]
    with running_receiver(desk.app(routes=more)) as url:
        assert httpx.get(f"{url}/metrics", trust_env=False).text == "up 1"


def test_neither_body_nor_secret_is_logged(desk, caplog):
    caplog.set_level(logging.DEBUG)
    desk.error = RetryableError("the server is away")
    for headers in (JSON | BEARER, JSON | WRONG, signed(), {}):
        desk.post("/generic/handbook", CHANGED, headers)
        desk.post("/generic/handbook", b"nonsense docs/a.md", headers)
        desk.post(f"/{SECRET}/handbook", CHANGED, headers)
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("relance", "uvicorn")))
    assert "refused a generic notification (401)" in ours
    assert "the server is away" in ours
    assert "docs/a.md" not in ours
    assert SECRET not in ours


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve_receiver(Receiver(tmp_path).app(), "127.0.0.1", port)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_served_receiver_stops_quietly_and_finishes_what_it_took(stop, tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom pydantic import SecretStr\n"
        "from relance.events.receiver import receiver\nfrom relance.events.serve import serve_receiver\n"
        "from relance.config import IndexSpec\nfrom relance.events.signatures import Secrets\n"
        f"STORE = {str(tmp_path)!r}\n"
        "spec = IndexSpec.model_validate({'name': 'n', 'sources': [{'type': 'files', 'root': 'docs'}], 'folder': Path('/srv'), 'store': {'uri': STORE}})\n"
        "def emit(change):\n    time.sleep(1)\n    print(change, flush=True)\n"
        f"app = receiver({{'n': spec}}, Secrets(SecretStr({SECRET!r})), emit)\n"
        "serve_receiver(app, '127.0.0.1', 0, ready=lambda address: print(address, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=-1, stderr=-1, text=True) as process:
        url = process.stdout.readline().strip()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            reply = pool.submit(
                httpx.post,
                f"{url}/generic/n",
                content=CHANGED,
                headers=JSON | {"authorization": f"Bearer {token('/generic/n')}"},
                trust_env=False,
                timeout=20,
            )
            time.sleep(0.8)  # gathered, and being sent
            process.send_signal(stop)
            assert reply.result().status_code == 202
        output, errors = process.communicate(timeout=30)
    assert (output, errors) == ("n: 1 changed, 1 removed\n", "")
    assert process.returncode in {0, -stop}
