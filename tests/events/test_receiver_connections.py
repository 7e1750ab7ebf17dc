"""Slow, huge, broken and hostile connections: none does harm, and none holds up the others."""

import contextlib
import socket
import threading
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receivers import BEARER, CHANGED, JSON, OSS, PUSH, S3, SECRET, Receiver, github

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
        f"authorization: Bearer {SECRET}",
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
        connection.sendall(head().replace(SECRET.encode(), b"nonsense"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_sender_that_breaks_off_does_no_harm(desk):
    with connect(desk.url) as connection:
        connection.sendall(head() + b"{")
    assert desk.post("/generic/handbook").status_code == 202


def test_slow_senders_do_not_hold_up_the_others(desk):
    slow = [connect(desk.url) for _ in range(40)]
    for connection in slow:
        connection.sendall(head())
    began = time.monotonic()
    assert desk.post("/generic/handbook").status_code == 202
    assert time.monotonic() - began < 0.9
    for connection in slow:
        connection.close()


def test_no_more_bodies_are_read_at_once_than_memory_is_there_for():
    desk = Receiver()
    limits = Limits(request_s=1.0, gather_s=0.01, bodies=1)
    with running_receiver(desk.app(limits)) as desk.url, desk.client, connect(desk.url) as slow:
        slow.sendall(head())
        time.sleep(0.3)
        began = time.monotonic()
        assert desk.post("/generic/handbook").status_code in {202, 408}  # as the one before it is given up
        assert time.monotonic() - began > 0.4


@pytest.fixture(scope="module")
def shared():
    desk = Receiver()
    with (
        running_receiver(desk.app(limits=Limits(gather_s=0.001, per_second=1e6, burst=10**6))) as desk.url,
        httpx.Client(base_url=desk.url, trust_env=False) as client,
    ):
        yield client


@settings(max_examples=150)
@given(body=st.binary(max_size=200) | st.sampled_from([CHANGED, S3, OSS, PUSH]), kind=st.sampled_from(KINDS), query=st.text(max_size=20),
       index=st.sampled_from(["handbook", "handbook", "x", "%00", "%ff"]))  # fmt: skip
def test_no_bytes_make_it_fail(shared, body, kind, query, index):
    headers = github(body) if kind == "github" else JSON | BEARER
    reply = shared.post(f"/{kind}/{index}", content=body, headers=headers, params={"prefix": query, "root": query})
    assert reply.status_code in {202, 400, 404, 409}
    assert {"error", "status"} & set(reply.json())


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["authorization", "x-relance-signature", "x-hub-signature-256", "x-eventbridge-signature-token", "content-type"]),
                       st.binary(max_size=80).map(lambda value: bytes(byte for byte in value if byte > 32 and byte != 127))),
       st.sampled_from(KINDS))  # fmt: skip
def test_no_headers_make_it_fail(shared, headers, kind):
    reply = shared.post(f"/{kind}/handbook", content=CHANGED, headers=list(headers.items()))
    assert reply.status_code in {401, 415}
