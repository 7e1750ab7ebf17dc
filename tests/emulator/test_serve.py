"""Starting and stopping."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relance.errors import ConfigurationError, MissingExtraError
from relance.http.server import listening, serving
from relance_emulator import EmulatorConfig, running
from relance_emulator.serve import serve

NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"


def test_importing_it_loads_no_server_and_no_media_library():
    heavy = "starlette uvicorn httpx PIL av multipart tiktoken"
    code = (
        "import sys, pkgutil, importlib, relance_emulator as package\n"
        "skipped = {'connection'}\n"  # the protocol is a subclass of uvicorn's, and is loaded with it
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    module.name in skipped or importlib.import_module(f'relance_emulator.{module.name}')\n"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_its_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    with pytest.raises(
        MissingExtraError, match=r"^relance emulator needs an extra: pip install 'relance\[emulator\]'$"
    ):
        serve(EmulatorConfig(vectors="hash"))


def test_it_leaves_no_thread_and_no_open_connection():
    threads = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with running(EmulatorConfig(vectors="hash")) as url, httpx.Client(trust_env=False) as client:
                assert client.get(f"{url}/_emulator/health").json()["status"] == "ok"
    assert threading.active_count() == threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/_emulator/health", trust_env=False)


def test_it_stops_although_calls_are_waiting():
    with running(EmulatorConfig(vectors="hash")) as url, httpx.Client(trust_env=False) as client:
        client.post(f"{url}/_emulator/faults", json=[{"action": "slow", "seconds": 60}])
        failed = []

        def ask():
            try:
                httpx.post(f"{url}{NATIVE}", json={"model": "x"}, trust_env=False, timeout=30)
            except httpx.HTTPError as error:
                failed.append(error)

        waiting = threading.Thread(target=ask)
        waiting.start()
        while not client.get(f"{url}/_emulator/stats").json()["in_flight"]:
            time.sleep(0.01)
        began = time.monotonic()
    waiting.join()
    assert time.monotonic() - began < 15
    assert failed or not waiting.is_alive()


def test_a_port_that_is_taken_is_said_in_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve(EmulatorConfig(port=port))


def test_a_model_that_does_not_exist_is_said_before_anything_starts():
    config: Any = {"vectors": "local/nonesuch"}
    with pytest.raises(ConfigurationError, match="nonesuch"), running(EmulatorConfig(**config)):
        pass


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_served_emulator_stops_quietly(stop):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        f"from relance_emulator.serve import EmulatorConfig, serve\nserve(EmulatorConfig(port={port}, vectors='hash'))"
    )
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=-1, stderr=-1, env=dict(os.environ))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/_emulator/health", trust_env=False)
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    process.send_signal(stop)
    output, errors = process.communicate(timeout=30)
    assert (output, errors) == (b"", b"")
    assert process.returncode in {0, -stop}


def test_a_mistake_in_the_emulator_itself_shows(monkeypatch):
    async def broken(*_):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("relance_emulator.vectors.Vectors.of_texts", broken)
    monkeypatch.setattr("relance_emulator.service.Service.warm", broken_warm)
    with running(EmulatorConfig(vectors="hash")) as url:
        body = {"model": "text-embedding-v4", "input": {"texts": ["a"]}}
        reply = httpx.post(f"{url}{NATIVE}", json=body, headers={"authorization": "Bearer sk-x"}, trust_env=False)
    assert reply.status_code == 500
    assert "oops" in reply.json()["message"]


async def broken_warm(_):
    """Skip warming up."""


def test_a_server_that_ends_closes_the_connection_of_somebody_who_does_not_read() -> None:
    def large(request: Request) -> Response:
        return Response(b"x" * 20_000_000)

    app = Starlette(routes=[Route("/", large)])
    config = uvicorn.Config(
        app, loop="asyncio", lifespan="off", log_config=None, log_level="critical", timeout_graceful_shutdown=1
    )
    with (
        warnings.catch_warnings(record=True) as said,
        listening("127.0.0.1", 0, "It cannot listen") as (listener, _),
        socket.create_connection(listener.getsockname()) as client,
    ):
        warnings.simplefilter("always")
        with serving(uvicorn.Server(config), listener, "server"):
            client.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        gc.collect()
    assert [str(each.message) for each in said if "unclosed transport" in str(each.message)] == []
