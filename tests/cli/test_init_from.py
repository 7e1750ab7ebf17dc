"""`relance init --from` writes a spec that works, after a look at what is there."""

from __future__ import annotations

from pathlib import Path

import yaml


def test_a_folder_elsewhere_becomes_a_source_relative_to_the_spec(run, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.md").write_text("# Pumps\n\nA pump moves water.")
    (tmp_path / "mine/b.bin").write_bytes(b"\0\1")
    monkeypatch.chdir(tmp_path)
    ran = run("init", "new", "--from", "mine")
    assert ran.code == 0
    assert "found 1 document (1 text/markdown)" in ran.out
    assert "left out: 1 type that is not read" in ran.out
    spec = yaml.safe_load(Path("new/index.yaml").read_text())
    assert spec["sources"] == [{"type": "files", "root": "../mine"}]
    assert run("ingest", "new", "--direct").code == 0
    assert "A pump moves water." in run("search", "new", "water").out


def test_an_address_of_no_source_is_a_mistake_with_examples(run, tmp_path):
    ran = run("init", str(tmp_path / "new"), "--from", "gopher://host/x")
    assert ran.code == 2
    assert "is the address of no source; examples are s3://" in " ".join(ran.err.split())
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_missing_leaves_nothing_behind(run, tmp_path):
    ran = run("init", str(tmp_path / "new"), "--from", str(tmp_path / "nowhere"))
    assert ran.code == 2
    assert "does not exist" in ran.err
    assert not (tmp_path / "new").exists()


def test_an_index_that_is_there_stays(run, tmp_path):
    assert run("init", str(tmp_path)).code == 0
    before = (tmp_path / "index.yaml").read_text()
    ran = run("init", str(tmp_path), "--from", str(tmp_path / "docs"))
    assert ran.code == 2
    assert (tmp_path / "index.yaml").read_text() == before
