"""`relance doctor`: exit codes, the table, the lines on a narrow terminal, and JSON."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Run, one_message

from relance.index import Index
from relance.store import open_store

pytestmark = pytest.mark.usefixtures("own_temporary_folder")


def table(spec: Path) -> str:
    return Index(spec).table().name


def test_a_healthy_index_is_one_line(run: Run, ingested: Path) -> None:
    ran = run("doctor", ingested)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("notes is healthy: 4 tables, ")
    assert ran.out.count("\n") == 1
    assert "cache entries: 2 in" in ran.out


def test_what_is_wrong_is_a_table_and_repaired(run: Run, ingested: Path) -> None:
    Index(ingested).table().delete("uri = 'docs/rivers.md'")
    ran = run("doctor", ingested)
    assert ran.code == 1
    for words in ("documents-torn", "docs/rivers.md", "marks them", "nothing is bought again", "1 problem, 0 notes"):
        assert words in ran.out
    assert "│" in ran.out
    ran = run("doctor", ingested, "--repair")
    assert ran.code == 0
    assert "`relance ingest` writes 1 document again, then the index is in sync" in ran.out
    assert run("doctor", ingested).code == 1, "it is not in sync before that"
    assert run("ingest", ingested, "--direct").code == 0
    assert run("doctor", ingested).code == 0
    assert run("search", ingested, "gauge").out.count("docs/rivers.md") == 1


def test_a_narrow_terminal_gets_lines(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Index(ingested).table().delete("uri = 'docs/rivers.md'")
    monkeypatch.setenv("COLUMNS", "60")
    ran = run("doctor", ingested)
    assert "│" not in ran.out
    assert f"✗ {table(ingested)}  documents-torn\n" in ran.out
    assert "    docs/rivers.md\n" in ran.out


def test_json_has_everything(run: Run, ingested: Path) -> None:
    store = open_store(Index(ingested).spec)
    assert store.local is not None
    shutil.rmtree(store.local / f"{table(ingested)}.lance")
    found = run("doctor", ingested, "--json")
    assert found.code == 1
    assert found.json["schema_version"] == 1
    assert {each["code"] for each in found.json["findings"]} == {"alias-dangling", "documents-torn"}
    assert all(each["state"] == "found" and each["remedy"] for each in found.json["findings"])
    done = run("doctor", ingested, "--repair", "--json")
    assert done.code == 0
    assert done.json["healthy"]
    assert done.json["counts"] == {"found": 0, "repaired": 0, "waiting": 3, "left": 0}
    assert done.json["waiting"] == 2


def test_what_cannot_be_repaired_is_left_and_said(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Index(ingested).table().delete("uri = 'docs/rivers.md'")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("relance.store.doctor.marking.mark_torn", full)
    ran = run("doctor", ingested, "--repair", "--json")
    assert ran.code == 1
    assert [(each["state"], each["done"]) for each in ran.json["findings"]] == [
        ("left", "failed: No space left on device")
    ]


def test_a_check_that_fails_does_not_end_the_others(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("never thought of")

    monkeypatch.setattr("relance.store.doctor.documents.find_torn", broken)
    Index(ingested).table().drop_index("words_idx")
    ran = run("doctor", ingested, "--json")
    assert ran.code == 1
    assert [each["code"] for each in ran.json["findings"]] == ["index-missing", "check-failed"]
    assert "never thought of" in ran.json["findings"][1]["what"]


def test_a_spec_that_is_wrong_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", tmp_path / "nowhere.yaml")
    assert ran.code == 2
    assert "nowhere.yaml" in one_message(ran)
