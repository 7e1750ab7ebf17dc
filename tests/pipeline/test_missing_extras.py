"""What cannot be read without an extra is a failure that says how to install it; everything else goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from relance.errors import MissingExtraError
from relance.index import Index
from relance.parsers.text import Text

Make = Callable[..., Index]


def test_code_waits_for_its_extra_and_text_does_not(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.py").write_text("def gauge():\n    return 1\n", encoding="utf-8")
    (docs / "a.md").write_text("# Gauges\n\nThey tell how high a river is.\n", encoding="utf-8")
    index = make_index(chunking={"strategy": "code"})
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tree_sitter_language_pack", None)
        plan = index.plan()
        assert (plan.added, plan.failed) == (1, 1)
        report = index.ingest()
        assert (report.status, report.added, report.failed) == ("completed with failures", 1, 1)
        [failure] = index.failures()
        assert failure.uri == "docs/a.py"
        assert "pip install 'relance[code]'" in failure.reason
    after = index.ingest()
    assert (after.status, after.added, after.unchanged) == ("completed", 1, 1)


def test_a_parser_that_lacks_its_extra_stops_no_other_document(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: Any) -> Any:
        raise MissingExtraError("Reading it", "some-plugin")

    monkeypatch.setattr(Text, "parse", parse)
    (docs / "a.txt").write_text("A page about rivers.", encoding="utf-8")
    (docs / "a.md").write_text("A gauge.", encoding="utf-8")
    index = make_index()
    assert index.plan().failed == 1
    assert (index.ingest().added, index.failures()[0].reason) == (
        1, "Reading it needs an extra: pip install 'relance[some-plugin]'",
    )  # fmt: skip


def test_pictures_wait_for_their_extra_and_texts_do_not(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, emulator: Any
) -> None:
    Image.new("RGB", (64, 64), "red").save(docs / "red.png")
    (docs / "a.md").write_text("A gauge.", encoding="utf-8")
    index = make_index(media={"embedding": {"base_url": f"{emulator.url}/api/v1"}})
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "PIL.PngImagePlugin", None)
        plan = index.plan()
        assert plan.media is not None
        assert (plan.added, plan.media.added, plan.media.failed) == (1, 0, 1)
        report = index.ingest()
        assert report.media is not None
        assert (report.added, report.media.failed) == (1, 1)
        assert "pip install 'relance[media]'" in index.failures()[0].reason
    after = index.ingest().media
    assert after is not None
    assert (after.status, after.added) == ("completed", 1)
