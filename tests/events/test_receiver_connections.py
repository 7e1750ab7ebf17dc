"""Slow, huge, broken and hostile connections: none does harm, and none holds up the others."""

import contextlib
import socket
import threading
import time
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receivers import BEARER, CHANGED, JSON, OSS, PUSH, S3, Receiver, github, signed, token

from relance.events.connection import ConnectionLimits
from relance.events.receiver import KINDS, Limits
from relance.events.serve import running_receiver


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def head(length: str = "content-length: 100") -> bytes:
    lines = [
        "POST /generic/handbook HTTP/1.1",
        "host: x",
        "content-type: application/json",
        f"authorization: Bearer {token('/generic/handbook')}",
        length,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            data += part
    return data


@pytest.mark.parametrize("drip", [[], [b" "] * 40])
def test_a_body_that_takes_for_ever_is_given_up(desk, drip):
    began = time.monotonic()
    with connect(desk.url) as connection:
        connection.sendall(head())
        stop = threading.Event()

        def trickle():
            for byte in drip:
                if stop.wait(0.1):
                    return
                try:
                    connection.sendall(byte)
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        data = read(connection)
        stop.set()
        thread.join()
    assert data.startswith(b"HTTP/1.1 408 ")
    assert b"more than 1 seconds" in data
    assert 0.9 < time.monotonic() - began < 3.5


@pytest.mark.parametrize("sent", [b"", b"POST /generic/handbook HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_takes_for_ever_is_given_up(desk, sent):
    began = time.monotonic()
    with connect(desk.url) as connection:
        connection.sendall(sent)
        assert read(connection) == b""
    assert time.monotonic() - began < 3


def test_a_second_head_that_takes_for_ever_is_given_up(desk):
    with connect(desk.url) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /he")
        began = time.monotonic()
        data = b""
        while b'"ok"' not in data:
            data += connection.recv(65536)
        connection.sendall(b"alth")
        assert read(connection) == b""
    assert time.monotonic() - began < 3


def test_a_head_that_is_too_large_is_refused(desk):
    with connect(desk.url) as connection:
        with contextlib.suppress(OSError):  # it may have hung up by then
            connection.sendall(b"POST / HTTP/1.1\r\nx: " + b"y" * 200_000)
        assert read(connection)[:13] in {b"HTTP/1.1 400 ", b""}


def test_a_body_said_to_be_huge_is_not_waited_for(desk):
    began = time.monotonic()
    with connect(desk.url) as connection:
        connection.sendall(head("content-length: 99999999999"))
        assert read(connection).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 0.9


def test_a_body_that_never_ends_is_cut(desk):
    with connect(desk.url) as connection:
        connection.sendall(head("transfer-encoding: chunked"))
        with pytest.raises(OSError):  # noqa: PT011  # a pipe that broke, or a connection that was reset
            while True:
                connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
    assert desk.events == []
    assert desk.post("/health", None, {}, "GET").status_code == 200


def test_without_a_key_no_body_is_read(desk):
    with connect(desk.url) as connection:
        connection.sendall(head().replace(b"Bearer ", b"Bearer x"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_sender_that_breaks_off_does_no_harm(desk):
    with connect(desk.url) as connection:
        connection.sendall(head() + b"{")
    assert desk.post("/generic/handbook").status_code == 202


class Crowd:
    """Connections that are opened, and sent something each."""

    def __init__(self, url):
        self.url, self.open = url, contextlib.ExitStack()

    def add(self, count, content):
        for number in range(count):
            connection = self.open.enter_context(connect(self.url))
            connection.sendall(content(number) if callable(content) else content)


def slow_signed(number: int) -> bytes:
    """A head that says that what follows is signed, which nobody can know before it has come."""
    signature = signed(b"%d" % number)["x-relance-signature"]
    return head().replace(b"authorization: Bearer", f"x-relance-signature: {signature}\r\nx:".encode())


def answers(desk, first: int = 0, count: int = 5) -> float:
    """Post some valid requests over new connections, and return how long the slowest took, in seconds."""
    took = []
    for number in range(first, first + count):
        for headers in (None, signed(b'{"changed": ["docs/%d.md"]}' % number)):
            began = time.monotonic()
            body = b'{"changed": ["docs/%d.md"]}' % number
            with httpx.Client(trust_env=False, timeout=20) as desk.client:
                assert desk.post("/generic/handbook", body, headers).status_code == 202
            took.append(time.monotonic() - began)
    return max(took)


@pytest.mark.parametrize("slow", [head(), slow_signed], ids=["with a token", "signed"])
def test_slow_and_idle_senders_do_not_hold_up_the_others(tmp_path, slow):
    desk = Receiver(tmp_path)
    limits = Limits(gather_s=0.01)
    few = ConnectionLimits(most=400, strangers=100)
    with running_receiver(desk.app(limits), limits=few) as desk.url:
        alone = answers(desk)
        crowd = Crowd(desk.url)
        with crowd.open:
            crowd.add(200, slow)
            crowd.add(500, b"")
            assert answers(desk, first=5) < max(1.0, 3 * alone)  # a place is waited for ten seconds or more


def test_who_has_proved_itself_does_not_give_way(tmp_path):
    desk = Receiver(tmp_path)
    few = ConnectionLimits(most=20, strangers=10)
    with running_receiver(desk.app(), limits=few) as desk.url, connect(desk.url) as slow:
        slow.sendall(head("content-length: 25"))
        time.sleep(0.2)
        crowd = Crowd(desk.url)
        with crowd.open:
            crowd.add(50, b"")
            slow.sendall(b'{"changed":["docs/a.md"]}')
            assert slow.recv(65536).startswith(b"HTTP/1.1 202 ")


def test_an_idle_crowd_is_cut_down_to_what_an_address_may_have(tmp_path):
    few = ConnectionLimits(most=50, strangers=10)
    with running_receiver(Receiver(tmp_path).app(), limits=few) as url, contextlib.ExitStack() as opened:
        connections = [opened.enter_context(connect(url)) for _ in range(40)]
        time.sleep(0.3)
        gone = [_is_closed(connection) for connection in connections]
    assert gone == [True] * 30 + [False] * 10


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_who_is_refused_and_goes_on_sending_is_cut_off(desk):
    with connect(desk.url) as connection:
        connection.sendall(head("content-length: 99999").replace(b"Bearer ", b"Bearer x"))
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 5:
                connection.sendall(b" ")
                time.sleep(0.05)
        assert time.monotonic() - began < 2


def test_bodies_take_no_more_memory_than_there_is_and_the_slowest_give_way(tmp_path):
    desk = Receiver(tmp_path)
    limits = Limits(request_s=5.0, gather_s=0.01, body_bytes=10_000, memory_bytes=30_000)
    with running_receiver(desk.app(limits)) as desk.url, desk.client:
        crowd = Crowd(desk.url)
        with crowd.open as opened:
            slow = opened.enter_context(connect(desk.url))
            slow.sendall(head("content-length: 9000") + b" " * 8000)
            time.sleep(0.2)
            crowd.add(3, head("content-length: 9000") + b" " * 8000)
            assert slow.recv(65536).startswith(b"HTTP/1.1 503 ")
            assert desk.post("/generic/handbook").status_code == 202


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    desk = Receiver(tmp_path_factory.mktemp("shared"))
    with (
        running_receiver(desk.app(limits=Limits(gather_s=0.001, per_second=1e6, burst=10**6))) as desk.url,
        desk.client,
    ):
        yield desk


@settings(max_examples=150)
@given(body=st.binary(max_size=200) | st.sampled_from([CHANGED, S3, OSS, PUSH]), kind=st.sampled_from(KINDS), query=st.text(max_size=20),
       index=st.sampled_from(["handbook", "handbook", "x", "%00", "%ff"]))  # fmt: skip
def test_no_bytes_make_it_fail(shared, body, kind, query, index):
    headers = github(body, index=index) if kind == "github" else JSON | BEARER
    reply = shared.post(f"/{kind}/{index}?{urlencode({'prefix': query, 'root': query})}", body, headers)
    assert reply.status_code in {202, 400, 404, 409}
    assert {"error", "status"} & set(reply.json())


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["authorization", "x-relance-signature", "x-hub-signature-256", "x-eventbridge-signature-token", "content-type"]),
                       st.binary(max_size=80).map(lambda value: bytes(byte for byte in value if byte > 32 and byte != 127))),
       st.sampled_from(KINDS))  # fmt: skip
def test_no_headers_make_it_fail(shared, headers, kind):
    reply = shared.post(f"/{kind}/handbook", CHANGED, headers)
    assert reply.status_code in {401, 415}
