"""What a source has and the index has not is counted by reason; what is not whole is a warning."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relance.index import Index
from relance.parsers import Parsed, Parser, Raw


@pytest.fixture
def whole(tmp_path: Path) -> Callable[..., Index]:
    """Make an index over its own folder, where its spec, schema and store lie, too."""

    def make(**plugins: Any) -> Index:
        spec = "name: whole\nsources: [{type: files, root: .}]\nembedding: {model: fake/hash}\nstore: {uri: db}\n"
        (tmp_path / "index.yaml").write_text(spec, encoding="utf-8")
        (tmp_path / "index.schema.json").write_text("{}", encoding="utf-8")
        return Index(tmp_path / "index.yaml", **plugins)

    return make


def test_all_that_is_there_is_indexed_or_counted(whole: Callable[..., Index], tmp_path: Path) -> None:
    for name, text in {
        "a.md": "A gauge.", ".hidden.md": "x", ".cache/deep/b.md": "x", "old/c.md": "x", "old/d.md": "x",
        "disk.iso": "x", "core.bin": "x", "other.iso": "x", "none.txt": "", "draft.tmp.md": "x",
        "other.lance/data/0.txt": "x", "sub/.gitignore": "*.log.txt\n", "sub/y.log.txt": "x",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / ".gitignore").write_text("old/\n*.tmp.md\n", encoding="utf-8")
    (tmp_path / "link.md").symlink_to("a.md")
    os.mkfifo(tmp_path / "pipe.md")
    index = whole()
    plan = index.plan()
    report = index.ingest()
    assert report.status == "completed"
    assert (report.added, report.failed) == (1, 0)
    assert plan.ignored == report.ignored
    counts = {reason: (each["files"], each["folders"]) for reason, each in report.ignored.items()}
    assert counts == {
        "hidden": (3, 1), "type that is not read": (3, 0), "by .gitignore": (2, 1), "empty": (1, 0),
        "LanceDB table": (0, 1), "link that is not followed (follow_symlinks)": (1, 0), "no regular file": (1, 0),
    }  # fmt: skip
    assert report.ignored["type that is not read"]["kinds"] == {".iso": 2, ".bin": 1}
    again = index.ingest()
    assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, 1)
    assert index.status().ignored == report.ignored


def test_a_document_without_text_is_no_failure_and_what_was_indexed_of_it_goes(
    make_index: Callable[..., Index], docs: Path
) -> None:
    page = docs / "_index.md"
    page.write_text("---\ntitle: Weirs\n---\n", encoding="utf-8")
    (docs / "b.md").write_text("A gauge.", encoding="utf-8")
    index = make_index()
    report = index.ingest()
    assert (report.status, report.failed, report.empty, report.chunks) == ("completed", 0, 1, 1)
    assert index.failures() == []
    assert index.ingest().unchanged == 2
    page.write_text("---\ntitle: Weirs\n---\nThe weir is dry.\n", encoding="utf-8")
    assert (index.ingest().chunks, index.status().chunks) == (1, 2)
    page.write_text("---\ntitle: Weirs, again\n---\n", encoding="utf-8")
    report = index.ingest()
    assert (report.changed, report.empty, index.status().chunks) == (1, 1, 1)
    assert index.ingest().unchanged == 2
    page.unlink()
    assert index.ingest().removed == 1


class Letters(Parser):
    """Reads what is between words it cannot read."""

    version = "letters-1"
    media_types = ("application/x-letters",)
    suffixes = {"letters": "application/x-letters"}  # noqa: RUF012  # never changed

    def parse(self, raw: Raw) -> Parsed:
        text = raw.data.decode()
        lost = text.count("???")
        return Parsed(text.replace("???", ""), warnings=(f"{lost} words cannot be read",) if lost else ())


def test_a_warning_stays_as_long_as_its_document_is_as_it_was(make_index: Callable[..., Index], docs: Path) -> None:
    for name in "abc":
        (docs / f"{name}.letters").write_text(f"{name} ??? rain", encoding="utf-8")
    index = Index(make_index().spec, parsers={"letters": Letters})
    assert index.plan().warned == 3
    report = index.ingest()
    assert (report.status, report.added, report.failed, report.warned) == ("completed", 3, 0, 3)
    assert report.warnings[0].reason == "1 words cannot be read"
    (docs / "a.letters").write_text("a clear sky", encoding="utf-8")
    (docs / "b.letters").unlink()
    report = index.ingest()
    assert (report.warned, report.changed, report.removed, report.unchanged) == (0, 1, 1, 1)
    assert [(row.uri, row.indexed) for row in index.failures()] == [("docs/c.letters", True)]
    status = index.status()
    assert (status.failures, status.warnings) == (0, 1)


def test_a_source_without_documents_says_so(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "a.iso").write_text("x", encoding="utf-8")
    index = make_index()
    (note,) = index.plan().notes
    assert note == "sources[0] (files) has nothing to index; is its place right?"
    assert note in index.ingest().notes


def test_a_program_without_a_suffix_is_no_failure_and_a_text_is_read(
    make_index: Callable[..., Index], docs: Path
) -> None:
    (docs / "tool").write_bytes(b"\x7fELF" + bytes(range(256)) * 8)
    (docs / "NOTES").write_text("The weir is dry.", encoding="utf-8")
    report = make_index().ingest()
    assert (report.status, report.failed, report.empty, report.chunks) == ("completed", 0, 1, 1)
