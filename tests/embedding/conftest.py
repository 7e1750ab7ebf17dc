"""Fixtures that several files of tests of embedding share."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import dashscope_service as dashscope
import openai_service as openai
import pytest
import stamina
from pytest_httpserver import HTTPServer


@pytest.fixture
def no_backoff() -> Generator[None]:
    """No pauses between a hundred attempts."""
    with stamina.set_testing(True, attempts=100, cap=True):
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
