"""Images in an index: from files, tables, documents and the web, beside the texts, and nothing bought twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from media_rows import media_rows, reasons, versions
from rows import rows

# -- never pay twice ---------------------------------------------------------------------------------------------


def test_the_same_picture_in_a_folder_a_table_and_a_document_is_bought_once(filled: Any, emulator: Any) -> None:
    index = filled.index()
    report = index.ingest().media
    assert (report.added, report.chunks, report.embedded, report.reused, report.failed) == (8, 8, 4, 4, 0)
    assert {name: emulator.stats()[name] for name in ("texts", "duplicates")} == {"texts": 4, "duplicates": 0}
    rows = media_rows(index)
    assert rows["docs/j.md#../pics/a.png"]["heading_path"] == ["Journal", "Morning"]
    assert rows["docs/j.md#../pics/a.png"]["text"] == "a barn"
    assert (rows["m.csv#1"]["text"], rows["m.csv#1"]["url"], rows["pics/a.png"]["text"]) == (
        "the barn",
        "pics/a.png",
        "",
    )
    for uri in ("m.csv#1", "docs/j.md#../pics/a.png"):
        assert rows[uri]["vector"] == rows["pics/a.png"]["vector"]
        assert rows[uri]["content_hash"] == rows["pics/a.png"]["content_hash"]
    assert {(row["width"], row["height"], row["kind"]) for row in rows.values()} == {(24, 16, "image")}


def test_a_run_without_changes_asks_every_address_conditionally_and_writes_nothing(
    filled: Any, web: Any, emulator: Any
) -> None:
    index = filled.index()
    index.ingest()
    was, requests = versions(index), emulator.stats()["requests"]
    web.take()
    report = index.ingest()
    assert (report.unchanged, report.media.unchanged, report.media.touched) == (2, 8, 0)
    assert versions(index) == was
    assert emulator.stats()["requests"] == requests
    assert web.take() == [("/1.png", 304), ("/2.png", 304)], "each address once, though two things show it"


def test_a_server_without_validators_is_asked_for_the_file_and_nothing_is_written(
    gallery: Any, web: Any, emulator: Any
) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png(), validator='none')},\n")
    index = gallery.index()
    index.ingest()
    was = versions(index)
    assert index.ingest().media.unchanged == 1
    assert (versions(index), emulator.stats()["texts"]) == (was, 1)
    web.put("/1.png", gallery.png("blue"), validator="none")
    assert index.ingest().media.changed == 1
    assert emulator.stats()["texts"] == 2


def test_a_new_validator_of_the_same_file_is_asked_by_the_next_time(gallery: Any, web: Any, emulator: Any) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png())},\n")
    index = gallery.index()
    index.ingest()
    web.put("/1.png", gallery.png())
    report = index.ingest().media
    assert (report.unchanged, report.touched, report.changed) == (1, 1, 0)
    web.take()
    index.ingest()
    assert web.take() == [("/1.png", 304)]
    assert emulator.stats()["texts"] == 1


def test_a_caption_or_heading_that_changes_rewrites_the_row_and_buys_nothing(filled: Any, emulator: Any) -> None:
    index = filled.index()
    index.ingest()
    bought = emulator.stats()["texts"]
    for name, old, new in (("m.csv", "the lake", "the sea"), ("docs/j.md", "Morning", "Evening")):
        path = filled.folder / name
        path.write_text(path.read_text().replace(old, new))
    plan = index.plan().media
    assert (plan.changed, plan.tokens, plan.requests, plan.cost_usd) == (3, 0, 0, 0.0), "the plan knows that, too"
    report = index.ingest().media
    assert (report.changed, report.embedded, report.tokens) == (3, 0, 0)
    assert emulator.stats()["texts"] == bought
    rows = media_rows(index)
    assert rows["m.csv#2"]["text"] == "the sea"
    assert rows["docs/j.md#../pics/a.png"]["heading_path"] == ["Journal", "Evening"]
    assert len(rows) == 8


def test_another_chunking_does_not_touch_the_media(filled: Any, web: Any) -> None:
    filled.index(chunking={"max_tokens": 64}).ingest()
    web.take()
    report = filled.index(chunking={"max_tokens": 32}).ingest()
    assert (report.changed, report.media.unchanged) == (2, 8)
    assert all(status == 304 for _, status in web.take())


def test_several_views_of_one_thing_have_one_vector_and_are_asked_conditionally(
    gallery: Any, web: Any, emulator: Any
) -> None:
    """Of several addresses one that changed needs them all, for they are embedded together."""
    gallery.paint("pics/a.png", "red")
    urls = ["pics/a.png", web.put("/1.png", gallery.png("green")), web.put("/2.png", gallery.png("blue"))]
    gallery.write("m.jsonl", json.dumps({"id": 1, "url": urls, "caption": "a jug"}) + "\n")
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.jsonl"],
              "rows": {"url": "url", "caption": "caption"}}  # fmt: skip
    index = gallery.index(sources=[source])
    index.ingest()
    row = media_rows(index)["m.jsonl#1"]
    assert (row["kind"], row["tokens"]) == ("images", 3 * 896)
    was = versions(index)
    web.take()
    assert index.ingest().media.unchanged == 1
    assert web.take() == [("/1.png", 304), ("/2.png", 304)]
    assert (versions(index), emulator.stats()["texts"]) == (was, 1)

    web.put("/2.png", gallery.png("white"))
    assert index.ingest().media.changed == 1
    assert web.take() == [("/1.png", 200), ("/1.png", 304), ("/2.png", 200)]
    gallery.paint("pics/a.png", "black")
    assert index.ingest().media.changed == 1
    assert (emulator.stats()["texts"], emulator.stats()["duplicates"]) == (3, 0)
    assert media_rows(index) == media_rows(gallery.fresh(index))


def test_a_document_that_has_not_changed_is_not_parsed_again(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.parsers import Parsers

    index = filled.index()
    index.ingest()
    parsed = []
    original = Parsers.references
    monkeypatch.setattr(Parsers, "references", lambda self, raw: parsed.append(raw.uri) or original(self, raw))
    again = index.ingest().media
    assert (parsed, again.added, again.changed, again.removed) == ([], 0, 0, 0)
    index.ingest(full=True)
    assert parsed, "a full run trusts nothing it remembers"
    parsed.clear()
    filled.paint("pics/late.png", "green")
    filled.write("docs/late.md", "# Late\n\n![late](../pics/late.png)\n")
    assert index.ingest().media.added == 2
    assert parsed == ["docs/late.md"]


# -- the texts beside them ---------------------------------------------------------------------------------------


def test_media_change_nothing_about_the_texts(filled: Any) -> None:
    """Nor are images failures of the text part."""
    with_media = filled.index()
    report = with_media.ingest()
    assert (report.failed, report.added) == (0, 2)
    exclude = ["db", "fresh*", "m.csv"]
    without = filled.index("fresh", media=None,
                           sources=[{"type": "files", "root": str(filled.folder), "exclude": exclude}])  # fmt: skip
    without.ingest()
    assert rows(with_media, vectors=True) == rows(without, vectors=True)
    assert without.status().media is None


def test_a_table_may_have_texts_and_pictures_and_rows_with_one_of_both(gallery: Any) -> None:
    """Where `text` is named, a row without picture is not a fault."""
    gallery.paint("pics/a.png")
    gallery.write("m.csv", "id,url,caption,text\n1,pics/a.png,,A barn.\n2,,,No picture here.\n")
    rows = {"url": "url", "text": "text"}
    index = gallery.index(sources=[{"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": rows}])
    report = index.ingest()
    assert (report.added, report.media.added, reasons(index)) == (2, 1, {})


def test_pictures_that_are_named_by_a_pattern_are_indexed(gallery: Any) -> None:
    """An explicit `include` makes every file of another kind a failure of the text part; not these."""
    gallery.paint("pics/a.png")
    gallery.paint("pics/b.jpg", form="JPEG")
    gallery.write("docs/j.md", "# Journal\n\n![b](../pics/b.jpg)\n")
    source = {"type": "files", "root": str(gallery.folder), "include": ["*.png"]}
    index = gallery.index(sources=[source])
    report = index.ingest()
    assert (report.added, report.status) == (0, "completed")
    assert set(media_rows(index)) == {"pics/a.png"}


def test_drawings_without_pixels_are_passed_over_in_documents(gallery: Any) -> None:
    gallery.write("docs/badges.md", "# Badges\n\n![build](https://example.com/badge.svg?branch=main) ![x](x.SVG)\n")
    report = gallery.index().ingest()
    assert (report.status, report.media.added, report.media.failed) == ("completed", 0, 0)


def test_only_and_full_are_for_both_parts(filled: Any, web: Any, emulator: Any) -> None:
    index = filled.index()
    report = index.ingest(only=["docs/j.md"])
    assert (report.added, report.media.added) == (1, 2)
    report = index.ingest(only=["m.csv#2"])
    assert (report.added, report.media.added) == (0, 1)
    report = index.ingest()
    assert (report.added, report.media.added, report.media.unchanged) == (1, 5, 3)
    before, bought = media_rows(index), emulator.stats()["texts"]
    web.take()
    report = index.ingest(full=True)
    assert (report.changed, report.media.changed, report.media.embedded) == (2, 8, 0)
    assert {status for _, status in web.take()} == {200}
    assert (media_rows(index), emulator.stats()["texts"]) == (before, bought)


# -- stages ------------------------------------------------------------------------------------------------------


def test_the_stages_of_a_run_are_those_of_every_run(filled: Any) -> None:
    """Media travel the main path: the same stages, in batches of their own."""
    report = filled.index().ingest()
    assert set(report.media.seconds) == set(report.seconds)


def test_a_stage_may_run_twice(filled: Any) -> None:
    """Prefect may repeat a task whose result it has lost."""
    from relance.pipeline.run import Run
    from relance.pipeline.stages import chunk, embed, load

    embedding = {"model": "dashscope/tongyi-embedding-vision-plus-2026-03-06", "region": "beijing", "fuse": True}
    index = filled.index(media=filled.media(embedding=embedding))
    with Run(index.spec) as run:
        _, media = run.parts
        context = media.context
        for batch in media.batches():
            chunked = chunk(context, load(context, batch))
            grant = media.claim(chunked)
            embed(context, chunked, grant)
            embedded = media.count(embed(context, chunked, grant))
            media.commit(embedded)
        report = media.finish()
    assert (report.added, report.failed) == (8, 0)


def test_a_run_that_finds_the_media_being_written_ends_before_it_begins(filled: Any) -> None:
    from relance.errors import IndexBusyError
    from relance.store.lock import hold

    index = filled.index()
    with hold(index._store, "gallery/media"), pytest.raises(IndexBusyError):
        index.ingest()
    assert index.status().documents == 0
