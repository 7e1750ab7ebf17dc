"""Links of the map to files: they lead from where the page lies to what is there, and to nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.analysis.cluster import cluster
from relance.analysis.file_links import FileLinks
from relance.analysis.map_page import write_page
from relance.index import Index

Make = Callable[..., Index]

ODD = ["plain.md", "a b#c.md", "鱼 100%.md", "x'\"<b>.md", "javascript:alert(1).md", "data:,x.md", "deep/er/?q=1&b.md"]


@pytest.fixture
def index(make_index: Make, docs: Path) -> Index:
    """Files of odd names, and a table whose rows have odd ids."""
    for name in ODD:
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(f"# {name}\n\nSome words about {name}.", encoding="utf-8")
    rows = [{"id": name, "text": f"a row called {name}"} for name in ("one", "a#b", "../../../etc/passwd")]
    (docs / "rows#1.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    index.ingest()
    return index


def links_of(path: Path) -> dict[str, str]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert found is not None
    points: dict[str, Any] = json.loads(found[1])["points"]
    return dict(zip(points["uri"], points["href"], strict=True))


@pytest.mark.parametrize("place", ["map.html", "docs/map.html", "out/of the way/map.html"])
def test_every_file_is_linked_to_from_wherever_the_page_lies(index: Index, tmp_path: Path, place: str) -> None:
    page = tmp_path / place
    page.parent.mkdir(parents=True, exist_ok=True)
    assert write_page(index, cluster(index, k=2), page) == ""
    links = links_of(page)
    assert len(links) == len(ODD) + 3
    for uri, link in links.items():
        file = tmp_path / (f"docs/{uri.removeprefix('docs/')}" if uri.endswith(".md") else "docs/rows#1.jsonl")
        assert re.fullmatch(r"[\w.~/%-]+", link), "nothing in it is a scheme, a query or a fragment"
        opened = urljoin(page.as_uri(), link)
        assert Path(unquote(opened.removeprefix("file://"))) == file
    assert str(tmp_path) not in page.read_text(encoding="utf-8")


def test_what_is_not_there_any_more_has_no_link(index: Index, tmp_path: Path, docs: Path) -> None:
    found = cluster(index, k=2)
    (docs / "plain.md").unlink()
    (docs / "outside.md").symlink_to(Path(__file__))
    write_page(index, found, tmp_path / "map.html")
    links = links_of(tmp_path / "map.html")
    assert links.pop("docs/plain.md") == ""
    assert all(links.values())
    to = FileLinks(index.spec, tmp_path).to
    assert not any(map(to, ["docs/outside.md", "../secret", "/etc/hostname", "https://a.b/c", "docs", ""]))


def test_a_page_far_away_tells_no_path_of_this_machine(index: Index, tmp_path: Path) -> None:
    links = FileLinks(index.spec, Path(tmp_path.anchor) / "elsewhere")
    assert (links.to("docs/plain.md"), links.too_far) == ("", True)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=20))
def test_any_uri_is_a_relative_link_or_none(make_index: Make, tmp_path: Path, uri: str) -> None:
    link = FileLinks(make_index().spec, tmp_path).to(uri)
    assert link == "" or re.fullmatch(r"(?!/)[\w.~/%-]+", link)
