"""An index whose documents are not all for everybody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relance.index import Index

# Before it is imported: Haystack and LlamaIndex would reach for the network, and for the developer's home.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "false"

SPEC = """\
name: harbour
sources:
  - {type: files, root: docs}
  - {type: files, root: crew, access: {field: readers}}
chunking: {strategy: markdown, max_tokens: 32}
embedding: {model: fake/hash}
store: {uri: db}
"""


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index: three documents for everybody, one for Ada, a table in several chunks."""
    folder = tmp_path_factory.mktemp("harbour")
    docs = folder / "docs"
    docs.mkdir()
    (folder / "crew").mkdir()
    (folder / "index.yaml").write_text(SPEC, encoding="utf-8")
    (docs / "ferry.md").write_text(
        "---\nyear: 2021\ntitle: The ferry\nscore: own\n---\n# Times\n\nThe ferry leaves at nine, at noon, and at four in the afternoon.\n\n"
        "# Fares\n\nThe ferry costs three crowns, and a bicycle nothing at all.\n",
        encoding="utf-8",
    )
    (docs / "bridge.md").write_text("---\nyear: 2019\n---\n# Bridge\n\nNo ferry passes the bridge.\n", encoding="utf-8")
    pay = "---\nreaders: [ada]\n---\n# Pay\n\nThe ferry's crew is paid.\n"
    (folder / "crew" / "pay.md").write_text(pay, encoding="utf-8")
    rows = "\n".join(f"| Pier {i} | ferry number {i} to the island of gulls |" for i in range(12))
    (docs / "piers.md").write_text(f"# Piers\n\n| Pier | Ferry |\n|---|---|\n{rows}\n", encoding="utf-8")
    index = Index(folder)
    assert index.ingest().added == 4
    return folder


@pytest.fixture
def index(harbour: Path) -> Index:
    """The index, read by nobody in particular."""
    return Index(harbour)
