"""The layout: who may import whom, no circles, and nothing that has grown too long to read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("*/relance*/__init__.py"))
FILES = [file for package in PACKAGES for file in sorted(package.rglob("*.py"))]


def test_the_packages_are_found() -> None:
    names = ["relance", "relance_emulator", "relance_flows", "relance_operate", "relance_tasks"]
    assert sorted(package.name for package in PACKAGES) == names


def test_rooms_import_only_what_is_below_them() -> None:
    program = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert program is not None
    done = subprocess.run(
        [program, "--no-cache", "--config", ROOT / "pyproject.toml"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_in_a_circle() -> None:
    """The contract looks at siblings; a package's `__init__.py` and what is in it may be a circle, too."""
    graph = grimp.build_graph(*(package.name for package in PACKAGES), cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # CycleError names a circle


def test_no_file_is_too_long() -> None:
    files = [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {file: count for file, count in lines.items() if count > 400} == {}


def test_nothing_is_loose_in_the_core() -> None:
    """The public face, the nouns, the errors: what else there is has a room."""
    assert len(list((ROOT / "src/relance").glob("*.py"))) <= 7


def test_no_test_changes_the_clock_of_the_process() -> None:
    """The loops of servers in other threads go by it, too: one slept for ever, and the suite with it."""
    clock = re.compile(r"setattr\([^)\n]*\btime\b[.\"', ]+(?:monotonic|time|perf_counter)\b")
    changing = [str(file) for file in (ROOT / "tests").rglob("*.py") if clock.search(file.read_text(encoding="utf-8"))]
    assert changing == []
