"""Indexes that searches are asked of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from relance.config import IndexSpec
from relance.index import Index

BOTH = {"model": "fake/hash", "output_type": "dense&sparse"}


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Documents of several chunks, and two hundred rows, that no test changes."""
    folder = tmp_path_factory.mktemp("features")
    docs = folder / "docs"
    docs.mkdir()
    for name in ("weir", "harbour", "bridge"):
        parts = [
            f"# Part {i}\n\nThe ferry at the {name} leaves at {i} o'clock, and part {i} says so.\n" for i in range(6)
        ]
        (docs / f"{name}.md").write_text(
            f"---\ntags: [{name}, ferry]\nlang: en\n---\n" + "\n".join(parts), encoding="utf-8"
        )
    (docs / "gauge.md").write_text("# Gauge\n\nA river gauge measures the level.\n", encoding="utf-8")
    lines = [{"id": i, "text": f"Reading {i} of the ferry landing, {'dry' if i % 2 else 'wet'}.", "year": 1900 + i, "depth": i / 4}
             for i in range(200)]  # fmt: skip
    (docs / "readings.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    declared = {
        "name": "notes",
        "sources": [{"type": "files", "root": "docs", "rows": {"metadata": ["year", "depth"]}}],
        "chunking": {"strategy": "markdown", "max_tokens": 32},
        "embedding": BOTH,
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(declared))
    index.ingest()
    return index


@pytest.fixture
def few(make_index: Callable[..., Index], docs: Path) -> Index:
    """Three small documents."""
    for name, text in {"a": "A ferry over the river.", "b": "The river ferry.", "c": "Concrete and steel."}.items():
        (docs / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    return index
