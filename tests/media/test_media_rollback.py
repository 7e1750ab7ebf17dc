"""Earlier runs of an index with media: gone back to in both parts, and listed."""

from __future__ import annotations

from typing import Any

import pytest
from media_rows import media_rows, reasons
from rows import rows

from relance.errors import BudgetError, ConfigurationError, InputError
from relance.reembed import reembed


def test_a_rollback_puts_both_parts_back_whichever_of_them_had_changed(filled: Any) -> None:
    index = filled.index()
    states = []

    def run() -> str:
        report = index.ingest()
        states.append((rows(index, vectors=True), media_rows(index)))
        return report.run_id

    def state() -> tuple[Any, Any]:
        return rows(index, vectors=True), media_rows(index)

    first = run()
    filled.paint("pics/a.png", "black")  # media only
    run()
    filled.write("docs/l.txt", "Words without a picture.")  # texts only
    run()
    run()  # nothing
    done = index.rollback()
    assert state() == states[1]
    assert (done.media.run_id, done.index, done.media.index) == (done.run_id, "gallery", "gallery/media")
    assert index.rollback().run_id == first
    assert state() == states[0]
    with pytest.raises(InputError, match="no earlier run"):
        index.rollback()
    index.ingest()
    assert state() == states[2], "the next run is in sync again"


@pytest.mark.long
def test_a_rollback_to_a_switch_of_the_texts_puts_the_media_back_to_that_moment(filled: Any) -> None:
    filled.index().ingest()
    other = filled.index(embedding={"model": "fake/hash", "dimension": 24})
    reembed(other.spec, approved=True)
    switched = other.runs(1)[0].run_id
    before = rows(other, vectors=True), media_rows(other)
    filled.paint("pics/a.png", "black")
    filled.write("docs/l.txt", "Words without a picture.")
    other.ingest()
    assert media_rows(other) != before[1]
    assert other.rollback().run_id == switched
    assert (rows(other, vectors=True), media_rows(other)) == before


def test_a_run_that_left_a_part_incomplete_cannot_be_gone_back_to(filled: Any) -> None:
    index = filled.index()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BudgetError):
        patch.setattr("relance.pipeline.run.check_budget", lambda *_: None)
        filled.index(limits={"max_cost_usd": 0.00001}).ingest()
    broken = index.runs()[0].run_id
    index.ingest()
    before = media_rows(index), rows(index, vectors=True)
    with pytest.raises(InputError, match="no complete index"):
        index.rollback(broken)
    with pytest.raises(InputError, match="no earlier run"):
        index.rollback()
    assert (media_rows(index), rows(index, vectors=True)) == before


def test_status_failures_and_runs_tell_of_both_parts(filled: Any) -> None:
    filled.write("pics/bad.png", b"no picture")
    filled.write("docs/bad.md", b"![\xff\xfe\x00 \x81\x8d" * 9)
    index = filled.index()
    report = index.ingest()
    status = index.status()
    assert (status.documents, status.media.documents) == (2, 8)
    assert (status.failures, status.media.failures) == (1, 2)
    assert status.media.tokens == 8 * 896
    assert status.media.last_run.part == "media"
    assert set(reasons(index)) == {"pics/bad.png", "docs/bad.md"}
    assert [(run.run_id, run.part) for run in index.runs()] == [(report.run_id, "media"), (report.run_id, "text")]
    without = filled.index(media=None, sources=[{"type": "files", "root": str(filled.folder)}])
    assert without.status().media is None
    assert list(reasons(without)) == ["docs/bad.md"]
    with pytest.raises(ConfigurationError, match="add a `media` section"):
        without.search_media(image=filled.folder / "pics/a.png")
