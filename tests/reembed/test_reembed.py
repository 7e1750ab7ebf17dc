"""Another model or another splitting: built beside, compared, switched to; readers and ingests go on meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_notes import BAD, GOOD

from relance.errors import ApprovalNeededError, BudgetError, ConfigurationError, InputError
from relance.index import Index
from relance.pipeline.run_handle import RunHandle
from relance.reembed import Reembedding, is_due, plan, reembed, switch_back

Make = Callable[..., Index]
Log = Callable[[], list[str]]
COLUMNS = ["id", "uri", "title", "heading_path", "text", "seq", "start_char", "end_char", "page", "page_end", "lead",
           "words", "tokens", "media_type", "metadata"]  # fmt: skip
MANIFEST = ["doc_id", "uri", "parent", "collection", "version", "content_hash", "fingerprint", "marker", "title",
            "chunks", "tokens"]  # fmt: skip


def contents(index: Index) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all that is in the tables that serve, but for the runs that wrote it; vectors rounded."""
    table = index.table()
    chunks = table.search().where("active").select([*COLUMNS, "vector"]).limit(None).to_list()
    for row in chunks:
        row["vector"] = [round(float(number), 5) for number in row["vector"]]
    manifest = index._store.open(f"{table.name}__documents")
    documents = manifest.search().select(MANIFEST).limit(None).to_list()
    return sorted(chunks, key=lambda row: row["id"]), sorted(documents, key=lambda row: row["doc_id"])


def edit(docs: Path, name: str, text: str) -> None:
    (docs / f"{name}.md").write_text(f"{text}\n", encoding="utf-8")


# -- what is built ---------------------------------------------------------------------------------------------------


LONG = "\n\n".join(f"## Part {i}\n\n" + f"The gauge of station {i} is read twice a day. " * 6 for i in range(6))
TABLE = "| station | level |\n|---|---|\n" + "".join(f"| number {i} | {i} metres |\n" for i in range(60))


@pytest.mark.parametrize(
    "chunking",
    [{"max_tokens": 64}, {"max_tokens": 32, "context": ["title", "headings"], "overlap_tokens": 8}],
    ids=["plain", "context"],
)
@pytest.mark.long
def test_stored_chunks_become_what_an_ingest_with_the_new_model_would_make(
    notes: Make, written: Path, tmp_path: Path, chunking: dict[str, Any]
) -> None:
    edit(written, "long", f"# Stations\n\n{LONG}\n\n{TABLE}")
    edit(written, "empty", "")
    rows = [json.dumps({"id": i, "text": f"Row {i} of the table, in words."}) for i in range(5)]
    (written / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    sources = [{"type": "files", "root": str(written), "rows": {}}]
    same = {"chunking": chunking, "sources": sources}
    notes(embedding={"model": "fake/hash"}, **same).ingest()
    hidden = written.rename(tmp_path / "away")
    new = notes(embedding={"model": "fake/hash", "dimension": 16}, **same)
    outcome = reembed(new.spec, approved=True)
    assert (outcome.status, len(outcome.reports)) == ("switched", 3), "built, looked again, and once more at the switch"
    hidden.rename(written)
    assert new.table().name == outcome.table
    made = contents(new)
    report = new.ingest()
    assert (report.changed, report.added, report.removed, report.unchanged) == (0, 0, 0, 15)
    fresh = notes(name="fresh", embedding={"model": "fake/hash", "dimension": 16}, **same)
    fresh.ingest()
    assert made == contents(fresh)


def test_another_tokenizer_takes_over_what_is_one_chunk_and_reads_what_is_not(notes: Make, written: Path) -> None:
    notes(embedding=GOOD).ingest()
    hidden = written.rename(written.with_name("away"))
    assert reembed(notes(embedding=BAD).spec, approved=True).status == "switched", "all are one chunk by both"
    hidden.rename(written)
    edit(written, "long", LONG)
    old = notes(embedding=BAD)
    old.ingest()
    new = notes(embedding=GOOD | {"dimension": 128})
    assert reembed(new.spec, approved=True).status == "switched"
    made = contents(new)
    fresh = notes(name="fresh", embedding=GOOD | {"dimension": 128})
    fresh.ingest()
    assert made == contents(fresh), "what is split by another count is split anew"
    assert new.ingest().unchanged == 9


def test_failures_and_warnings_are_taken_over(notes: Make, written: Path) -> None:
    (written / "broken.pdf").write_bytes(b"no pdf")
    index = notes(embedding={"model": "fake/hash"})
    index.ingest()
    before = [(row.uri, row.reason) for row in index.failures()]
    assert before
    new = notes(embedding={"model": "fake/hash", "dimension": 16})
    reembed(new.spec, approved=True)
    assert [(row.uri, row.reason) for row in new.failures()] == before


def test_the_plan_says_what_it_costs_and_the_limits_hold(notes: Make, log: Log) -> None:
    notes(embedding=GOOD).ingest()
    priced = BAD | {"price_per_million_tokens": 1000}
    made = plan(notes(embedding=priced).spec)
    assert made is not None
    assert (made.chunks, made.added, made.removed) == (8, 8, 0)
    assert made.cost_usd
    assert made.cost_usd > 0.05
    with pytest.raises(BudgetError):
        reembed(notes(embedding=priced, limits={"max_cost_usd": 0.05}).spec, approved=True)
    asking = notes(embedding=priced, limits={"approve_above_usd": 0.05}, gate=None)
    with pytest.raises(ApprovalNeededError):
        reembed(asking.spec, regardless=True)
    assert log() == [], "nothing was spent"
    assert plan(notes(embedding=GOOD).spec) is None
    assert reembed(notes(embedding=GOOD).spec, approved=True).status == "up to date"


def test_without_golden_queries_a_person_decides(notes: Make) -> None:
    notes(embedding=GOOD).ingest()
    with pytest.raises(ConfigurationError, match="no golden queries"):
        reembed(notes(embedding=BAD).spec)
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        reembed(notes(embedding=BAD, gate={"queries": "nowhere.yaml"}).spec)


# -- the gate --------------------------------------------------------------------------------------------------------


def test_a_worse_model_is_held_back_and_ingests_keep_the_old_one_in_sync(
    notes: Make, written: Path, golden: dict[str, Any], log: Log
) -> None:
    old = notes(embedding=GOOD)
    old.ingest()
    table = old.table().name
    new = notes(embedding=BAD, gate=golden)
    outcome = reembed(new.spec)
    assert outcome.status == "held back"
    assert outcome.verdict is not None
    assert [each.label for each in outcome.verdict.comparison.systems] == ["in use", "new"]
    assert "gate.tolerance" in outcome.told
    assert new.table().name == table
    bought = len(log())
    edit(written, "cats", "Kittens purr on the sofa.")
    (written / "dogs.md").unlink()
    for spec in (new, notes(embedding=BAD)):  # with a gate and without: it was held back
        report = spec.ingest()
        assert report.table == table
        assert "held back" in report.notes[0]
    assert new.search("a pet that purrs", k=1, mode="dense")[0].uri == "docs/cats.md"
    assert len(log()) == bought, "nothing was embedded by the model that is held back but the questions"
    assert not is_due(new.spec), "nobody is asked twice"
    switched = reembed(new.spec, regardless=True)
    assert (switched.status, switched.beside) == ("switched", table)
    assert {row["uri"] for row in contents(new)[1]} == {row["uri"] for row in contents(old)[1]}
    assert "docs/cats.md" in {row["uri"] for row in contents(new)[1]}
    assert new.ingest().unchanged == 8


def test_a_better_model_passes(notes: Make, golden: dict[str, Any]) -> None:
    notes(embedding=BAD).ingest()
    new = notes(embedding=GOOD, gate=golden)
    outcome = reembed(new.spec)
    assert (outcome.status, new.table().name) == ("switched", outcome.table)
    assert outcome.verdict is not None
    old, better = outcome.verdict.comparison.systems
    assert better.ndcg > old.ndcg + 0.3
    assert new.runs(1)[0].status == "switched"


@pytest.mark.long
def test_a_loss_within_the_tolerance_or_by_chance_passes(notes: Make, golden: dict[str, Any]) -> None:
    notes(embedding=GOOD).ingest()
    assert reembed(notes(embedding=BAD, gate=golden | {"significance": 1e-6}).spec).status == "switched"
    notes(embedding=GOOD).ingest()
    assert reembed(notes(embedding=BAD, gate=golden | {"tolerance": 1}).spec).status == "switched"


@pytest.mark.long
def test_an_ingest_does_not_pass_a_gate_with_another_splitting(notes: Make, written: Path, golden: Any) -> None:
    edit(written, "long", LONG)
    old = notes(embedding=GOOD)
    old.ingest()
    before = contents(old)
    new = notes(embedding=GOOD, chunking={"max_tokens": 16}, gate=golden)
    report = new.ingest()
    assert (report.changed, report.unchanged) == (0, 9)
    assert contents(new) == before
    (written / "dogs.md").touch()
    assert new.ingest().touched == 1, "a new date is no reason to split it anew"
    assert [row["text"] for row in contents(new)[0]] == [row["text"] for row in before[0]]
    with pytest.raises(ConfigurationError, match="relance reembed"):
        new.ingest(full=True)
    edit(written, "cats", "Kittens purr on the sofa.")
    assert new.ingest().added == 1
    assert is_due(new.spec)
    outcome = reembed(new.spec)
    assert outcome.status == "switched", outcome.told
    assert outcome.table != outcome.beside
    assert outcome.table.rpartition("__")[2] == outcome.beside.rpartition("__")[2], "the same model"
    fresh = notes(name="fresh", embedding=GOOD, chunking={"max_tokens": 16})
    fresh.ingest()
    assert contents(new) == contents(fresh)
    assert new.ingest().unchanged == 10
    assert not is_due(new.spec)
    # Without a gate it is as ever: the documents are split anew in place.
    plain = notes(embedding=GOOD, chunking={"max_tokens": 32})
    assert plain.ingest().changed > 0
    assert plain.table().name == outcome.table


@pytest.mark.long
def test_rows_are_spared_as_files_are(notes: Make, written: Path, golden: Any) -> None:
    rows = [json.dumps({"id": i, "text": f"Row {i}. {LONG}"}) for i in range(3)]
    (written / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    sources = [{"type": "files", "root": str(written), "rows": {}}]
    old = notes(embedding=GOOD, sources=sources)
    old.ingest()
    before = contents(old)[0]
    rows[0] = json.dumps({"id": 0, "text": "Row 0 is short now."})
    (written / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    new = notes(embedding=GOOD, sources=sources, chunking={"max_tokens": 16}, gate=golden)
    assert new.ingest().changed == 1
    after = contents(new)[0]
    assert [row for row in after if "#0" not in row["uri"]] == [row for row in before if "#0" not in row["uri"]]


# -- interruptions, changes and readers --------------------------------------------------------------------------------


def paused(work: Reembedding) -> Iterator[int]:
    """Go through the rounds of a reembedding, with a pause after each."""
    while work.has_news:
        with work.round() as run:
            run.approve()
            run.execute()
            work.count(run)
        yield len(work.reports)


def test_changes_meanwhile_are_caught_up_with(notes: Make, written: Path, golden: dict[str, Any]) -> None:
    old = notes(embedding=BAD)
    old.ingest()
    new = notes(embedding=GOOD, gate=golden)
    with Reembedding(new.spec) as work:
        for rounds in paused(work):
            if rounds == 1:
                edit(written, "cats", "Kittens purr on the sofa.")
                edit(written, "dogs", "Hounds sleep.")
                (written / "money.md").unlink()
                assert new.ingest().table == old.table().name, "the declared model is not served yet"
        verdict = work.judge()
        edit(written, "late", "This came while the questions were asked.")
        notes(embedding=BAD).ingest()
        outcome = work.settle(verdict)
    assert outcome.status == "switched", outcome.told
    changes = [(report["added"], report["changed"], report["removed"]) for report in outcome.reports]
    assert changes == [(8, 0, 0), (1, 1, 1), (0, 0, 0), (1, 0, 0)]
    fresh = notes(name="fresh", embedding=GOOD)
    fresh.ingest()
    assert contents(new) == contents(fresh)


def test_a_stopped_reembedding_goes_on(notes: Make, written: Path, golden: dict[str, Any], log: Log) -> None:
    for i in range(30):
        edit(written, f"more-{i}", f"Note number {i} about nothing in particular.")
    old = notes(embedding=GOOD)
    old.ingest()
    new = notes(embedding=BAD, gate=golden | {"tolerance": 1}, limits={"batch_documents": 5, "batches_in_flight": 1})
    handle = RunHandle()
    handle.on_progress = lambda progress: handle.stop.set() if progress.documents >= 10 else None
    outcome = reembed(new.spec, handle=handle)
    assert (outcome.status, new.table().name) == ("stopped", old.table().name)
    assert "is being built" in new.ingest().notes[0]
    assert is_due(new.spec)
    bought = len(log())
    assert 0 < bought < 38
    outcome = reembed(new.spec)
    assert outcome.status == "switched"
    texts = [text for text in log() if text.endswith(".")]
    assert len(texts) == len(set(texts)) == 38, "no text was bought twice"
    assert outcome.reports[0]["added"] <= 38 - 10


def test_a_catalog_that_lost_its_newest_version_is_mended_first(notes: Make, written: Path) -> None:
    old = notes(embedding=BAD)
    old.ingest()
    versions = Path(old.spec.store.uri, "relance__catalog.lance", "_versions").glob("*.manifest")
    newest = min(versions)  # their numbers count down
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    outcome = reembed(notes(embedding=GOOD).spec, approved=True)
    assert outcome.status == "switched"
    assert any("relance__catalog" in note for note in outcome.reports[0]["notes"])


@pytest.mark.long
def test_readers_find_something_all_the_time(notes: Make, written: Path, golden: dict[str, Any]) -> None:
    notes(embedding=BAD).ingest()
    new = notes(embedding=GOOD, gate=golden)
    done, wrong, searches = threading.Event(), [], []

    def read(mode: Any) -> None:
        with notes(embedding=GOOD) as index:
            while not done.is_set():
                try:
                    hits = index.search("flowers in a garden", k=3, mode=mode)
                    searches.append(mode)
                    if len(hits) < 3:
                        wrong.append(f"{mode}: {len(hits)} hits")
                except Exception as error:  # what is looked for
                    wrong.append(f"{mode}: {error!r}")

    readers = [threading.Thread(target=read, args=[mode]) for mode in ("hybrid", "dense")]
    for reader in readers:
        reader.start()
    try:
        assert reembed(new.spec).status == "switched"
        edit(written, "plants", "Roses and tulips bloom.")
        new.ingest()
        assert switch_back(new.spec).status == "switched back"
        new.ingest()
        assert reembed(new.spec, regardless=True).status == "switched"
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert len(searches) > 20


# -- back ------------------------------------------------------------------------------------------------------------


def test_one_command_switches_back_and_the_next_ingest_stays_there(
    notes: Make, written: Path, golden: dict[str, Any]
) -> None:
    old = notes(embedding=BAD)
    old.ingest()
    table = old.table().name
    new = notes(embedding=GOOD, gate=golden)
    with pytest.raises(InputError, match="not switched"):
        switch_back(new.spec)
    reembed(new.spec)
    edit(written, "cats", "Kittens purr on the sofa.")
    assert new.ingest().added == 1
    outcome = switch_back(new.spec)
    assert (outcome.status, new.table().name) == ("switched back", table)
    assert new.runs(1)[0].status == "switched back"
    for spec in (new, notes(embedding=GOOD)):
        assert spec.ingest().table == table
        assert not is_due(spec.spec)
    assert "docs/cats.md" in {row["uri"] for row in contents(new)[1]}
    with pytest.raises(InputError, match="not switched"):
        switch_back(new.spec)
    assert reembed(new.spec).status == "switched", "who asks again gets it"


@pytest.mark.long
def test_the_new_tables_outlive_maintenance_and_the_old_ones_the_retention(
    notes: Make, golden: dict[str, Any], written: Path
) -> None:
    edit(written, "long", LONG)
    notes(embedding=GOOD).ingest()
    new = notes(embedding=GOOD, chunking={"max_tokens": 16}, gate=golden)
    handle = RunHandle()
    handle.stop.set()
    reembed(new.spec, handle=handle)
    assert new.maintain().dropped == []
    outcome = reembed(new.spec)
    assert outcome.status == "switched"
    assert new.maintain().dropped == []
    soon = notes(embedding=GOOD, chunking={"max_tokens": 16}, gate=golden, store=_soon_over(new))
    soon.ingest()
    assert outcome.beside in soon.maintain().dropped
    with pytest.raises(InputError, match="retention"):
        switch_back(soon.spec)


def _soon_over(index: Index) -> dict[str, Any]:
    return {"uri": index.spec.store.uri, "retention_days": 1e-9}
