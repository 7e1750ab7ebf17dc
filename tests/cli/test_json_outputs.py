"""JSON outputs: what docs/json.md says of them is what they are."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from command_line import Run
from notes import declare

from relance.cli.main import app
from relance.index import Index
from relance.search.hit import Hit

PAGE = (Path(__file__).parents[2] / "docs/json.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `relance (.+?)` \| (.+) \|$", PAGE, flags=re.MULTILINE))
SERVED = {"deploy", "emit", "explore"}  # need a server, or are one; their own tests run them


def keys(text: str) -> set[str]:
    """Return the keys that are always there."""
    return set(re.findall(r"`([a-z_0-9]+)`", text.partition(";")[0]))


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of eight notes, ingested twice."""
    folder = tmp_path_factory.mktemp("lakes")
    spec = declare(folder)
    for number in range(6):
        (folder / f"docs/lake-{number}.md").write_text(f"# Lake {number}\n\nA lake, a boat and a pier.\n", "utf-8")
    (folder / "golden.yaml").write_text("- {query: river, documents: [docs/rivers.md]}\n- {query: , documents: [a]}\n")
    Index(spec).ingest()
    (folder / "docs/lake-0.md").write_text("# Lake\n\nDried up.\n", encoding="utf-8")
    Index(spec).ingest()
    return folder


@pytest.mark.parametrize("command", [row for row in ROWS if row not in SERVED])
def test_an_output_has_the_keys_of_the_page(run: Run, lakes: Path, tmp_path: Path, command: str) -> None:
    shutil.copytree(lakes, tmp_path, dirs_exist_ok=True)
    ran = run(*shlex.split(command), "--json")
    assert ran.code == 0, ran.err
    assert next(iter(ran.json)) == "schema_version"
    assert ran.json["schema_version"] == 1
    said = ROWS[command].replace("and those of `cluster`", ROWS["cluster -k 2"])
    assert ran.json.keys() - {"schema_version"} == keys(said)


def test_the_page_has_every_command_that_takes_json() -> None:
    taking = {
        name
        for name in app
        if not name.startswith("-") and any("--json" in each.names for each in app[name].assemble_argument_collection())
    }
    assert taking == {row.split()[0] for row in ROWS}


def test_the_page_has_the_keys_of_a_hit() -> None:
    listed = PAGE.partition("A hit has these keys")[2].partition("A change of a plan")[0].partition("\n\n")[2]
    assert set(re.findall(r"`(\w+)`", listed)) == {field.name for field in fields(Hit)}
