"""Files are handed out by what the index holds, never by a path of the request, and from the declared folders only."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.explore.conftest import Visitor

from relance.config import IndexSpec
from relance.documents import document_id
from relance.index import Index
from relance.sources.local_files import source_file

SECRET = "the secret of this test"

pieces = st.sampled_from(
    ["..", ".", "docs", "deep", "pump.md", "outside.txt", "link", "etc", "passwd", "", "%2e%2e", "\\..", "..;", "~"]
)
paths = st.lists(pieces, min_size=1, max_size=6).map("/".join)


@pytest.fixture(scope="module")
def outside(notes: Index) -> Path:
    """A file beside the sources that nobody may have."""
    path = notes.spec.path("outside.txt")
    path.write_text(SECRET)
    return path


@given(path=paths | st.text(max_size=30))
def test_no_uri_leads_out_of_the_sources(notes: Index, outside: Path, path: str) -> None:
    found = source_file(notes.spec, path)
    root = os.path.realpath(notes.spec.path(notes.spec.sources[0].model_dump()["root"]))
    assert outside.exists()
    assert found is None or str(found).startswith(root + os.sep)


def as_written(visitor: Visitor, path: str) -> tuple[int, str]:
    """Ask for a path as it stands; other clients resolve `..` themselves."""
    host, _, port = visitor.address.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", path, headers={"Cookie": f"relance-explore-{port}={visitor.token}"})
    response = connection.getresponse()
    try:
        return response.status, response.read().decode("utf-8", "replace")
    finally:
        connection.close()


@given(path=paths | st.text(max_size=30))
def test_no_address_hands_out_what_lies_outside(visitor: Visitor, outside: Path, path: str) -> None:
    assert outside.exists()
    for prefix in ("/documents/", "/media/", "/static/", "/runs/", "/"):
        for end in ("", "/file"):
            status, body = as_written(visitor, prefix + quote(path, safe="/%\\;~") + end)
            assert status != 500
            assert SECRET not in body
            assert "root:" not in body


@given(doc_id=st.text(max_size=40) | st.from_regex(r"[0-9a-f]{32}", fullmatch=True))
def test_an_id_that_the_index_does_not_hold_gets_nothing(visitor: Visitor, doc_id: str) -> None:
    for path in (f"/documents/{quote(doc_id, safe='')}/file", f"/media/{quote(doc_id, safe='')}/video"):
        assert visitor.get(path).status_code in {404, 307}


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/....//app.py",
        "/static//etc/passwd",
    ],
)
def test_the_style_sheet_is_not_a_way_out(visitor: Visitor, path: str) -> None:
    status, body = as_written(visitor, path)
    assert status in {403, 404}
    assert "Starlette" not in body
    assert "root:" not in body


@pytest.fixture
def linked(make_index: Callable[..., Index], docs: Path, tmp_path: Path) -> IndexSpec:
    (tmp_path / "outside.txt").write_text(SECRET)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text(SECRET)
    (docs / "real.txt").write_text("fine")
    (docs / "link.txt").symlink_to(tmp_path / "outside.txt")
    (docs / "folder").symlink_to(tmp_path / "elsewhere")
    (docs / "inner.txt").symlink_to(docs / "real.txt")
    (docs / "loop").symlink_to(docs / "loop")
    os.mkfifo(docs / "pipe.txt")
    return make_index().spec


@pytest.mark.parametrize(
    "uri", ["docs/link.txt", "docs/folder/a.txt", "docs/loop", "docs/pipe.txt", "docs", "docs/none"]
)
def test_links_out_and_what_is_no_file_are_refused(linked: IndexSpec, uri: str) -> None:
    assert source_file(linked, uri) is None


def test_a_link_inside_leads_to_the_file_itself(linked: IndexSpec, docs: Path) -> None:
    assert source_file(linked, "docs/inner.txt") == Path(os.path.realpath(docs / "real.txt"))


def test_pictures_may_lie_in_the_folder_of_the_spec(linked: IndexSpec, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(b"x")
    assert source_file(linked, "red.png") is None
    assert source_file(linked, "red.png", media=True) == Path(os.path.realpath(tmp_path / "red.png"))
    assert source_file(linked, "../" * 12 + "etc/passwd", media=True) is None
    assert source_file(linked, "file:///etc/passwd", media=True) is None


def test_a_file_that_became_a_link_is_not_handed_out(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path, tmp_path: Path
) -> None:
    (docs / "pump.md").write_text("# Pump")
    index = make_index()
    index.ingest()
    visitor = open_page(index)
    address = f"/documents/{document_id('docs/pump.md')}/file"
    assert visitor.get(address).text == "# Pump"
    (tmp_path / "outside.txt").write_text(SECRET)
    (docs / "pump.md").unlink()
    (docs / "pump.md").symlink_to(tmp_path / "outside.txt")
    assert visitor.get(address).status_code == 404


def test_a_file_that_goes_away_meanwhile_is_not_found(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "pump.md").write_text("# Pump")
    index = make_index()
    index.ingest()
    visitor = open_page(index)

    def found_and_removed(spec: IndexSpec, uri: str) -> Path | None:
        path = source_file(spec, uri)
        (docs / "pump.md").unlink()
        return path

    monkeypatch.setattr("relance.explore.pages.document.source_file", found_and_removed)
    response = visitor.get(f"/documents/{document_id('docs/pump.md')}/file")
    assert response.status_code == 404
    assert "no longer where it was" in response.text


def test_what_is_being_sent_is_sent_to_the_end(
    open_page: Callable[[Index], Visitor], make_index: Callable[..., Index], docs: Path
) -> None:
    for name in ("long", "other"):
        (docs / f"{name}.md").write_text("# Long")
    index = make_index()
    index.ingest()
    visitor, text = open_page(index), "The pump moves water. " * 500_000
    (docs / "long.md").write_text(text)
    with visitor.client.stream("GET", f"/documents/{document_id('docs/long.md')}/file") as response:
        pieces = response.iter_bytes()
        got = [next(pieces)]
        (docs / "long.md").unlink()
        index.ingest()
        got += pieces
    assert b"".join(got).decode() == text
    assert visitor.get(f"/documents/{document_id('docs/long.md')}/file").status_code == 404


def test_a_large_file_is_not_handed_out(linked: IndexSpec, docs: Path) -> None:
    source = linked.sources[0].model_copy(update={"max_size": 3})
    assert source_file(linked.model_copy(update={"sources": [source]}), "docs/real.txt") is None
