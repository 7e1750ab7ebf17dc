"""What is shipped."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from installed import Installed

import relance
from relance.index import Index

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


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_whole_product_and_nothing_else(dists: tuple[Path, Path]) -> None:
    files = contents(dists[1])
    tops = {name.split("/")[0] for name in files}
    ours = {"relance", "relance_emulator", "relance_flows", "relance_tasks", "relance_operate"}
    assert {top for top in tops if not top.endswith(".dist-info")} == ours
    assert "relance/embedding/qwen.tiktoken.gz" in files
    assert "relance/py.typed" in files
    assert "relance_flows/ingest.py" in files
    metadata = next(content for name, content in files.items() if name.endswith("METADATA")).decode()
    assert "License-File: NOTICE" in metadata
    assert not [name for name, content in files.items() if str(ROOT).encode() in content]


def test_the_source_distribution_builds_the_same_wheel(dists: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(dists[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    [again] = WheelBuilder(str(folder)).build(directory=str(tmp_path / "dist"), versions=["standard"])
    assert contents(Path(again)) == contents(dists[1])
    assert {"README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "prefect.yaml", "tests/conftest.py"} <= names
    junk = ("lancedb/", "__pycache__/", "uv.lock", ".env")
    assert not [name for name in names if name.endswith(junk) or any(f"/{each}" in name for each in junk[:2])]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_folder_with_documents_is_indexed_from_the_wheel_by_three_commands(installed: Installed) -> None:
    docs = ROOT / "examples" / "handbook" / "docs"
    taken = {"page.html": "people/remote-work.html", "papers/heron.pdf": "field/mounting-a-heron.pdf",
             "papers/old/visit.docx": "field/site-visit-checklist.docx", "leave.md": "people/leave.md"}  # fmt: skip
    (installed.folder / "papers" / "old").mkdir(parents=True)
    for name, source in taken.items():
        shutil.copy2(docs / source, installed.folder / name)
    assert installed.run("init", ".").returncode == 0
    report = installed.json("ingest", ".")
    code = {f"{name}/__init__.py" for name in ("flows", "tasks", "infra")}
    assert (report["status"], report["added"], report["failed"]) == ("completed", len(taken) + len(code), 0)
    assert report["startup"]["server"] > 0, "it ran through Prefect, on a server of its own"
    index = Index(installed.folder)
    assert {row["uri"] for row in index.table().search().limit(None).to_list()} == taken.keys() | code
    hits = installed.json("search", ".", "how is a gauge mounted on a bridge?")["hits"]
    assert hits[0]["uri"] == "papers/heron.pdf"

    version = index.status().table_version
    again = installed.json("ingest", ".")
    assert (again["status"], again["added"], again["embedded"]) == ("completed", 0, 0)
    assert again["unchanged"] == report["added"]
    assert installed.json("status", ".")["table_version"] == version
    plan = installed.json("plan", ".")
    assert (plan["added"], plan["changed"], plan["removed"], plan["tokens"]) == (0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_folder_without_documents_gets_one_that_is_found(installed: Installed) -> None:
    for name in ("flows", "tasks", "infra"):  # what no parser reads
        (installed.folder / name / "data.bin").write_bytes(b"\0")
        (installed.folder / name / "__init__.py").rename(installed.folder / name / "__init__.pyc")
    assert installed.run("init", ".").returncode == 0
    assert installed.json("ingest", ".")["added"] == 1
    assert installed.json("search", ".", "what was written by init?")["hits"][0]["uri"] == "docs/welcome.md"


@pytest.mark.slow
def test_what_the_wheel_lacks_is_told_in_one_line(installed: Installed) -> None:
    blocked = {"name": "blocked", "sources": [{"type": "files", "root": "."}], "store": {"block": "shared"}}
    (installed.folder / "index.yaml").write_text(yaml.safe_dump(blocked), encoding="utf-8")
    for command, says in {
        "emulator": "relance emulator needs an extra: uv pip install 'relance[emulator] @ file://",
        "status": "store.block: the block lancedb-store/shared is kept by a Prefect server, and no Prefect server",
    }.items():
        told = installed.run(command, *([] if command == "emulator" else ["."]))
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith(f"relance: {says}")
        assert told.stderr.count("\n") == 1


def test_no_lock_file_is_kept() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "uv.lock" in ignored
