"""What is shipped."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import relance

ROOT = Path(__file__).parents[2]


def test_public_names_are_sorted_and_there() -> None:
    assert relance.__all__ == sorted(relance.__all__)
    for name in relance.__all__:
        assert getattr(relance, name) is not None
    assert dir(relance) == relance.__all__
    with pytest.raises(AttributeError, match="no attribute 'Indexes'"):
        getattr(relance, "Indexes")  # noqa: B009  # a type checker refuses the attribute, too


def test_type_checkers_see_the_public_names() -> None:
    tree = ast.parse((ROOT / "src" / "relance" / "__init__.py").read_text(encoding="utf-8"))
    branch = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.name for node in branch.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted([*seen, "__version__"]) == relance.__all__


def test_importing_relance_does_not_wait_for_its_libraries() -> None:
    told = (
        "import sys, relance; dir(relance); print(sorted({'lancedb', 'numpy', 'pydantic', 'anyio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_said_once_and_the_same() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert relance.__version__ == declared
    assert f"## {declared}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_does_not_know_prefect(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.split(".")[0] == "prefect" for name in names)


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"relance"}
    assert "relance/embedding/qwen.tiktoken.gz" in names
    assert "relance/py.typed" in names


def test_no_lock_file_is_kept() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "uv.lock" in ignored
