"""docs/architecture.md names what there is, and its walks go from room to room."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# `relance` never imports what stands above it: these steps are taken by the name of a module.
BY_NAME = {"infra/relance_operate/launch.py", "flows/relance_flows/ingest.py"}


def walk(of: str) -> list[str]:
    """Return the files of a walk, in order."""
    section = PAGE.partition(f"## The walk of one {of}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d\. `(.+?\.py)`", section, flags=re.MULTILINE)


def imported(path: Path) -> set[str]:
    """Return the modules that a file, or the files beside it, name in an import."""
    files = [path] if path.name == "index.py" else path.parent.rglob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    return {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def room(path: str) -> str:
    """Name the package of a file as an import does."""
    parts = [part for part in Path(path).with_suffix("").parts if part not in {"src", "infra", "flows", "tasks"}]
    return ".".join(parts[:2]) if parts[0] == "relance" else parts[0]


@pytest.mark.parametrize(("of", "length"), [("document", 6), ("query", 5)])
def test_a_walk_goes_on_and_never_back(of: str, length: int) -> None:
    files = walk(of)
    assert len(files) == len({room(each) for each in files}) == length <= 6
    for here, there in pairwise(files):
        assert (ROOT / there).is_file()
        if there not in BY_NAME and room(here) != "relance.store":  # search asks both, first the store
            assert any(f"{name}.".startswith(f"{room(there)}.") for name in imported(ROOT / here)), (here, there)
        assert not any(f"{name}.".startswith(f"{room(here)}.") for name in imported(ROOT / there)), (there, here)


def test_the_rooms_and_their_levels_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each.get("containers") == ["relance"])
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", PAGE, flags=re.MULTILINE)
    described = [{name.removesuffix(".py") for name in re.findall(r"`(.+?)`", cell)} for _, cell in rows]
    assert described == [set(layer.split(" | ")) for layer in layers]
    assert [int(level) for level, _ in rows] == list(range(len(rows), 0, -1))


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r"`((?:src|flows|tasks|infra|tests)/\S+?\.py)`", PAGE):
        assert (ROOT / name).is_file(), name


def test_the_picture_is_one_and_shows_the_rooms_of_the_walks() -> None:
    picture = ROOT / "docs" / re.findall(r"!\[.+?\]\((.+?)\)", PAGE)[0]
    words = " ".join(ET.parse(picture).getroot().itertext())
    for name in {room(each).rpartition(".")[2] for of in ("document", "query") for each in walk(of)}:
        assert name in words
    assert "docs/architecture.md" in (ROOT / "README.md").read_text(encoding="utf-8")
