"""`relance explore`: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from files import put

from relance.errors import ConfigurationError
from relance.explore import ExploreConfig, running
from relance.index import Index


@pytest.fixture
def spec(declare: Callable[..., Path], docs: Path) -> Path:
    put(docs / "pump.md", "# Pump\n\nIt moves water.")
    path = declare()
    Index(path).ingest()
    return path


@contextmanager
def started(*arguments: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "relance.cli.main", "explore", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_prints_an_address_that_works_and_ends_with_ctrl_c(spec: Path) -> None:
    with started(str(spec), "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/\?token=[\w-]{43})\n", line)
        assert found, line
        with httpx.Client(trust_env=False, follow_redirects=True) as client:
            assert "notes" in client.get(found[1]).text
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


def test_it_says_the_address_as_json(spec: Path) -> None:
    with started(str(spec), "--port", "0", "--json") as process:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "}\n")) + "}"
    assert json.loads(said)["url"].startswith("http://127.0.0.1:")


def test_each_start_has_another_token() -> None:
    configs = [ExploreConfig() for _ in range(10)]
    assert len({config.token.get_secret_value() for config in configs}) == 10
    assert not [config for config in configs if config.token.get_secret_value() in repr(config)]


@pytest.mark.parametrize("port", ["99999", "65536", "-1"])
def test_a_port_that_is_none_is_said(spec: Path, port: str) -> None:
    with started(str(spec), "--port", port) as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "Traceback" not in out + err
    assert "Must be" in out + err
    with (
        pytest.raises(ConfigurationError, match="cannot listen on port"),
        running(Index(spec), ExploreConfig(int(port))),
    ):
        pass


def test_a_port_that_is_taken_is_said(spec: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with (
            pytest.raises(ConfigurationError, match="choose another port"),
            running(Index(spec), ExploreConfig(port=other.getsockname()[1])),
        ):
            pass
