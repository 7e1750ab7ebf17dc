"""The client services are called with: as many connections as allowed, used again, and let go of."""

import asyncio
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from relance.http.client import RequestError, TimeoutException, open_client


class Counting(ThreadingHTTPServer):
    """Counts connections, and requests that are answered at once; `/slow` says `arrived` and waits for `release`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.connections = self.answering = self.most = 0
        self.lock, self.release, self.arrived = threading.Lock(), threading.Event(), threading.Semaphore(0)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        server: Any = self.server
        with server.lock:
            server.connections += 1

    def do_GET(self):
        server: Any = self.server
        with server.lock:
            server.answering += 1
            server.most = max(server.most, server.answering)
        if self.path == "/slow":
            server.arrived.release()
            server.release.wait(10)
        body = b"x" * 100_000 if self.path == "/long" else self.headers["x-who"].encode()
        with server.lock:
            server.answering -= 1
        with contextlib.suppress(OSError):  # the client has given up
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002  # the base class has it so
        pass


@contextlib.contextmanager
def serving():
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


def calling(use, *, connections=4, timeout_s=10.0):
    """Run `use(client)` and close the client."""

    async def main():
        client = open_client(timeout_s=timeout_s, connections=connections, headers={"x-who": "me"})
        try:
            return await use(client)
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_requests_one_after_the_other_share_a_connection():
    with serving() as server:

        async def use(client):
            return [(await client.request("GET", f"{server.url}/{n}")).text for n in range(5)]

        assert calling(use) == ["me"] * 5
        assert server.connections == 1


def test_no_more_requests_are_open_at_once_than_allowed_and_none_is_forgotten():
    with serving() as server:

        async def use(client):
            waiting = [asyncio.create_task(client.request("GET", f"{server.url}/slow")) for _ in range(30)]
            for _ in range(4):
                await asyncio.to_thread(server.arrived.acquire)
            server.release.set()
            return [response.status_code for response in await asyncio.gather(*waiting)]

        assert calling(use) == [200] * 30
        assert server.most == 4
        assert server.connections == 4


def test_a_connection_whose_request_was_cancelled_or_timed_out_is_replaced():
    with serving() as server:

        async def use(client):
            given_up = asyncio.create_task(client.request("GET", f"{server.url}/slow"))
            await asyncio.to_thread(server.arrived.acquire)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            with pytest.raises(TimeoutException):
                await client.request("GET", f"{server.url}/slow")
            return (await client.request("GET", f"{server.url}/")).text

        assert calling(use, connections=1, timeout_s=0.3) == "me"
        assert server.connections == 3


def test_an_answer_that_is_streamed_holds_its_connection_until_it_is_read_or_left():
    with serving() as server:

        async def use(client):
            async with client.stream("GET", f"{server.url}/long") as response:
                other = asyncio.create_task(client.request("GET", f"{server.url}/"))
                length = sum([len(part) async for part in response.aiter_bytes()])
                assert not other.done()
            async with client.stream("GET", f"{server.url}/long"):
                pass  # left without a look
            return length, (await other).text

        assert calling(use, connections=1) == (100_000, "me")


def test_nothing_can_be_asked_of_a_service_that_is_not_there():
    with serving() as server:
        url = server.url

    async def use(client):
        for _ in range(3):
            with pytest.raises(RequestError):
                await client.request("GET", url)

    calling(use, connections=1)
