"""Several indexes in one page, and two searches of one question side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.explore.conftest import Visitor

from relance.errors import InputError
from relance.explore import running
from relance.index import Index


@pytest.fixture(scope="module")
def other(notes: Index, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of one text."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "docs").mkdir()
    (folder / "docs" / "dam.md").write_text("# Dam\n\nThe dam holds water.\n")
    sources = notes.spec.sources[0].model_copy(update={"root": folder / "docs"})
    store = notes.spec.store.model_copy(update={"uri": str(folder / "db")})
    spec = notes.spec.model_copy(update={"name": "other", "sources": [sources], "store": store, "folder": folder})
    index = Index(spec)
    index.ingest()
    return index


@pytest.fixture(scope="module")
def several(notes: Index, other: Index) -> Iterator[Visitor]:
    with running(notes, None, other) as address:
        visitor = Visitor(address)
        yield visitor
        visitor.close()


def test_each_index_has_its_pages_and_leads_to_the_others(several: Visitor) -> None:
    assert several.get("/?q=water").headers["location"] == "/index/notes/?q=water"
    for name, own, foreign in (("notes", "docs/pump.md", "docs/dam.md"), ("other", "docs/dam.md", "docs/pump.md")):
        page = several.page(f"/index/{name}/?q=water")
        assert own in page.words
        assert foreign not in page.words
        assert {"/index/notes/", "/index/other/"} <= set(page.links())


def test_no_link_leaves_the_index_by_mistake(several: Visitor) -> None:
    seen, wanted = set(), ["/index/other/"]
    while wanted:
        path = wanted.pop().partition("#")[0]
        if path in seen or not path.startswith("/index/other") or "/map" in path or len(seen) > 40:
            continue
        seen.add(path)
        answer = several.get(path)
        assert answer.status_code in {200, 303}, path
        if "html" in answer.headers.get("content-type", ""):
            page = several.page(path)
            places = [*page.links(), *(form["action"] or "" for form in page.all("form"))]
            assert all(each.startswith(("/index/", "#", "http")) for each in places), (path, places)
            wanted += places
    assert len(seen) > 10
    assert several.get("/index/other/open?uri=docs/dam.md").headers["location"].startswith("/index/other/documents/")


def test_what_is_not_there_is_not_found(several: Visitor) -> None:
    for path in ("/index/none/", "/documents", "/index/"):
        assert several.get(path).status_code == 404
    assert several.stranger.get("/index/notes/").status_code == 403


def test_two_of_the_same_name_are_refused(notes: Index) -> None:
    with pytest.raises(InputError, match="notes"), running(notes, None, notes):
        pass


def test_two_searches_are_compared(visitor: Visitor, notes: Index) -> None:
    page = visitor.page("/compare?q=pump water&a_mode=dense&b_mode=full-text&b_filter=year = 2021")
    words = " ".join(page.words.split())
    (found,) = {hit.uri for hit in notes.search("pump water", mode="full-text", filter="year = 2021", group=True)}
    assert found == "docs/pump.md"
    assert "1 of 4 documents are found by both" in words
    assert words.count("only here") == 3
    assert visitor.get("/compare").status_code == 200


def test_what_is_wrong_with_one_side_is_said_there(visitor: Visitor) -> None:
    answer = visitor.get("/compare?q=water&b_filter=year >")
    assert answer.status_code == 200
    assert "the filter is not understood" in answer.text
    assert "docs/pump.md" in answer.text
    for query in ("a_mode=none", "b_index=none", "a_rerank=x"):
        assert visitor.get(f"/compare?q=water&{query}").status_code == 400


def test_indexes_are_compared(several: Visitor) -> None:
    page = several.page("/index/notes/compare?q=water&a_index=notes&b_index=other&b_mode=hybrid")
    assert all(uri in page.words for uri in ("docs/pump.md", "docs/dam.md"))
    assert any(link.startswith("/index/other/documents/") for link in page.links())
