"""A store in the folder of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relance.store import Store


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[], Store]:
    """Open the store with a connection of its own, as another process would."""
    return lambda: Store(str(tmp_path / "db"), storage_options={}, api_key="")


@pytest.fixture
def store(connect: Callable[[], Store]) -> Store:
    return connect()
