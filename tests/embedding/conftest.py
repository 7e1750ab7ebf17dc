"""Fixtures that several files of tests of embedding share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import batch_emulator as batches
import dashscope_service as dashscope
import openai_service as openai
import pytest
import stamina
from pytest_httpserver import HTTPServer

from relance.index import Index
from relance.pipeline.run import Ingestion


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
) -> Callable[..., AbstractContextManager[Ingestion]]:
    """Enter a run in batch mode; keywords are for the section `embedding`, `sections` for others."""

    @contextmanager
    def enter(
        at: batches.Service = batch_emulator, sections: dict[str, Any] | None = None, **fields: Any
    ) -> Generator[Ingestion]:
        with Ingestion(make_index(embedding=batches.embedding_for(at, **fields), **(sections or {})).spec) as run:
            yield run

    return enter
