"""The promises of a run: in sync, never paid twice, one bad document stops nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from files import write
from paragraphs import PARAGRAPHS, fill
from rows import rows

from relance.errors import BudgetError
from relance.index import Index
from relance.pipeline.run_handle import RunHandle
from relance.store import open_store
from relance.store.index_tables import IndexTables
from relance.store.maintain import maintain
from relance.store.maintenance import MaintenanceLimits

Make = Callable[..., Index]
Log = Callable[[], list[str]]


def versions(index: Index) -> tuple[int, ...]:
    """Return the versions of chunks, manifest and failures."""
    tables = IndexTables.serving(open_store(index.spec), index.spec.name)
    assert tables is not None
    return tables.versions


def test_a_run_indexes_every_document_and_says_so(make_index: Make, docs: Path) -> None:
    fill(docs)
    index = make_index()
    report = index.ingest()
    assert (report.status, report.added, report.failed) == ("completed", 6, 0)
    found = rows(index)
    assert {row["uri"] for row in found} == {f"docs/note-{i}.md" for i in range(6)}
    assert len(found) == report.chunks == index.status().chunks
    for row in found:
        text = (docs.parent / row["uri"]).read_text(encoding="utf-8")
        assert text[row["start_char"] : row["end_char"]] == row["text"]
        assert row["tokens"] <= 64


def test_an_unchanged_source_costs_nothing_and_writes_no_version(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs)
    index = make_index()
    index.ingest()
    before, paid = versions(index), log()
    report = index.ingest()
    assert (report.unchanged, report.added, report.changed, report.requests) == (6, 0, 0, 0)
    assert versions(index) == before
    assert log() == paid


def test_only_the_changed_chunks_of_an_edited_document_are_embedded(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs)
    index = make_index()
    index.ingest()
    old, paid = rows(index), len(log())
    write(docs, "note-3.md", *[f"{p} ({3})" for p in PARAGRAPHS[:-1]], "The last paragraph has been rewritten.")
    report = index.ingest()
    assert (report.changed, report.unchanged) == (1, 5)
    bought = log()[paid:]
    assert len(bought) == 1
    assert "rewritten" in bought[0]
    assert report.chunks == report.reused + report.embedded
    new = rows(index)
    assert [row for row in new if row["uri"] != "docs/note-3.md"] == [
        row for row in old if row["uri"] != "docs/note-3.md"
    ]
    assert not [row for row in new if PARAGRAPHS[-1] + " (3)" in row["text"]]


def test_a_deleted_document_is_gone(make_index: Make, docs: Path) -> None:
    fill(docs)
    index = make_index()
    index.ingest()
    (docs / "note-0.md").unlink()
    report = index.ingest()
    assert report.removed == 1
    assert {row["uri"] for row in rows(index)} == {f"docs/note-{i}.md" for i in range(1, 6)}
    assert index.status().documents == 5


@pytest.mark.parametrize("name", ["moved.md", 'sub/o\'brien "100%" \\ 文档.md'])
def test_a_renamed_or_copied_file_is_never_embedded_again(make_index: Make, docs: Path, log: Log, name: str) -> None:
    fill(docs)
    index = make_index()
    index.ingest()
    paid = len(log())
    target = docs / name
    target.parent.mkdir(exist_ok=True)
    (docs / "note-2.md").rename(target)
    (docs / "copy.md").write_bytes((docs / "note-4.md").read_bytes())
    report = index.ingest()
    assert (report.added, report.removed, report.embedded) == (2, 1, 0)
    assert len(log()) == paid
    assert f"docs/{name}" in {row["uri"] for row in rows(index)}
    target.unlink()
    index.ingest()
    assert f"docs/{name}" not in {row["uri"] for row in rows(index)}


def test_a_touched_file_is_read_once_and_writes_no_chunk(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs)
    index = make_index()
    index.ingest()
    before, paid = versions(index), len(log())
    os.utime(docs / "note-1.md", (1, 1))
    report = index.ingest()
    assert (report.touched, report.unchanged, report.changed) == (1, 6, 0)
    assert versions(index)[0] == before[0]
    assert len(log()) == paid
    after = versions(index)
    index.ingest()
    assert versions(index) == after


def test_one_bad_document_stops_nothing_else(make_index: Make, docs: Path) -> None:
    fill(docs, 3)
    (docs / "broken.pdf").write_bytes(b"no PDF")
    (docs / "binary.txt").write_bytes(bytes(range(256)) * 40)
    index = make_index()
    report = index.ingest()
    assert report.status == "completed with failures"
    assert (report.added, report.failed) == (3, 2)
    failures = index.failures()
    assert {failure.uri for failure in failures} == {"docs/broken.pdf", "docs/binary.txt"}
    assert all(failure.reason for failure in failures)
    again = versions(index)
    index.ingest()
    assert versions(index) == again, "a failure that stays the same writes nothing"
    (docs / "broken.pdf").unlink()
    write(docs, "binary.txt", "Now there is something in it.")
    report = index.ingest()
    assert (report.status, report.added, index.failures()) == ("completed", 1, [])


def test_a_document_that_goes_bad_keeps_its_last_good_version(make_index: Make, docs: Path) -> None:
    fill(docs, 3)
    index = make_index()
    index.ingest()
    before = rows(index)
    (docs / "note-1.md").write_bytes(b"\x00\x01\x02" * 500)
    report = index.ingest()
    assert (report.failed, report.changed) == (1, 0)
    assert rows(index) == before


def test_changed_chunking_replaces_every_chunk_in_few_commits(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs, 40)
    make_index().ingest()
    coarse = make_index(chunking={"max_tokens": 128})
    before = versions(coarse)[0]
    report = coarse.ingest()
    assert (report.changed, report.unchanged) == (40, 0)
    assert versions(coarse)[0] - before < 10
    fresh = make_index(chunking={"max_tokens": 128}, store={"uri": str(docs.parent / "fresh")})
    fresh.ingest()
    assert rows(coarse) == rows(fresh)
    assert len(log()) == len(set(log())) + len(set(rows_texts(fresh))), "only the fresh store bought again"


def rows_texts(index: Index) -> list[str]:
    return [row["text"] for row in rows(index)]


def test_another_model_is_built_beside_and_switched_when_complete(make_index: Make, docs: Path) -> None:
    fill(docs, 3)
    small = make_index()
    small.ingest()
    first = small.status().table
    large = make_index(embedding={"model": "fake/hash", "dimension": 32})
    handle = RunHandle()
    handle.stop.set()
    assert large.ingest(handle=handle).status == "stopped"
    assert large.status().table == first, "an unfinished rebuild is not served"
    assert large.search("rivers", k=1, mode="dense"), "questions are embedded by the model that serves"
    large.ingest()
    assert large.status().table != first
    assert large.table().schema.field("vector").type.list_size == 32
    report = small.ingest()
    assert (report.unchanged, report.embedded) == (3, 0), "the old tables are still whole"
    assert small.status().table == first


def test_equal_texts_are_bought_once_across_documents_and_indexes(make_index: Make, docs: Path, log: Log) -> None:
    for i in range(20):
        write(docs, f"{i}/same.md", *PARAGRAPHS)
    make_index().ingest()
    assert len(log()) == len(set(log()))
    paid = len(log())
    other = make_index(name="other")
    report = other.ingest()
    assert (report.embedded, len(log())) == (0, paid)


def test_rows_of_a_table_are_documents(make_index: Make, docs: Path, log: Log) -> None:
    lines = [{"_id": f"d{i}", "title": f"Title {i}", "text": PARAGRAPHS[i % 10] + f" {i}", "year": 1990 + i}
             for i in range(30)]  # fmt: skip
    path = docs / "data.jsonl"
    source = {"type": "files", "root": str(docs), "include": ["*.jsonl"],
              "rows": {"id": "_id", "text": ["title", "text"], "metadata": ["year"]}}  # fmt: skip

    def save() -> None:
        path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")

    save()
    index = make_index(sources=[source])
    assert index.ingest().added == 30
    assert index.status().documents == 30
    paid, before = len(log()), versions(index)
    index.ingest()
    assert versions(index) == before
    lines[7]["text"] = "A new text for the seventh row."
    del lines[3]
    save()
    report = index.ingest()
    assert (report.changed, report.removed, report.unchanged) == (1, 1, 28)
    assert len(log()) - paid == 1
    hits = index.search("seventh row", k=1, where="json_get_int(metadata, 'year') = 1997")
    assert hits[0].uri == "docs/data.jsonl#d7"
    assert hits[0].metadata["year"] == 1997
    path.unlink()
    assert index.ingest(approved=True).removed == 29
    assert rows(index) == []


def test_a_failing_row_is_a_failure_and_the_others_stay(make_index: Make, docs: Path) -> None:
    path = docs / "data.jsonl"
    good = [{"id": str(i), "text": PARAGRAPHS[i]} for i in range(4)]
    path.write_text("\n".join(map(json.dumps, good)), encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    index.ingest()
    path.write_text("\n".join(map(json.dumps, good)) + '\n{"id": "x", "text": ""}\n{broken\n', encoding="utf-8")
    report = index.ingest()
    assert (report.failed, report.unchanged, report.removed) == (2, 4, 0)
    assert len(rows(index)) == 4
    assert index.ingest().failed == 2, "failures are tried again by every run"


def test_an_unmounted_folder_is_an_error_and_not_an_empty_source(make_index: Make, docs: Path) -> None:
    from relance.errors import ConfigurationError

    fill(docs, 2)
    index = make_index()
    index.ingest()
    docs.rename(docs.parent / "elsewhere")
    with pytest.raises(ConfigurationError, match="docs"):
        index.ingest()
    assert len(rows(index)) > 0


def test_a_budget_stops_the_run_before_anything_is_spent(make_index: Make, docs: Path, log: Log) -> None:
    fill(docs)
    priced = {"model": "fake/hash", "price_per_million_tokens": 1000.0}
    index = make_index(embedding=priced, limits={"max_cost_usd": 0.01})
    plan = index.plan()
    assert plan.cost_usd == pytest.approx(plan.tokens * 1000 / 1e6)
    with pytest.raises(BudgetError, match=r"needs \$"):
        index.ingest()
    assert log() == []
    rich = make_index(embedding=priced, limits={"max_cost_usd": 100})
    report = rich.ingest()
    assert report.cost_usd == pytest.approx(plan.cost_usd)
    assert report.tokens == plan.tokens


def test_the_plan_foretells_the_run(make_index: Make, docs: Path) -> None:
    fill(docs)
    index = make_index()
    plan, report = index.plan(), index.ingest()
    names = ("added", "changed", "removed", "unchanged", "failed", "chunks", "reused", "tokens", "requests")
    assert {name: getattr(plan, name) for name in names} == {name: getattr(report, name) for name in names}
    write(docs, "note-3.md", *PARAGRAPHS[:2])
    write(docs, "new.md", *PARAGRAPHS[2:4])
    (docs / "note-5.md").unlink()
    os.utime(docs / "note-0.md", (5, 5))
    before = versions(index)
    plan = index.plan()
    assert versions(index) == before
    report = index.ingest()
    assert {name: getattr(plan, name) for name in names} == {name: getattr(report, name) for name in names}


def test_only_touches_the_named_documents(make_index: Make, docs: Path) -> None:
    fill(docs, 4)
    index = make_index()
    index.ingest()
    for i in range(4):
        write(docs, f"note-{i}.md", f"New text {i}.")
    (docs / "note-3.md").unlink()
    report = index.ingest(only=["docs/note-1.md"])
    assert (report.changed, report.removed) == (1, 0)
    assert sum("New text" in row["text"] for row in rows(index)) == 1
    report = index.ingest(only=["docs/note-3.md"])
    assert report.removed == 1
    assert index.ingest().changed == 2


def test_a_table_says_what_made_it(make_index: Make, docs: Path) -> None:
    fill(docs, 1)
    index = make_index()
    index.ingest()
    said = {key.decode(): value.decode() for key, value in index.table().schema.metadata.items()}
    assert said["relance.index"] == "notes"
    assert said["relance.fingerprint"] == index.status().fingerprint
    assert json.loads(said["relance.embedding"])["model"] == "fake/hash"


def test_large_tables_are_indexed_for_look_ups(make_index: Make, docs: Path) -> None:
    fill(docs, 20)
    index = make_index()
    index.ingest()
    maintain(index.spec, open_store(index.spec), limits=MaintenanceLimits(lookup_rows=10))
    assert "doc_id_idx" in index.status().indexes
    write(docs, "note-3.md", "Changed after the index was made.")
    (docs / "note-4.md").unlink()
    index.ingest()
    fresh = make_index(store={"uri": str(docs.parent / "fresh")})
    fresh.ingest()
    assert rows(index) == rows(fresh)


def test_context_is_embedded_and_not_stored(make_index: Make, docs: Path, log: Log) -> None:
    write(docs, "guide.md", "## Floods", PARAGRAPHS[0], "## Droughts", PARAGRAPHS[1])
    index = make_index(chunking={"max_tokens": 32, "context": ["title", "headings"]})
    plan, report = index.plan(), index.ingest()
    assert (plan.tokens, plan.chunks) == (report.tokens, report.chunks)
    assert any(text.startswith("guide.md › Droughts\n") for text in log())
    for row in rows(index):
        assert (docs / "guide.md").read_text(encoding="utf-8")[row["start_char"] : row["end_char"]] == row["text"]
    plain = make_index(chunking={"max_tokens": 32})
    assert plain.plan().changed == 1, "context decides the vectors, so it is part of the fingerprint"
