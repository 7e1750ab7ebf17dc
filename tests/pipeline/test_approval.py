"""Approval: what costs much or removes much waits for a person, and nothing slips in between."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st

from relance.config.limits import LimitsSpec
from relance.errors import ApprovalNeededError, BudgetError
from relance.index import Index
from relance.pipeline.approval import approval_needed
from relance.pipeline.loss import FEW
from relance.pipeline.plan import Plan
from relance.pipeline.run_handle import RunHandle

Make = Callable[..., Index]
Log = Callable[[], list[str]]

PRICED = {"model": "fake/hash", "price_per_million_tokens": 1000}


def fill(docs: Path, number: int) -> None:
    for i in range(number):
        (docs / f"{i:03}.md").write_text(f"# Note {i}\n\nThe gauge reads {i} metres.\n", encoding="utf-8")


def clear(docs: Path, start: int = 0, end: int = 1000) -> None:
    for path in sorted(docs.iterdir())[start:end]:
        path.unlink()


def uris(index: Index) -> set[str]:
    return set(index.table().to_arrow()["uri"].to_pylist())


@pytest.fixture
def filled(make_index: Make, docs: Path) -> Index:
    """An index of forty documents."""
    fill(docs, 40)
    index = make_index()
    index.ingest()
    return index


# -- the rule ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("removed", "documents", "arriving", "fraction", "asks"),
    [
        (0, 0, 0, 0.5, False),
        (0, 40, 3, 0.0, False),
        (20, 40, 0, 0.5, False),  # half is not more than half
        (21, 40, 0, 0.5, True),
        (40, 40, 40, 0.5, True),  # all renamed, or another folder mounted: nobody can tell
        (9, 10, 0, 0.5, False),  # few
        (9, 10, 0, 0.0, True),  # unless none may go
        (1, 40, 0, 0.0, True),
        (10, 19, 0, 0.5, True),
        (3, 3, 0, 0.5, True),  # nothing would be left
        (3, 3, 1, 0.5, False),
        (1, 1, 0, 0.99, True),
        (40, 40, 0, 1.0, False),  # all may go
    ],
)
def test_what_is_asked_depends_on_how_much_goes_and_whether_anything_stays(
    removed: int, documents: int, arriving: int, fraction: float, asks: bool
) -> None:
    plan = Plan("notes", documents=documents, removed=removed, added=arriving)
    assert bool(approval_needed(plan, LimitsSpec(max_removed_fraction=fraction))) is asks


@given(st.integers(1, 200), st.data())
def test_more_removals_and_stricter_limits_never_need_less_approval(documents: int, data: st.DataObject) -> None:
    fewer, more = sorted(data.draw(st.tuples(st.integers(0, documents), st.integers(0, documents))))
    strict, lax = sorted(data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    reasons = [bool(approval_needed(Plan("n", documents=documents, removed=removed, added=documents - removed),
                                    LimitsSpec(max_removed_fraction=fraction)))
               for removed, fraction in ((fewer, lax), (more, lax), (more, strict))]  # fmt: skip
    assert reasons == sorted(reasons)


@given(st.integers(1, 10_000), st.floats(0, 0.99), st.booleans())
def test_an_index_is_never_emptied_unasked(documents: int, fraction: float, media: bool) -> None:
    emptied = Plan("n", documents=documents, removed=documents)
    plan = Plan("n", documents=1, unchanged=1, media=emptied) if media else emptied
    (reason,) = approval_needed(plan, LimitsSpec(max_removed_fraction=fraction))
    assert f"all {documents:,} {'images and videos' if media else 'documents'}" in reason


def test_costs_are_told_for_all_parts_together_and_unknown_prices_too() -> None:
    limits = LimitsSpec(approve_above_usd=1)
    media = Plan("n", tokens=2000, cost_usd=0.6)
    assert approval_needed(Plan("n", tokens=1000, cost_usd=0.4, media=media), limits) == []
    (reason,) = approval_needed(Plan("n", tokens=1000, cost_usd=0.5, media=media), limits)
    assert reason == "would cost $1.1000 for 3,000 tokens (limits.approve_above_usd is $1)"
    (reason,) = approval_needed(Plan("n", tokens=1000, cost_usd=None), limits)
    assert "1,000 tokens at an unknown price" in reason
    assert approval_needed(Plan("n", tokens=0, cost_usd=None), limits) == []


def test_the_error_survives_being_sent_to_another_process() -> None:
    error = ApprovalNeededError("notes", ["would remove 2 of 3 documents"])
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.reasons) == (str(error), error.reasons)
    assert "notes: this run would remove 2 of 3 documents. Nothing was removed." in str(copy)


# -- the run ----------------------------------------------------------------------------------------------------


def test_an_empty_mount_empties_no_index(filled: Index, docs: Path) -> None:
    before = uris(filled)
    clear(docs)
    with pytest.raises(ApprovalNeededError, match="would remove all 40 documents and bring no others"):
        filled.ingest()
    assert uris(filled) == before
    assert filled.status().documents == 40
    assert filled.runs()[0].status == "failed"
    assert "would remove all 40" in filled.runs()[0].report["notes"][0]


def test_what_was_approved_is_done_and_noted(filled: Index, docs: Path) -> None:
    clear(docs, 0, 30)
    with pytest.raises(ApprovalNeededError) as refused:
        filled.ingest()
    (reason,) = refused.value.reasons
    assert reason == "would remove 30 of 40 documents (limits.max_removed_fraction is 0.5)"
    report = filled.ingest(approved=True)
    assert (report.removed, report.notes) == (30, [f"approved: {reason}"])
    assert filled.runs()[0].report["notes"] == [f"approved: {reason}"]
    assert filled.ingest().notes == [], "nothing was left to approve"


def test_few_removals_and_renames_of_a_small_index_are_not_asked_about(make_index: Make, docs: Path) -> None:
    fill(docs, FEW - 1)
    index = make_index()
    index.ingest()
    clear(docs, 1)
    assert index.ingest().removed == FEW - 2
    (docs / "000.md").rename(docs / "renamed.md")
    report = index.ingest()
    assert (report.added, report.removed) == (1, 1)


def test_what_goes_between_preview_and_run_is_not_removed(filled: Index, docs: Path) -> None:
    assert filled.preview().reasons == []
    clear(docs, 5)
    with pytest.raises(ApprovalNeededError):
        filled.ingest()
    assert len(uris(filled)) == 40


def test_a_refused_run_spends_nothing(filled: Index, docs: Path, log: Log) -> None:
    clear(docs, 1)
    (docs / "new.md").write_text("Something new.", encoding="utf-8")
    with pytest.raises(ApprovalNeededError, match="while 1 are new or changed"):
        filled.ingest()
    assert log() == []


def test_a_run_that_is_stopped_removes_nothing_and_asks_nobody(filled: Index, docs: Path) -> None:
    clear(docs)
    handle = RunHandle()
    handle.stop.set()
    assert filled.ingest(handle=handle).status == "stopped"
    assert len(uris(filled)) == 40


def test_another_model_does_not_hide_that_documents_went(make_index: Make, filled: Index, docs: Path) -> None:
    """The new table begins empty: it is the one readers use that counts."""
    other = make_index(embedding={"model": "fake/hash", "dimension": 32})
    assert other.preview().reasons == []
    clear(docs, 10)
    for index in (other, make_index(embedding={"model": "fake/hash", "dimension": 48})):
        assert index.plan().removed == 30
        with pytest.raises(ApprovalNeededError, match="would remove 30 of 40 documents while 10"):
            index.ingest()
    assert len(uris(other)) == 40
    clear(docs)
    with pytest.raises(ApprovalNeededError, match="all 40"):
        other.ingest()
    assert other.ingest(approved=True).status == "completed"
    assert uris(other) == set()


def test_rows_of_a_file_count_as_documents_and_files_do_not(make_index: Make, docs: Path) -> None:
    source = {"type": "files", "root": str(docs), "rows": {"id": "id", "text": ["text"]}}
    path = docs / "rows.jsonl"

    def save(number: int) -> None:
        path.write_text("".join(json.dumps({"id": i, "text": f"row {i}"}) + "\n" for i in range(number)))

    save(40)
    index = make_index(sources=[source])
    index.ingest()
    save(12)
    with pytest.raises(ApprovalNeededError, match="28 of 40"):
        index.ingest()
    path.unlink()
    with pytest.raises(ApprovalNeededError, match="all 40"):
        index.ingest()


def test_only_asks_for_what_it_would_remove_itself(filled: Index, docs: Path) -> None:
    clear(docs)
    assert filled.ingest(only=["docs/000.md"]).removed == 1
    named = [f"docs/{i:03}.md" for i in range(1, 31)]
    with pytest.raises(ApprovalNeededError, match="30 of 39"):
        filled.ingest(only=named)


def test_media_are_asked_about_for_themselves(gallery: Any) -> None:
    for i in range(12):
        gallery.paint(f"pics/{i}.png", f"rgb({i},0,0)")
    gallery.write("docs/a.md", "Words stay.")
    index = gallery.index()
    index.ingest()
    for path in (gallery.folder / "pics").iterdir():
        path.unlink()
    (reason,) = index.preview().reasons
    assert reason.startswith("would remove all 12 images and videos")
    with pytest.raises(ApprovalNeededError, match="images and videos"):
        index.ingest()
    assert index.status().media.documents == 12
    report = index.ingest(approved=True)
    assert (report.media.removed, report.media.notes) == (12, [f"approved: {reason}"])


# -- the price --------------------------------------------------------------------------------------------------


def test_a_dear_run_waits_before_it_spends_anything(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs, 12)
    index = make_index(embedding=PRICED, limits={"approve_above_usd": 0.01})
    with pytest.raises(ApprovalNeededError, match=r"would cost \$0\.\d{4} for \d+ tokens \(limits\.approve_above_usd"):
        index.ingest()
    assert log() == []
    assert not (docs.parent / "db" / "relance__runs.lance").exists()
    report = index.ingest(approved=True)
    assert report.cost_usd > 0.01
    assert report.notes[0].startswith("approved: would cost $0.")
    assert index.ingest().notes == []


def test_a_budget_holds_whatever_was_approved(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs, 12)
    index = make_index(embedding=PRICED, limits={"approve_above_usd": 0.01, "max_cost_usd": 0.02})
    for call in (index.preview, lambda: index.ingest(approved=True)):
        with pytest.raises(BudgetError, match=r"limits\.max_cost_usd"):
            call()
    assert log() == []


def test_a_preview_reads_documents_only_where_it_has_to(
    make_index: Make, filled: Index, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.pipeline import stages

    read: list[int] = []
    real = stages.load
    monkeypatch.setattr(stages, "load", lambda context, batch: read.append(batch.number) or real(context, batch))
    (docs / "new.md").write_text("Something new.", encoding="utf-8")
    preview = filled.preview()
    assert (preview.reasons, preview.plan.added, preview.plan.unchanged, preview.plan.documents) == ([], 1, 40, 40)
    make_index(limits={"approve_above_usd": 0}).preview()  # the model is free
    assert read == []
    clear(docs, 10)
    plan = filled.preview().plan
    assert (plan.removed, plan.documents, read) == (30, 40, [])
    (docs / "new.md").write_text("Something new.", encoding="utf-8")
    plan = filled.preview().plan
    assert (plan.added, plan.removed, plan.tokens > 0, read) == (1, 30, True, [1]), "a person sees the whole plan"


# -- the command line -------------------------------------------------------------------------------------------


@pytest.fixture
def spec(declare: Callable[..., Path], docs: Path) -> Path:
    """The spec of an index from whose forty documents thirty were taken."""
    path = declare()
    fill(docs, 40)
    Index(path).ingest()
    clear(docs, 10)
    return path


def test_where_nobody_can_be_asked_the_run_fails_and_names_yes(spec: Path, run: Run) -> None:
    said = run("ingest", spec, "--direct")
    assert (said.code, said.out) == (1, "")
    assert "30 of 40 documents" in said.err
    assert "--yes" in said.err
    assert len(uris(Index(spec))) == 40
    said = run("ingest", spec, "--direct", "--yes", "--json")
    assert said.code == 0
    report = said.json
    assert (report["removed"], report["notes"][0][:30]) == (30, "approved: would remove 30 of 4")


def test_through_prefect_the_flow_is_to_refuse_and_the_terminal_asks(
    spec: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    from relance_operate import launch

    started: list[dict[str, Any]] = []

    def run_flow(parameters: dict[str, Any], handle: RunHandle, begun: Any) -> tuple[dict[str, Any], dict[str, float]]:
        started.append(parameters)
        begun.approve()
        return begun.execute().as_dict(), {}

    monkeypatch.setattr(launch, "run_flow", run_flow)
    said = run("ingest", spec)
    assert said.code == 1
    assert [each["approval"] for each in started] == ["refuse"]
    assert "--yes" in said.err
    assert run("ingest", spec, "--yes").code == 0
    assert started[1]["approval"] == "given"


@pytest.mark.skipif(os.name != "posix", reason="a terminal is POSIX only")
@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 10), (b"\n", 1, 40)])
def test_on_a_terminal_a_person_sees_the_plan_and_decides(
    spec: Path, tmp_path: Path, answer: bytes, code: int, left: int
) -> None:
    ours, theirs = os.openpty()
    os.write(ours, answer)  # typed ahead
    command = [sys.executable, "-m", "relance.cli.main", "ingest", str(spec), "--direct", "--json"]
    environment = os.environ | {"TERM": "dumb", "COLUMNS": "200"}
    shown = b""
    with (tmp_path / "out.json").open("wb") as out:
        process = subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=out, env=environment)
        os.close(theirs)
        with contextlib.suppress(OSError):  # the other end is closed
            while more := os.read(ours, 65536):
                shown += more
        os.close(ours)
        assert process.wait() == code, shown.decode()
    said, result = shown.decode(), (tmp_path / "out.json").read_text(encoding="utf-8")
    assert "30 removed · 10 unchanged" in said
    assert "This run would remove 30 of 40 documents" in said
    assert "Go on? [y/N]" in said
    assert len(uris(Index(spec))) == left
    if code:
        assert (result, "not approved; nothing was changed" in said) == ("", True)
    else:
        assert json.loads(result)["removed"] == 30
