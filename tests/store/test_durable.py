"""A power cut takes nothing of a run that has ended, and no vector that was bought."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hurt_stores import build

from relance.store import Store
from relance.store.embeddings import EmbeddingStore


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Collect what is synced, by its place."""
    found: set[Path] = set()
    sync = os.fsync

    def note(number: int) -> None:
        found.add(Path(f"/proc/self/fd/{number}").readlink())
        sync(number)

    monkeypatch.setattr(os, "fsync", note)
    return found


def kept(folder: Path) -> set[Path]:
    """Name what a table needs to be read: its files and folders, but for notes of transactions and hints."""
    wanted = {path for path in folder.rglob("*") if path.suffix in {".lance", ".manifest", ".arrow", ".bin"}}
    return {path for path in wanted if path.is_file()} | {path.parent for path in wanted if path.is_file()}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells what is synced by /proc")
def test_all_files_of_a_run_are_synced_when_it_ends(tmp_path: Path, synced: set[Path]) -> None:
    folder = build(tmp_path / "index") / "db"
    tables = [path for path in folder.glob("notes__*.lance") if not path.name.endswith("__failures.lance")]
    assert len(tables) == 2
    for table in tables:
        assert {path for path in kept(table) if path.exists()} <= synced
    assert folder in synced, "the names of new tables"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells what is synced by /proc")
def test_the_journal_goes_when_the_table_of_vectors_is_synced(
    tmp_path: Path, synced: set[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / "db"), storage_options={}, api_key="")
    cache = EmbeddingStore(store, "s", 4)
    cache.put([f"{number:032x}" for number in range(3)], np.ones((3, 4), np.float32))
    left: list[set[Path]] = []
    unlink: Callable[..., None] = Path.unlink

    def note(path: Path, **options: bool) -> None:
        if path.suffix == ".vectors":
            left.append(kept(tmp_path / "db" / "relance__vectors__s.lance") - synced)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", note)
    cache.flush()
    assert left == [set()]
    cache.close()
