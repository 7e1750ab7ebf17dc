"""Fixtures that several files of tests of embedding share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import batch_emulator as batches
import dashscope_service as dashscope
import emulated_runs as runs
import openai_service as openai
import pytest
import stamina
import yaml
from command_line import Ran, Run
from parts import entered
from pytest_httpserver import HTTPServer

from relance.index import Index
from relance.pipeline.coordinator import Coordinator


@pytest.fixture
def no_backoff() -> Generator[None]:
    """No pauses between a hundred attempts."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def impatient() -> Generator[None]:
    """No pauses between twenty attempts."""
    with stamina.set_testing(True, attempts=20, cap=True):
        yield


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Any:
    """The service that the tests of a file speak to: one of the fixtures below, which the file names as `SERVICE`."""
    return request.getfixturevalue(request.module.SERVICE)


@pytest.fixture
def dashscope_service(httpserver: HTTPServer) -> dashscope.Service:
    """A service on the loopback address that speaks DashScope's own protocol and does what a test says."""
    return dashscope.Service(httpserver)


@pytest.fixture
def openai_service(httpserver: HTTPServer) -> openai.Service:
    """An OpenAI-compatible service on the loopback address that does what a test says."""
    return openai.Service(httpserver)


@pytest.fixture(scope="module")
def batch_emulator_url() -> Generator[str]:
    """Start one emulator for the tests of a file: its batches take 50 ms."""
    with batches.emulating(batch_s=0.05) as url:
        yield url


@pytest.fixture
def batch_emulator(batch_emulator_url: str) -> batches.Service:
    """An emulator that takes batches and knows nothing of earlier tests."""
    service = batches.Service(batch_emulator_url)
    service.post("reset")
    return service


@pytest.fixture
def start(
    make_index: Callable[..., Index], batch_emulator: batches.Service
) -> Callable[..., AbstractContextManager[Coordinator]]:
    """Enter a run in batch mode; keywords are for the section `embedding`, `sections` for others."""

    @contextmanager
    def enter(
        at: batches.Service = batch_emulator, sections: dict[str, Any] | None = None, **fields: Any
    ) -> Generator[Coordinator]:
        with entered(make_index(embedding=batches.embedding_for(at, **fields), **(sections or {})).spec) as run:
            yield run

    return enter


@pytest.fixture(scope="module")
def emulator_of_file() -> Generator[runs.Service]:
    """Start one emulator without limits for the tests of a file."""
    with runs.emulating() as service:
        yield service


@pytest.fixture
def run_emulator(emulator_of_file: runs.Service) -> runs.Service:
    """An emulator without limits that has counted nothing yet."""
    emulator_of_file.reset()
    return emulator_of_file


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with a key, which it never shows."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", runs.KEY)

    def call(*arguments: str | Path) -> Ran:
        ran = run(*arguments)
        assert runs.KEY not in ran.out + ran.err
        return ran

    return call


@pytest.fixture
def declare(tmp_path: Path, docs: Path) -> Callable[..., Path]:
    """Write the spec of an index over the texts; keywords are for the section `embedding`, `sections` for others."""

    def write_spec(
        service: runs.Service, *, name: str = "runs", sections: dict[str, Any] | None = None, **fields: Any
    ) -> Path:
        embedding = (
            {"model": runs.V4, "base_url": f"{service.url}/api/v1", "dimension": runs.DIMENSION}
            | runs.NO_LIMITS
            | fields
        )
        declared = {
            "name": name,
            "sources": [
                {
                    "type": "files",
                    "root": str(docs),
                    "include": ["*.jsonl"],
                    "rows": {"id": "_id", "title": "title", "text": ["title", "text"]},
                }
            ],
            "chunking": {"max_tokens": 256},
            "embedding": {key: value for key, value in embedding.items() if value is not None},
            "store": {"uri": str(tmp_path / name)},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(declared | (sections or {})), encoding="utf-8")
        return path

    return write_spec
