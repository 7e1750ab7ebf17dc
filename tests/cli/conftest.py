"""An index of two notes, as a spec only and ingested."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from notes import declare

from relance.index import Index


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return declare(tmp_path)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index that was ingested once."""
    folder = tmp_path_factory.mktemp("pattern")
    Index(declare(folder)).ingest()
    return folder


@pytest.fixture
def ingested(pattern: Path, tmp_path: Path) -> Path:
    """The spec of a copy of it."""
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    return tmp_path / "index.yaml"
