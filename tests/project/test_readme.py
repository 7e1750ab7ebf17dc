"""What the README says, and the pages that carry on from it, is what happens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from relance.config.load import parse_spec
from relance.errors import SpecError

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ONE_FILE = "docs/one-file.md"


def blocks(language: str, page: str = "README.md") -> list[str]:
    """Return the fenced blocks of a page in a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what git would clone."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source, target = ROOT / name, tmp_path / "relance" / name
        if name and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return tmp_path / "relance"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_command_installs_indexes_and_finds(checkout: Path, tmp_path: Path) -> None:
    """Run in a fresh copy with an empty home; only the cache of downloads is shared."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on PATH")
    install, *steps = blocks("sh")[0].strip().split(" && ")
    assert install == "pip install -q uv"
    cache = subprocess.run([uv, "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "VIRTUAL_ENV"))}
    path = f"{Path(uv).parent}{os.pathsep}{os.environ['PATH']}"
    environment |= {"HOME": str(tmp_path / "home"), "UV_CACHE_DIR": cache, "COLUMNS": "100", "PATH": path}
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        " && ".join(steps), shell=True, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert all(line.startswith("handbook: ") for line in said), "how far it is, on a machine that is busy"
    assert "handbook: completed" in done.stdout
    assert "45 added" in done.stdout
    shown = blocks("text")[0]
    assert "45 added" in shown
    first_hit = re.search(r"^1\. (\S+)", done.stdout, flags=re.MULTILINE)
    assert first_hit is not None
    assert f"1. {first_hit[1]}" in shown
    assert "Traceback" not in done.stdout
    assert not any(word in done.stdout for word in ("WARN", "Stopping temporary server"))


def test_the_second_command_is_what_ci_runs() -> None:
    command = blocks("sh")[1].strip()
    steps = command.removeprefix("pip install -q uv && ")
    assert steps != command
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert f'  {steps} "$@" || again "$@"' in lines
    assert lines[-2:] == ["try", "exit $status"], "the command as it stands is the last"


def test_the_built_file_is_called_as_the_readme_says(dists: tuple[Path, Path]) -> None:
    assert f"uv tool install ./dist/{dists[1].name}\n" in README


def test_the_declared_example_loads(tmp_path: Path) -> None:
    spec = parse_spec(blocks("yaml", ONE_FILE)[0], "index.yaml", tmp_path)
    assert spec.name == "handbook"
    assert spec.limits.max_cost_usd == 5


def test_the_shown_mistake_is_told_like_that(tmp_path: Path) -> None:
    wrong = blocks("yaml", ONE_FILE)[0].replace("max_tokens", "max_token")
    shown = (
        next(block for block in blocks("text", ONE_FILE) if "did you mean" in block).strip().removeprefix("relance: ")
    )
    with pytest.raises(SpecError) as told:
        parse_spec(wrong, "index.yaml", tmp_path)
    assert str(told.value) == shown


def test_the_python_example_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "handbook", tmp_path / "examples" / "handbook")
    shutil.rmtree(tmp_path / "examples" / "handbook" / "lancedb", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-c", blocks("python", "docs/use.md")[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "docs/" in done.stdout


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_it_is_one_screen_and_the_sources() -> None:
    """Below 65 lines before the tables of sources: all else has a page of its own."""
    assert len(README.partition("\n## Sources\n")[0].splitlines()) < 65
