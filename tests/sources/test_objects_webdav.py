"""Files of a WebDAV server, as a source of objects by opendal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import KEY_ID, SECRET, webdav_server

from relance.config import IndexSpec
from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError, MissingExtraError, SourceError
from relance.index import Index
from relance.sources import Source, open_source
from relance.sources.objects import opendal_bucket

Make = Callable[..., Index]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    (folder / "docs/sub").mkdir(parents=True)
    (folder / "docs/a b#1.md").write_text("# A\n\nA lock lifts ships.\n")
    (folder / "docs/sub/b.md").write_text("# B\n\nA weir holds water.\n")
    (folder / "docs/rows.jsonl").write_text('{"id": 1, "text": "A ferry crosses."}\n')
    (folder / "docs/empty.md").touch()
    (folder / "elsewhere.md").write_text("Not asked for.")
    return folder


@pytest.fixture
def place(shared: Path) -> Iterator[str]:
    with webdav_server(shared) as place:
        yield place


def section(place: str, **more: Any) -> dict[str, Any]:
    return {"type": "objects", "url": f"webdav://{place}/docs", "key_id": KEY_ID, "secret": SECRET} | more


def source_of(place: str, **more: Any) -> Source:
    spec = {"name": "t", "sources": [section(place, **more)], "folder": Path("/srv")}
    return open_source(IndexSpec.model_validate(spec), 0)


def test_files_are_listed_and_read(place):
    source = source_of(place)
    found = {each.uri.removeprefix(f"webdav://{place}/docs/"): each for each in source.list()}
    assert {name for name, each in found.items() if isinstance(each, Item)} == {"a b%231.md", "sub/b.md", "rows.jsonl"}
    assert [(name, each.reason) for name, each in found.items() if isinstance(each, Ignored)] == [("empty.md", "empty")]
    item = found["a b%231.md"]
    assert isinstance(item, Item)
    content = source.read(item)
    assert content.data == b"# A\n\nA lock lifts ships.\n"
    assert content.metadata["mtime"].endswith("Z")
    with source.open(item) as (stream, size):
        stream.seek(5)
        assert stream.read(6) == b"A lock"
        assert size == len(content.data)


def test_an_index_follows_a_server(place, shared: Path, make_index: Make):
    index = make_index(sources=[section(place, rows={})])
    assert index.ingest().added == 3
    report = index.ingest()
    assert (report.added, report.changed, report.removed) == (0, 0, 0)
    (shared / "docs/sub/b.md").rename(shared / "docs/c.md")
    (shared / "docs/a b#1.md").write_text("# A\n\nA lock lifts many boats.\n")
    report = index.ingest()
    assert (report.added, report.changed, report.removed) == (1, 1, 1)
    assert index.search("boats", mode="full-text")[0].uri == f"webdav://{place}/docs/a b%231.md"


def test_a_wrong_password_and_a_server_that_is_away_are_said(place, monkeypatch):
    monkeypatch.setattr(opendal_bucket, "_TRIES", 1)
    with pytest.raises(SourceError, match="access is refused") as caught:
        list(source_of(place, secret="wrong-password").list())
    assert "wrong-password" not in str(caught.value)
    with pytest.raises(SourceError, match="does not answer"):
        list(source_of("127.0.0.1:1").list())
    with pytest.raises(DocumentError, match="does not answer"):
        source_of("127.0.0.1:1").read(Item("webdav://127.0.0.1:1/docs/a.md", "", "text/markdown"))


def test_a_folder_that_cannot_be_listed_stops_the_listing(shared: Path, monkeypatch):
    monkeypatch.setattr(opendal_bucket, "_TRIES", 1)
    with (
        webdav_server(shared, broken={"/docs/sub", "/docs/sub/"}) as place,
        pytest.raises(SourceError, match="500"),
    ):
        list(source_of(place).list())


def test_a_folder_that_is_not_there_is_no_empty_one(place):
    with pytest.raises(ConfigurationError, match="no such bucket or folder"):
        list(source_of(place, url=f"webdav://{place}/nowhere").list())


def test_without_the_library_the_extra_is_named(place, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "opendal", None)
    with pytest.raises(MissingExtraError, match=r"relance\[opendal\]"):
        list(source_of(place).list())
