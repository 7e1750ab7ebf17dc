"""The programs of examples/programs answer from the handbook, and docs/integrations.md shows what runs."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from relance.index import Index

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "examples" / "programs"
PAGE = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
QUOTED = [block for block in BLOCKS if not re.search(r"^from relance\.", block, flags=re.MULTILINE)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with examples/handbook, indexed."""
    folder = tmp_path_factory.mktemp("checkout")
    handbook = folder / "examples" / "handbook"
    shutil.copytree(ROOT / "examples" / "handbook", handbook, ignore=shutil.ignore_patterns("lancedb"))
    assert Index(handbook).ingest().failed == 0
    return folder


@pytest.mark.parametrize("program", ["ask_langchain.py", "ask_llama_index.py"])
def test_a_program_answers_with_citations(
    program: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(sys, "argv", [program, "examples/handbook", "How long are images from bank cameras kept?"])
    runpy.run_path(str(PROGRAMS / program), run_name="__main__")
    answer, citations = capsys.readouterr().out.rsplit("\n\n", 1)
    assert "72 hours, 30 days during a flood" in answer
    first, *others = citations.strip().splitlines()
    assert first == "[1] docs/engineering/data-retention.md, line 8: What we keep, and for how long"
    assert [line[:4] for line in others] == ["[2] ", "[3] "]


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block not in QUOTED], ids=["langchain", "store", "llama_index", "haystack"]
)
def test_a_block_runs(
    block: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    names: dict[str, object] = {}
    exec(compile(block, "integrations.md", "exec"), names)
    assert "docs/engineering/" in capsys.readouterr().out
    for name in ("same", "again"):
        assert names.get(name, "not in this block")


def test_the_other_blocks_are_those_of_the_programs() -> None:
    programs = [file.read_text(encoding="utf-8") for file in PROGRAMS.glob("*.py")]
    assert len(QUOTED) == 2
    for block in QUOTED:
        assert any(block in program for program in programs), block


def test_the_programs_are_listed() -> None:
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for file in PROGRAMS.glob("*.py"):
        assert f"`programs/{file.name}`" in listed
        assert f"(../examples/programs/{file.name})" in PAGE
