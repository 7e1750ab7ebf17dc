"""The example with three people in docs/access.md, as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import relance
from relance.index import Index

PAGE = (Path(__file__).parents[2] / "docs/access.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## Three people\n")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", EXAMPLE, re.DOTALL)


def test_three_people_find_what_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: Callable[[], list[str]]
) -> None:
    (tmp_path / "handbook").mkdir()
    (spec,), (asked,), (told,), files = (blocks(each) for each in ("yaml", "python", "text", "markdown"))
    assert len(files) == 3
    for n, text in enumerate(files):
        (tmp_path / f"handbook/{n}.md").write_text(text, encoding="utf-8")
    (tmp_path / "index.yaml").write_text(spec, encoding="utf-8")
    index = Index(tmp_path / "index.yaml")
    assert index.ingest().added == 3

    def ask() -> str:
        capsys.readouterr()
        exec(asked, {"index": index})  # the page's own lines
        return capsys.readouterr().out

    assert ask() == told
    pay = tmp_path / "handbook/2.md"
    pay.write_text(files[2].replace("[ada]", "[ada, bob]"), encoding="utf-8")
    report = index.ingest()
    assert (report.changed, report.embedded) == (1, 0)
    assert ask() == told.replace("bob ['Holidays', 'Travel']", "bob ['Holidays', 'Pay', 'Travel']")
    pay.write_text(files[2], encoding="utf-8")
    assert index.ingest().embedded == 0
    assert ask() == told
    assert len(index.search("office", principals=relance.OWNER)) == 3
