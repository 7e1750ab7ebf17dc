"""What a run shows in Prefect of documents that are not for everybody: that there are some, and no name or reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relance.config import IndexSpec
from relance.index import Index
from relance.pipeline.report import Report
from relance.sources import open_sources
from relance.store.failures import Failure
from relance_tasks.artifacts import failures_markdown, in_one_look, report_markdown, told, why
from relance_tasks.restricted import is_for_everybody

SECRET = "Xanthippe"


def declare(folder: Path, *, restricted: bool = True, **others: Any) -> IndexSpec:
    for name in ("open", "shut", "open/inner"):
        (folder / name).mkdir(exist_ok=True)
    access = {"access": {"field": "readers"}} if restricted else {}
    sources = [{"type": "files", "root": "open"}, {"type": "files", "root": "shut", "rows": {}, **access}]
    declared = {"name": "ferry", "sources": sources, "embedding": {"model": "fake/hash"}, "store": {"uri": "db"}}
    return IndexSpec.model_validate(declared | {"folder": folder} | others)


def failures() -> list[Failure]:
    """Two of each source, one without a source, and one of a row."""
    uris = [f"open/a{n}.md" for n in range(2)] + [f"shut/{SECRET}{n}.md" for n in range(2)]
    uris += [f"gone/{SECRET}.md", f"shut/t.jsonl#{SECRET}"]
    return [Failure(uri, f"it says {SECRET}" if SECRET in uri else "it is torn", "parse") for uri in uris]


def test_failures_are_counted_and_not_named(tmp_path: Path) -> None:
    page = failures_markdown(failures(), declare(tmp_path))
    assert SECRET not in page
    assert page.count("it is torn") == 2, "once for two documents, and in the advice"
    assert "4 of sources with `access` are not named here" in page


def test_where_nothing_is_restricted_all_are_named(tmp_path: Path) -> None:
    page = failures_markdown(failures(), declare(tmp_path, restricted=False))
    assert page.count(SECRET) == 6, "four documents, their reason, and the advice"
    assert "not named" not in page


@pytest.mark.parametrize(("chosen", "line"), [
    (slice(None), "6 documents failed: it is torn (2)"),
    (slice(2, None), "4 documents failed: `relance failures` says why"),
])  # fmt: skip
def test_reasons_in_the_log_are_of_documents_that_are_for_everybody(tmp_path: Path, chosen: slice, line: str) -> None:
    report = Report(index="ferry", run_id="r", part="text")
    for failure in failures()[chosen]:
        report.fail(failure)
    assert why(report, declare(tmp_path)) == line


@pytest.mark.parametrize(("uri", "everybody"), [
    ("open/a.md", True), ("open/t.jsonl#1", True), ("open/t.jsonl#shut/1#2", True), ("open/p.md#../shut/a.png", True),
    ("shut/a.md", False), ("shut/t.jsonl#1", False), ("shut/t.jsonl#open/a.md", False), ("shut/p.md#x.png", False),
    ("nowhere/a.md", False), ("", False),
])  # fmt: skip
def test_whose_document_it_is(tmp_path: Path, uri: str, *, everybody: bool) -> None:
    assert is_for_everybody(uri, open_sources(declare(tmp_path))) is everybody


def test_a_document_of_two_sources_is_restricted_where_one_of_them_is(tmp_path: Path) -> None:
    inner = [
        {"type": "files", "root": "open"},
        {"type": "files", "root": "open/inner", "access": {"principals": ["a"]}},
    ]
    sources = open_sources(declare(tmp_path, sources=inner))
    assert is_for_everybody("open/a.md", sources)
    assert not is_for_everybody("open/inner/a.md", sources)


def test_what_a_run_over_restricted_documents_tells_names_none(tmp_path: Path) -> None:
    spec = declare(tmp_path)
    (tmp_path / "open/a.md").write_text("# A\n\nThe ferry.\n")
    (tmp_path / f"shut/{SECRET}.md").write_text(f"# {SECRET}\n\nThe ferry of {SECRET}.\n")  # says nothing: a warning
    (tmp_path / f"shut/{SECRET}.docx").write_bytes(b"no office document")
    report = Index(spec).ingest()
    assert (report.failed, report.warned) == (1, 1)
    assert SECRET in str(report.failures)
    for page in (told(report), why(report, spec), report_markdown(report), failures_markdown(report.failures, spec)):
        assert SECRET not in page


def test_the_first_lines_of_a_summary_say_what_changed_what_it_cost_what_to_do_and_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report(index="ferry", run_id="r", part="text", added=3, tokens=1200, cost_usd=0.012, unchanged=9)
    monkeypatch.delenv("RELANCE_EXPLORE_URL", raising=False)
    spec = declare(tmp_path)
    lines = [line for line in report_markdown(report, spec).splitlines() if line]
    assert lines[0] == "**ferry: completed.** 3 added, 9 unchanged; 1,200 tokens for $0.0120."
    assert lines[1:3] == ["**To do:** nothing.", f"**Look:** `relance explore {tmp_path}`"]
    assert in_one_look(report) == "3 added; cost $0.0120."

    for failure in [*failures(), Failure("open/b.md", "no answer", "embed", retryable=True)]:
        report.fail(failure)
    report.status = "completed with failures"
    monkeypatch.setenv("RELANCE_EXPLORE_URL", "https://search.example.org/{index}/")
    page = report_markdown(report, spec)
    assert "- 1 document may pass without you: the next run tries again" in page
    assert "- 2 documents: it is torn → " in page
    assert "- 4 documents of sources with `access`: `relance failures` says why" in page
    assert "](<https://search.example.org/ferry/failures>)" in page
    assert SECRET not in page
    assert "7 documents failed: the artifact of failures says what to do" in in_one_look(report)
