"""What `relance init` finds in a folder decides what is indexed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_line import Run

from relance.cli.declare import init
from relance.config.load import load_spec
from relance.errors import InputError
from relance.index import Index


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., Path]:
    def write(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"This is {name}.", encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("there", "indexed"),
    [
        (["notes/a.md", "b.txt"], ["b.txt", "notes/a.md"]),
        (["docs/a.md", "README.md"], ["README.md", "docs/a.md"]),
        (["docs/a.md", "docs/b.py"], ["docs/a.md", "docs/b.py"]),
        (["docs/a.md", "src/main.py", "pyproject.toml"], ["docs/a.md"]),
        (["src/main.py"], ["src/main.py"]),
        (["a.md", "venv/lib/x.py", "node_modules/x/README.md", ".git/x.md"], ["a.md"]),
        (["secret.md", "a.md", ".gitignore"], ["a.md"]),
        (["a.md", "other/index.schema.json"], ["a.md"]),
        (["picture.xyz"], ["docs/welcome.md"]),
        ([], ["docs/welcome.md"]),
    ],
)
def test_the_documents_that_are_there_are_indexed_and_nothing_of_ours(
    fill: Callable[..., Path], there: list[str], indexed: list[str]
) -> None:
    folder = fill(*there)
    if ".gitignore" in there:
        (folder / ".gitignore").write_text("secret.md\n", encoding="utf-8")
    assert init(folder, prefect=True) == 0
    for _ in range(2):  # the second run sees what the first has written
        report = Index(folder).ingest()
        assert (report.status, report.failed) == ("completed", 0)
    assert report.added == 0
    rows = Index(folder).table().search().limit(None).to_list()
    assert sorted({row["uri"] for row in rows}) == indexed


def test_a_prefect_file_is_written_beside_an_index_that_is_there(fill: Callable[..., Path]) -> None:
    folder = fill("docs/a.md")
    assert init(folder, name="2024") == 0
    (folder / "index.yaml").rename(folder / "index.yml")
    with pytest.raises(InputError, match=r"index\.yml is there already"):
        init(folder)
    assert init(folder, prefect=True) == 0
    assert load_spec(folder).name == "2024"
    declared = yaml.safe_load((folder / "prefect.yaml").read_text(encoding="utf-8"))
    assert declared["build"] == [{"relance_operate.steps.index": {"id": "index", "spec": "index.yml"}}]
    assert [(each["name"], each["parameters"]["index"]) for each in declared["deployments"]] == [("2024", "2024")] * 2
    with pytest.raises(InputError, match=r"prefect\.yaml is there already"):
        init(folder, prefect=True)


def test_it_ends_with_what_an_ingest_would_read_and_cost(fill: Callable[..., Path], run: Run) -> None:
    fill("docs/a.md", "docs/b.txt", "docs/c.md")
    shown = run("init").out.splitlines()
    assert shown[0] == "wrote  index.yaml, an index of ./docs"
    assert shown[1] == "found  3 files: 2 text/markdown, 1 text/plain"
    assert shown[2].startswith("plan   3 documents, 3 chunks, ")
    assert shown[2].endswith(" tokens, $0.0000 by local/wordllama")
    assert "relance ingest" in shown[3]
    (plan,) = [run("plan", "--json").json]
    assert f"{plan['chunks']} chunks, {plan['tokens']} tokens" in shown[2]
    assert not Path("lancedb").exists(), "nothing is ingested by it"
