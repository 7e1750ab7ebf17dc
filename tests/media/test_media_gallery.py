"""The example gallery is whole, small and what its texts say it is."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from relance.media.addresses import resolve
from relance.media.inspect import inspect
from relance.media.rules import MediaRules, check
from relance.parsers import Raw, installed_parsers
from relance.parsers.media_types import media_type_of

GALLERY = Path(__file__).parents[2] / "examples" / "gallery"
FILES = sorted(path for folder in ("pictures", "video") for path in (GALLERY / folder).iterdir())
# The strictest row of the reference: tongyi-embedding-vision-plus.
RULES = MediaRules(
    image_formats=frozenset({"image/jpeg", "image/png", "image/bmp"}),
    video_formats=frozenset({"video/mp4"}),
    max_image_bytes=3 << 20,
    max_video_bytes=10 << 20,
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_small_and_passes_the_strictest_model(path):
    facts = inspect(path.read_bytes(), path.name)
    assert facts.media_type == media_type_of(path.name)
    assert facts.size <= (40_000 if facts.kind == "image" else 60_000)
    check(facts, RULES)


def test_the_catalog_names_every_file_once():
    with (GALLERY / "catalog.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["url"] for row in rows} == {path.relative_to(GALLERY).as_posix() for path in FILES}
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["caption"] and row["year"].isdigit() for row in rows)


def test_captions_leave_the_colours_to_the_pictures():
    text = (GALLERY / "catalog.csv").read_text(encoding="utf-8").lower()
    for colour in "red yellow blue green orange black white purple pink brown grey teal".split():
        assert f" {colour}" not in text


@pytest.mark.parametrize("name", ["docs/journal.md", "docs/about.html"])
def test_what_a_document_shows_is_there_and_described(name):
    found = installed_parsers().references(Raw((GALLERY / name).read_bytes(), name, media_type_of(name)))
    assert len(found) >= 6
    for reference in found:
        path = GALLERY / resolve(reference.url, name)
        assert path in FILES
        assert inspect(path.read_bytes(), name).kind == reference.kind_hint
        assert reference.alt
        assert len(reference.heading_path) >= 2


def test_drawing_again_gives_the_same_pictures(tmp_path):
    runpy.run_path(str(GALLERY / "draw.py"))["main"](tmp_path)
    for path in FILES:
        again = tmp_path / path.relative_to(GALLERY)
        facts, redrawn = (inspect(file.read_bytes(), path.name) for file in (path, again))
        assert (redrawn.width, redrawn.height, redrawn.frames) == (facts.width, facts.height, facts.frames)
        if facts.kind == "image":  # another version of Pillow may compress differently
            pictures = [np.asarray(Image.open(file).convert("RGB"), np.int16) for file in (path, again)]
            assert np.abs(pictures[0] - pictures[1]).mean() < 3
