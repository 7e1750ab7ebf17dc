"""A folder of documents, and what it means that an index is in sync with its source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rows import rows

from relance.index import Index


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest.fixture
def in_sync(make_index: Callable[..., Index], tmp_path: Path) -> Callable[[Index], None]:
    """Check that an index holds exactly what a new one over the same sources would."""
    names = iter(range(100))

    def check(index: Index) -> None:
        fresh = Index(index.spec.model_copy(update={"store": index.spec.store.model_copy(
            update={"uri": str(tmp_path / f"fresh{next(names)}")})}))  # fmt: skip
        fresh.ingest()
        assert rows(index, vectors=True) == rows(fresh, vectors=True)
        assert index.status().documents == fresh.status().documents

    return check
