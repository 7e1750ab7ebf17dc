"""Fixtures that several files of tests of embedding share."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import stamina


@pytest.fixture
def no_backoff() -> Generator[None]:
    """No pauses between a hundred attempts."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield
