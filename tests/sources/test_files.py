"""The `files` source lists cheaply and in order, reads what it listed, and says why it cannot read the rest."""

import os
import random

import pytest
from file_sources import deny, one, read, source, uris
from files import put
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.config import FilesSource
from relance.documents import Item
from relance.errors import ConfigurationError, DocumentError
from relance.parsers import installed_parsers
from relance.pipeline.text_reader import TextReader
from relance.sources import SourceContext
from relance.sources.files import Files

# Listing


def test_a_uri_is_the_path_from_the_folder_of_the_spec(root):
    put(root / "a/b.md")
    assert [item.uri for item in source(root).list()] == ["docs/a/b.md"]
    at_root = source(root, root, 3)
    assert [(item.uri, item.source) for item in at_root.list()] == [("a/b.md", 3)]
    beside = source(root, root.parent / "specs")
    (item,) = beside.list()
    assert item.uri == "../docs/a/b.md"
    assert beside.read(item).data == b"text"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ab-./ ", min_size=1, max_size=8).map(lambda s: s.strip("./ ")).filter(bool), max_size=12))
def test_a_listing_is_in_order_of_uri_whatever_the_names(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("tree")
    for name in names:
        path = root / f"{name}.md"
        if ".." not in name.split("/"):
            try:
                put(path)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
    listed = [item.uri for item in source(root, root).list()]
    assert listed == sorted(listed)
    assert len(listed) == len(set(listed))


def test_the_version_changes_with_time_or_size_and_with_nothing_else(root):
    path = put(root / "a.md", "one")
    os.utime(path, ns=(1, 5))
    first = one(root, "a.md").version
    assert one(root, "a.md").version == first
    os.utime(path, ns=(1, 6))
    second = one(root, "a.md").version
    path.write_text("three")
    os.utime(path, ns=(1, 6))
    assert len({first, second, one(root, "a.md").version}) == 3


def test_listing_opens_no_document(root, monkeypatch):
    put(root / "a.md")
    put(root / "b/c.pdf")
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("opened"))
    monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("opened"))
    assert uris(root) == ["a.md", "b/c.pdf"]


def test_listing_is_a_stream(root):
    put(root / "a/1.md")
    put(root / "b/1.md")
    stream = source(root).list()
    assert next(stream).uri == "docs/a/1.md"
    put(root / "b/2.md")  # not looked at yet
    assert [item.uri for item in stream] == ["docs/b/1.md", "docs/b/2.md"]


def test_a_missing_folder_is_a_mistake_not_an_empty_source(tmp_path):
    with pytest.raises(ConfigurationError, match="does not exist"):
        list(source(tmp_path / "nowhere").list())
    with pytest.raises(ConfigurationError, match=r"is a file; set `root` to its folder and `include` to \[a.md\]"):
        list(source(put(tmp_path / "a.md")).list())


def test_a_folder_that_cannot_be_listed_is_named_and_stops_nothing_else(root, monkeypatch):
    put(root / "a/1.md")
    put(root / "b/1.md")
    put(root / "c.md")
    deny(monkeypatch, root / "b")
    first, failure, last = source(root).list()
    assert (first.uri, last.uri) == ("docs/a/1.md", "docs/c.md")
    assert isinstance(failure, DocumentError)
    assert (failure.uri, failure.reason) == ("docs/b/", "this folder cannot be listed: permission denied")


def test_a_root_that_cannot_be_listed_is_never_taken_for_empty(root, monkeypatch):
    deny(monkeypatch, root)
    with pytest.raises(ConfigurationError, match="permission denied"):
        list(source(root).list())


def test_a_name_that_is_no_utf8_is_a_failure_with_a_readable_uri(root):
    path = os.fsencode(root) + b"/caf\xe9.md"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system refuses such names")
    put(root / "z.md")
    failure, item = source(root).list()
    assert (failure.uri, failure.reason) == ("docs/caf\\xe9.md", "its name is not valid UTF-8; rename it")
    assert item.uri == "docs/z.md"


# Reading


def test_equal_bytes_have_equal_hashes_and_a_touch_changes_nothing(root):
    path = put(root / "a.md", "same")
    put(root / "b.md", "same")
    before = read(root, "a.md")
    os.utime(path, (1, 1))
    after = read(root, "a.md")
    assert before.item.version != after.item.version
    assert before.content_hash == after.content_hash == read(root, "b.md").content_hash
    path.write_text("other")
    assert read(root, "a.md").content_hash != before.content_hash


def test_an_empty_file_is_ignored_and_one_that_was_emptied_meanwhile_is_a_failure(root):
    put(root / "a.md", "")
    (found,) = source(root).list()
    assert (found.uri, found.reason) == ("docs/a.md", "empty")
    with pytest.raises(DocumentError) as caught:
        source(root).read(Item("docs/a.md", "1-1", "text/markdown"))
    assert caught.value.reason == "empty file"


def test_a_file_over_the_limit_is_a_failure_and_at_the_limit_is_not(root):
    put(root / "a.md", "x" * 1000)
    assert len(read(root, "a.md", max_size=1000).data) == 1000
    with pytest.raises(DocumentError, match=r"is more than max_size \(999B\); raise max_size or exclude it"):
        read(root, "a.md", max_size=999)


def test_a_file_that_has_grown_since_it_was_listed_is_measured_again(root):
    files = source(root, max_size=10)
    path = put(root / "a.md", "small")
    (item,) = files.list()
    path.write_text("x" * 11)
    with pytest.raises(DocumentError, match="max_size"):
        files.read(item)


def test_a_file_that_vanishes_says_so(root):
    files = source(root)
    path = put(root / "a.md")
    (item,) = files.list()
    path.unlink()
    with pytest.raises(DocumentError, match="it vanished while being read"):
        files.read(item)


def test_a_file_that_may_not_be_read_says_so(root, monkeypatch):
    path = put(root / "a.md")
    deny(monkeypatch, path)
    with pytest.raises(DocumentError, match="permission denied"):
        read(root, "a.md")


def test_a_link_put_in_place_of_a_file_does_not_lead_out(root, tmp_path):
    files = source(root)
    path = put(root / "a.md")
    (item,) = files.list()
    path.unlink()
    path.symlink_to(put(tmp_path / "secret.md", "secret"))
    with pytest.raises(DocumentError, match="leads out of the folder"):
        files.read(item)


# Parsing


def test_metadata_say_where_what_and_when(root):
    path = put(root / "a b.md", "---\ntags: [x]\npath: elsewhere\n---\nBody")
    os.utime(path, (0, 1_700_000_000))
    document = source(root).parse(read(root, "a b.md"))
    assert document.metadata == {
        "tags": ["x"],
        "path": "docs/a b.md",
        "media_type": "text/markdown",
        "mtime": "2023-11-14T22:13:20Z",
    }
    assert (document.text, document.title, document.syntax) == ("Body", "a b", "markdown")


@pytest.mark.parametrize("seconds", [-5, 0, 1 << 33])
def test_a_strange_clock_is_no_failure(root, seconds):
    os.utime(put(root / "a.md"), (seconds, seconds))
    assert source(root).parse(read(root, "a.md")).metadata["mtime"].endswith("Z")


def test_the_encoding_of_the_spec_is_used_and_part_of_the_version(root):
    put(root / "a.txt", "中文".encode("gbk"))
    files = source(root, encoding="gbk")
    (item,) = files.list()
    assert files.parse(files.read(item)).text == "中文"
    plain = source(root)
    assert files.parser_version("text/plain") != plain.parser_version("text/plain")
    assert files.parser_version("application/pdf") == plain.parser_version("application/pdf")


def test_an_unknown_encoding_is_a_mistake_in_the_spec(root):
    section = FilesSource(type="files", root=root).model_copy(update={"encoding": "klingon"})
    with pytest.raises(ConfigurationError, match="'klingon' is no encoding"):
        TextReader(Files(section, SourceContext(root)), installed_parsers())


def test_a_listing_of_many_files_stays_flat_in_memory(root):
    import tracemalloc

    for folder in range(40):
        (root / f"{folder:02}").mkdir()
        for name in range(25):
            (root / f"{folder:02}/{name:02}.md").touch()
    files = source(root)
    sum(1 for _ in files.list())
    tracemalloc.start()
    try:
        count = sum(1 for _ in files.list())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 1000
    assert peak < 100_000  # a list of the items alone would take three times that


def test_shuffled_creation_gives_the_same_listing(root):
    names = [f"{a}{b}.md" for a in "abc" for b in ("", "/x", "-y")]
    random.Random(4).shuffle(names)
    for name in names:
        put(root / name)
    assert uris(root) == sorted(names)
