"""Indexes that are served over a real socket."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from relance.config import IndexSpec
from relance.index import Index
from relance.serve import ServeConfig, running
from relance.serve.tokens import Tokens

Serve = Callable[..., httpx.Client]
ROOT = Path(__file__).parents[2]


def tokens(**entries: dict[str, Any]) -> Tokens:
    """Make tokens that are called as their names: `ada` is sent as `token-of-ada`."""
    import yaml

    listed = [{"name": name, "sha256": hashlib.sha256(f"token-of-{name}".encode()).hexdigest(), **entry}
              for name, entry in entries.items()]  # fmt: skip
    return Tokens.parse(yaml.safe_dump({"tokens": listed}))


def bearer(name: str) -> dict[str, str]:
    """Send the token of a name."""
    return {"authorization": f"Bearer token-of-{name}"}


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Serve indexes until the module is over; returns a client."""
    with ExitStack() as stack:

        def started(indexes: Sequence[Index] | Index, **config: Any) -> httpx.Client:
            indexes = [indexes] if isinstance(indexes, Index) else indexes
            address = stack.enter_context(running(indexes, ServeConfig(port=0, **config)))
            return stack.enter_context(httpx.Client(base_url=address, trust_env=False, timeout=60))

        yield started


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """A few texts that no test changes."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "docs/deep").mkdir(parents=True)
    parts = "\n".join(
        f"## Part {n}\n\nThe ferry leaves at {n} o'clock, as part {n} of the timetable says.\n" for n in range(6)
    )
    (folder / "docs/ferry.md").write_text(f"---\nyear: 2021\n---\n# Ferry\n\n{parts}", encoding="utf-8")
    (folder / "docs/deep/valve.md").write_text("---\nyear: 2019\n---\n# Valve\n\nThe valve stops water.\n")
    (folder / "docs/水位.txt").write_text("水位传感器每小时测量一次水位。", encoding="utf-8")
    index = Index(
        IndexSpec.model_validate(
            {"name": "small", "sources": [{"type": "files", "root": "docs"}], "embedding": {"model": "fake/hash"},
             "chunking": {"strategy": "markdown", "max_tokens": 32}, "store": {"uri": "db"}, "folder": folder}
        )
    )  # fmt: skip
    index.ingest()
    return index


@pytest.fixture(scope="session")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handbook of the examples, indexed."""
    folder = tmp_path_factory.mktemp("checkout") / "examples/handbook"
    shutil.copytree(ROOT / "examples/handbook", folder, ignore=shutil.ignore_patterns("lancedb"))
    Index(folder).ingest()
    return folder
