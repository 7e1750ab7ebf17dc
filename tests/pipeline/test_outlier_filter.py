"""The gate of a run: documents unlike the index are told or kept out, and every promise of a run still holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from relance.config import QualitySpec
from relance.config.load import parse_spec
from relance.errors import ConfigurationError, SpecError
from relance.index import Index
from relance.pipeline import outlier_filter

Make = Callable[..., Index]

WORDS = "river gauge water level flood basin lock mayor alarm station rain tide weir staff boat".split()
STRANGE = "asdf qwer zxcv poiu lkjh mnbv"


def sentence(seed: int = 100) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, 12, replace=False))


@pytest.fixture
def filled(make_index: Make, docs: Path) -> Make:
    """An index of sixty documents in the same words, made without a gate; a function that adds one."""
    for at in range(60):
        (docs / f"normal{at:02}.md").write_text(sentence(at), encoding="utf-8")
    make_index().ingest()

    def gated(anomalies: str, *, limits: dict[str, int] | None = None, **fields: Any) -> Index:
        return make_index(quality={"anomalies": anomalies} | fields, limits=limits or {})

    return gated


def texts(index: Index) -> dict[str, str]:
    rows = index.table().search().where("active").select(["uri", "text"]).limit(None).to_list()
    return {row["uri"]: row["text"] for row in rows}


def test_a_strange_document_is_kept_out_and_the_rest_goes_in(filled: Make, docs: Path) -> None:
    index = filled("refuse")
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    (docs / "usual.md").write_text(sentence(), encoding="utf-8")
    report = index.ingest()
    assert (report.status, report.added, report.failed) == ("completed with failures", 1, 1)
    [failure] = report.failures
    assert (failure.uri, failure.stage, failure.retryable) == ("docs/strange.md", "check", False)
    assert failure.reason.startswith("is far from what this index holds (")
    assert "; nearest: docs/normal" in failure.reason
    assert "docs/usual.md" in texts(index)
    assert "docs/strange.md" not in texts(index)
    assert [row.uri for row in index.failures()] == ["docs/strange.md"]


def test_the_last_good_version_stays(filled: Make, docs: Path) -> None:
    index = filled("refuse")
    before = texts(index)
    (docs / "normal00.md").write_text(STRANGE, encoding="utf-8")
    assert index.ingest().failed == 1
    assert texts(index) == before
    (docs / "normal00.md").write_text(sentence(), encoding="utf-8")
    report = index.ingest()
    assert (report.changed, report.failed) == (1, 0)
    assert index.failures() == []
    assert texts(index)["docs/normal00.md"] == sentence()


def test_the_next_run_tries_again_and_buys_nothing_again(
    filled: Make, docs: Path, log: Callable[[], list[str]]
) -> None:
    index = filled("refuse")
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    first = index.ingest()
    assert first.embedded == 1
    version = index.table().version
    again = index.ingest()
    assert (again.failed, again.embedded, again.reused) == (1, 0, 1)
    assert again.failures == first.failures
    assert index.table().version == version
    allowed = filled("warn").ingest()
    assert (allowed.added, allowed.failed, allowed.embedded) == (1, 0, 0)
    assert log().count(STRANGE) == 1


def test_a_warning_names_what_went_in(filled: Make, docs: Path) -> None:
    index = filled("warn")
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    (docs / "usual.md").write_text(sentence(), encoding="utf-8")
    report = index.ingest()
    assert (report.status, report.added) == ("completed", 2)
    assert report.notes == ["quality: 1 document far from what this index holds: docs/strange.md"]
    assert texts(index)["docs/strange.md"] == STRANGE
    assert index.ingest().notes == []  # nothing new, nothing to say


def test_off_and_nothing_to_do_cost_nothing(filled: Make, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any, **__: Any) -> Any:
        pytest.fail("the index was read")

    monkeypatch.setattr("relance.store.points.read_points", read)
    assert filled("refuse").ingest().unchanged == 60  # nothing was embedded, so there is nothing to compare
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    assert filled("off").ingest().added == 1


def test_a_small_index_is_not_compared_with_and_says_so(make_index: Make, docs: Path) -> None:
    index = make_index(quality={"anomalies": "refuse"})
    for at in range(60):  # none of a first run is refused: there was nothing before it
        (docs / f"normal{at:02}.md").write_text(sentence(at), encoding="utf-8")
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    report = index.ingest()
    assert (report.added, report.failed) == (61, 0)
    assert report.notes == [
        "quality: documents were not compared with the index: the index held 0 documents, and 50 are needed"
    ]


def test_many_batches_are_compared_with_the_index_as_it_was(filled: Make, docs: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """However many strange documents come, and in whatever batches, none makes the next one normal."""
    reads = []
    read = outlier_filter.OutlierFilter._read_normal
    monkeypatch.setattr(outlier_filter.OutlierFilter, "_read_normal", lambda gate: reads.append(gate) or read(gate))
    for at in range(20):
        (docs / f"strange{at:02}.md").write_text(f"{STRANGE} number{at}", encoding="utf-8")
        (docs / f"usual{at:02}.md").write_text(sentence(100 + at), encoding="utf-8")
    report = filled("refuse", limits={"batch_documents": 3}).ingest()
    assert sorted(failure.uri for failure in report.failures if "strange" in failure.uri) == [
        f"docs/strange{at:02}.md" for at in range(20)
    ]
    assert report.added + report.failed == 40
    assert report.failed <= 23  # the threshold lets a few usual ones fall
    assert len(reads) == 1


def test_in_sync_but_for_what_was_refused(filled: Make, docs: Path) -> None:
    """Promise 1: after edits and removals the table holds what the sources have, without the refused."""
    index = filled("refuse")
    for name in ("normal01", "normal02"):
        (docs / f"{name}.md").unlink()
    (docs / "normal03.md").write_text(sentence(101), encoding="utf-8")
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    (docs / "empty.pdf").write_text("no PDF", encoding="utf-8")  # promise 4: another failure beside it
    report = index.ingest()
    assert {failure.uri for failure in report.failures} == {"docs/strange.md", "docs/empty.pdf"}
    sources = {f"docs/{path.name}": path.read_text(encoding="utf-8") for path in docs.iterdir()}
    expected = {uri: text for uri, text in sources.items() if uri not in {"docs/strange.md", "docs/empty.pdf"}}
    assert texts(index) == expected
    (docs / "strange.md").unlink()
    (docs / "empty.pdf").unlink()
    done = index.ingest()
    assert (done.status, done.failed) == ("completed", 0)
    assert texts(index) == expected


def test_a_row_that_is_refused_keeps_its_file_unread(filled: Make, make_index: Make, docs: Path) -> None:
    rows = [{"id": "usual", "text": sentence()}, {"id": "strange", "text": STRANGE}]
    (docs / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    sources = [{"type": "files", "root": str(docs), "rows": {}}]
    index = make_index(sources=sources, quality={"anomalies": "refuse"})
    first = index.ingest()
    assert [failure.uri for failure in first.failures] == ["docs/rows.jsonl#strange"]
    assert [failure.uri for failure in index.ingest().failures] == ["docs/rows.jsonl#strange"]
    assert "docs/rows.jsonl#usual" in texts(index)


def test_a_rebuild_under_another_model_refuses_nothing(filled: Make, make_index: Make) -> None:
    filled("refuse")
    other = make_index(embedding={"model": "fake/hash", "dimension": 32}, quality={"anomalies": "refuse"})
    report = other.ingest()
    assert (report.added, report.failed, report.served) == (60, 0, True)


def test_a_rebuild_keeps_out_what_was_refused_and_the_next_run_compares_it(
    filled: Make, make_index: Make, docs: Path
) -> None:
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    assert filled("refuse").ingest().failed == 1
    (docs / "late.md").write_text("mnbv lkjh poiu", encoding="utf-8")  # never compared, so it goes in
    other = make_index(embedding={"model": "fake/hash", "dimension": 128}, quality={"anomalies": "refuse"})
    report = other.ingest()
    assert (report.added, report.failed, report.served) == (61, 1, True)
    [failure] = report.failures
    assert (failure.uri, failure.stage) == ("docs/strange.md", "check")
    assert "was refused before; a new table is being built" in failure.reason
    assert report.notes == ["quality: a new table is being built; documents were not compared with it"]
    assert "docs/strange.md" not in texts(other)
    [again] = other.ingest().failures
    assert again.uri == "docs/strange.md"
    assert again.reason.startswith("is far from what this index holds (")
    (docs / "strange.md").write_text(sentence(), encoding="utf-8")
    assert other.ingest().added == 1


def test_a_rebuild_that_only_warns_lets_everything_in(filled: Make, make_index: Make, docs: Path) -> None:
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    assert filled("refuse").ingest().failed == 1
    other = make_index(embedding={"model": "fake/hash", "dimension": 128}, quality={"anomalies": "warn"})
    assert (other.ingest().added, other.failures()) == (61, [])


def test_a_wider_tolerance_lets_more_in(filled: Make, docs: Path) -> None:
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    assert filled("refuse", tolerance=1000).ingest().failed == 0


def test_it_needs_dense_vectors(make_index: Make) -> None:
    index = make_index(embedding={"model": "fake/hash", "output_type": "sparse"}, quality={"anomalies": "warn"})
    with pytest.raises(ConfigurationError, match=r"quality\.anomalies compares dense vectors"):
        index.ingest()


def test_off_is_a_word_in_yaml() -> None:
    text = "name: a\nsources: [{type: files, root: .}]\nquality: {anomalies: %s}\n"
    assert parse_spec(text % "off", "i", Path()).quality == QualitySpec()
    assert parse_spec(text % "refuse", "i", Path()).quality.anomalies == "refuse"
    with pytest.raises(SpecError, match=r"quality\.anomalies: expected one of off, warn, refuse"):
        parse_spec(text % "on", "i", Path())
    assert yaml.safe_load("off") is False  # why that takes a validator


def test_pictures_are_compared_with_pictures(make_index: Make, docs: Path, vision: dict[str, Any]) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra media is not installed")
    for at in range(60):  # from red to orange
        image.new("RGB", (24, 16), (255, at, at // 2)).save(docs / f"red{at:02}.png")
    index = make_index(media=vision, quality={"anomalies": "refuse"})
    assert index.ingest().media.failed == 0
    image.new("RGB", (24, 16), (0, 40, 255)).save(docs / "blue.png")
    image.new("RGB", (24, 16), (255, 30, 16)).save(docs / "red.png")
    media = index.ingest().media
    assert [failure.uri for failure in media.failures] == ["docs/blue.png"]
    assert media.added == 1
