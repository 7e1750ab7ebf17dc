"""Files of a store are emptied, cut in half or removed: the next run heals it, and searches go on."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hurt_stores import HOW, build, copy, files_of, hurt, open_index, table_of, worth

from relance.errors import RelanceError
from relance.index import Index

PARTS = ("data", "_versions", "_deletions", "_indices")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def undisturbed(whole: Path) -> str:
    return worth(open_index(whole))


def newest(folder: Path) -> list[Path]:
    """Name the newest file of each part of each table."""
    found: dict[tuple[str, ...], Path] = {}
    for path in files_of(folder):
        if len(path.parts) < 3 or path.parts[1] not in PARTS or not (folder / "db" / path).is_file():
            continue
        if path.suffix == ".json":  # a hint that is not needed
            continue
        last = found.setdefault(path.parts[:2], path)
        # The names of versions count down.
        if path.parts[1] != "_versions" and _age(folder / "db" / path) > _age(folder / "db" / last):
            found[path.parts[:2]] = path
    return list(found.values())


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


def searches(index: Index) -> None:
    for mode in ("dense", "full-text", "hybrid"):
        assert len(index.search("river gauge", mode=mode)), mode


def outcome(folder: Path, undisturbed: str, emulator: str = "") -> str:
    """Let a run meet a hurt store; returns `healed`, or the sentence that says why not. Anything else is raised."""
    with contextlib.suppress(RelanceError):
        searches(open_index(folder, emulator))
    try:
        open_index(folder, emulator).ingest()
        index = open_index(folder, emulator)
        if worth(index) != undisturbed:
            return "differs"
        searches(index)
        assert index.runs()
    except RelanceError as error:
        return str(error)
    return "healed"


def test_the_newest_file_of_each_part_of_each_table_is_hurt(whole: Path, undisturbed: str, tmp_path: Path) -> None:
    """Each is hurt in one of the three ways, by turns; `-m long` hurts every file in every way."""
    found = {}
    for path, how in zip(newest(whole), itertools.cycle(HOW), strict=False):
        folder = copy(whole, tmp_path / "store")
        hurt(folder / "db" / path, how)
        found[path.as_posix(), how] = outcome(folder, undisturbed)
    assert {each: what for each, what in found.items() if what != "healed"} == {}
    assert len(found) >= 14, "chunks, documents, failures, catalog, log of runs, vectors"


def media_tables(folder: Path) -> set[str]:
    """Name the tables of the pictures: of their rows, documents and failures."""
    return {each.name for each in (folder / "db").glob("notes__media__*.lance")}


@pytest.mark.long
def test_the_newest_files_of_the_pictures_are_hurt(tmp_path: Path, emulator_server: Any) -> None:
    url = emulator_server.url
    whole = build(tmp_path / "gallery", url)
    expected, tables = worth(open_index(whole, url)), media_tables(whole)
    states = [path for path in newest(whole) if path.parts[0] in tables and path.parts[1] in {"data", "_versions"}]
    assert len(states) == 6, "rows, documents and failures"
    found = {}
    for path, how in zip(states, itertools.cycle(HOW), strict=False):
        folder = copy(whole, tmp_path / "store")
        hurt(folder / "db" / path, how)
        found[path.as_posix(), how] = outcome(folder, expected, url)
    assert {each: what for each, what in found.items() if what != "healed"} == {}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("media", [False, True], ids=["texts", "texts and pictures"])
def test_each_file_is_hurt_in_each_way(media: bool, tmp_path: Path, emulator_server: Any) -> None:
    emulator = emulator_server.url if media else ""
    whole = build(tmp_path / "whole", emulator)
    undisturbed = worth(open_index(whole, emulator))
    states = [(path, how) for path in files_of(whole) for how in HOW
              if how == "removed" or (whole / "db" / path).is_file()]  # fmt: skip
    found = {}
    for path, how in states:
        folder = copy(whole, tmp_path / "store")
        hurt(folder / "db" / path, how)
        found[path, how] = outcome(folder, undisturbed, emulator)
    healed = Counter(table_of(path) for (path, _), what in found.items() if what == "healed")
    total = Counter(table_of(path) for path, _ in found)
    left = {f"{path} {how}": what for (path, how), what in found.items() if what != "healed"}
    figures = ", ".join(f"{table} {healed[table]} of {count}" for table, count in total.items())
    sys.stderr.write(f"healed: {figures}; left: {left}\n")  # with -s
    assert len(states) > 100, figures
    assert healed.total() >= 0.8 * len(states), figures
    assert "differs" not in left.values(), "what is not healed is named"
