"""The model for images: which are refused, which fuse an image with its caption, and a change of it."""

from __future__ import annotations

from typing import Any

import pytest
from media_rows import media_rows

from relance.errors import ConfigurationError


@pytest.mark.parametrize("model", ["fake/hash", "dashscope/text-embedding-v4"])
def test_a_model_for_texts_is_refused_by_name_before_anything_is_asked_or_bought(
    filled: Any, web: Any, emulator: Any, model: str
) -> None:
    index = filled.index(media=filled.media(embedding={"model": model}))
    for call in (index.plan, index.ingest):
        with pytest.raises(ConfigurationError, match=f"media.embedding.model: {model}"):
            call()
    assert (web.take(), emulator.stats()["requests"]) == ([], 0)


def test_fusion_needs_a_model_that_fuses(filled: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"media\.embedding\.fuse.*2026"):
        filled.index(media=filled.media(embedding={"fuse": True})).ingest()


@pytest.mark.parametrize("model", ["tongyi-embedding-vision-plus-2026-03-06", "qwen3-vl-embedding"])
def test_with_fusion_a_caption_is_part_of_the_vector_and_its_change_is_bought(
    filled: Any, emulator: Any, model: str
) -> None:
    embedding = {"model": f"dashscope/{model}", "region": "beijing", "fuse": True}
    index = filled.index(media=filled.media(embedding=embedding))
    report = index.ingest().media
    assert (report.added, report.failed) == (8, 0)
    rows = media_rows(index)
    assert rows["m.csv#1"]["vector"] != rows["pics/a.png"]["vector"]
    path = filled.folder / "m.csv"
    path.write_text(path.read_text().replace("the lake", "the sea"))
    report = index.ingest().media
    assert (report.changed, report.embedded) == (1, 1)
    assert media_rows(index)["m.csv#2"]["vector"] != rows["m.csv#2"]["vector"]
    assert emulator.stats()["duplicates"] == 0


def test_another_model_is_built_beside_and_asked_when_it_is_whole(filled: Any, web: Any, emulator: Any) -> None:
    index = filled.index()
    index.ingest()
    old = index.status().media.table
    embedding = {"model": "dashscope/tongyi-embedding-vision-plus-2026-03-06", "region": "beijing", "fuse": True}
    other = filled.index(media=filled.media(embedding=embedding))
    emulator.faults([{"kind": "multimodal", "model": "tongyi-embedding-vision-plus-2026-03-06", "action": "Throttling",
                      "times": None}])  # fmt: skip
    impatient = filled.index(media=filled.media(embedding=embedding | {"max_attempts": 1}))
    assert impatient.ingest().media.failed == 8
    assert impatient.status().media.table == old
    assert impatient.search_media("red", mode="dense", k=1)[0].url == "pics/a.png", "questions go to the old one"
    emulator.faults([])
    assert other.plan().media.rebuild
    assert other.ingest().media.added == 8
    assert other.status().media.table != old
    assert media_rows(other) == media_rows(filled.fresh(other))
