"""The example of a plug-in as its author has it: installed beside the wheel, tested, listed, and at work."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from installed import ROOT, Installed, install

EXAMPLE = ROOT / "examples" / "plugin"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stranger(dists: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment with the wheel, the example and pytest, and a folder with the example's index."""
    base = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, base / "source")
    [wheel] = WheelBuilder(str(source)).build(directory=str(base), versions=["standard"])
    programs = install(base / "venv", str(dists[1]), str(wheel), "pytest>=9")
    (base / "mine").mkdir()
    (base / "home").mkdir()
    shutil.copy(EXAMPLE / "notes.yaml", base / "mine" / "index.yaml")
    return Installed(programs, base / "mine", base / "home")


def test_it_keeps_the_contracts(stranger: Installed) -> None:
    tests = shutil.copytree(EXAMPLE / "tests", stranger.home.parent / "tests")
    done = subprocess.run([str(stranger.programs / "pytest"), "-q", "-W", "error", str(tests)], cwd=tests,
                          env=stranger.environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_it_is_listed_and_known_to_the_schema(stranger: Installed) -> None:
    listed = {(row["group"], row["name"]): row for row in stranger.json("plugins")["plugins"]}
    for group, name in (("sources", "notes"), ("chunkers", "sentences"), ("providers", "ngrams")):
        row = listed[group, name]
        assert (row["package"], row["package_version"], row["problem"]) == ("relance-example", "1.0", None)
        assert row["title"]
        assert row["version"]
    assert listed["sources", "files"]["package"] == "relance"
    schema = stranger.json("schema")
    assert {"NotesSpec", "SentencesSpec", "NgramsSpec"} <= schema["$defs"].keys()


def test_it_indexes_and_finds_something(stranger: Installed) -> None:
    path = stranger.folder / "notes.db"
    with closing(sqlite3.connect(path)) as notes:
        notes.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, changed TEXT)")
        notes.execute("INSERT INTO notes VALUES (1, 'The ferry leaves at nine. It is blue. Tea is served.', 'a')")
        notes.execute("INSERT INTO notes VALUES (2, 'Sensors hang below the bridge.', 'a')")
        notes.commit()
    report = stranger.json("ingest", ".", "--direct")
    assert (report["added"], report["chunks"], report["failed"]) == (2, 3, 0)
    found = stranger.json("search", ".", "where are sensors", "--mode", "dense", "-k", "1")
    assert [hit["uri"] for hit in found["hits"]] == ["notes.db/notes/2"]
    assert stranger.json("ingest", ".", "--direct")["unchanged"] == 2
    with closing(sqlite3.connect(path)) as notes:
        notes.execute("UPDATE notes SET body = 'The ferry leaves at ten.', changed = 'b' WHERE id = 1")
        notes.execute("DELETE FROM notes WHERE id = 2")
        notes.commit()
    report = stranger.json("ingest", ".", "--direct")
    assert (report["changed"], report["removed"]) == (1, 1)
    through_prefect = stranger.run("ingest", ".")
    assert through_prefect.returncode == 0, through_prefect.stderr


def test_a_mistake_in_its_section_is_answered_like_one_in_ours(stranger: Installed) -> None:
    text = (EXAMPLE / "notes.yaml").read_text(encoding="utf-8")
    wrong = stranger.folder / "wrong.yaml"
    wrong.write_text(text.replace("together: 2", "togeter: 2").replace("type: notes", "type: note"), encoding="utf-8")
    done = stranger.run("plan", "wrong.yaml")
    assert done.returncode == 2
    assert "sources[0].type: expected one of " in done.stderr
    assert "got 'note'; did you mean 'notes'?" in done.stderr
    assert "chunking.togeter: unknown key 'togeter'; did you mean 'together'?" in done.stderr
