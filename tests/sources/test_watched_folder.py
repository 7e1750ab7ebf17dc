"""Which paths are documents: the same ones that the source lists."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.config import IndexSpec
from relance.documents import Ignored
from relance.events.watched import watched_folders
from relance.pipeline.media_reader import open_media_reader
from relance.pipeline.text_reader import open_text_reader
from relance.sources.watched_folder import WatchedFolder

names = st.sampled_from(["a", "b", "drafts", ".hidden", ".git", "x.md"])
files = st.sampled_from(["n.md", "p.png", "t.csv", "u.bin", ".dot.md", "draft.md", "é.md", "n.md~"])
paths = st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(names, max_size=3), files)
rules = st.lists(
    st.sampled_from(
        ["drafts/", "*.png", "draft*", "!draft.md", "/a/*", "!/a/b", "b/**", "**/n.md", "# a word", "x.md", "["]
    ),
    min_size=1,
    max_size=3,
)
ignore_files = st.dictionaries(
    st.tuples(st.lists(names, max_size=2).map("/".join), st.sampled_from([".gitignore", ".relanceignore"])),
    rules,
    max_size=3,
)
patterns = st.lists(
    st.sampled_from(["**/*", "*.md", "a/**", "**/b/*.png", "drafts/*"]), min_size=1, max_size=2, unique=True
)
sections = st.fixed_dictionaries(
    {
        "include": patterns | st.just(["**/*"]),
        "exclude": patterns.filter(lambda some: "**/*" not in some) | st.just([]),
    },
    optional={
        "hidden": st.booleans(),
        "ignore_files": st.sampled_from([[], [".relanceignore", ".gitignore"]]),
        "rows": st.sampled_from([{}, {"url": "url"}]),
    },
)


def declare(folder: Path, media: bool = False, **section: Any) -> IndexSpec:
    declared = {"name": "n", "sources": [{"type": "files", "root": "docs"} | section], "folder": folder}
    return IndexSpec.model_validate(declared | ({"media": {}} if media or section.get("rows", {}).get("url") else {}))


def listed(spec: IndexSpec) -> set[str]:
    found = {item.uri for item in open_text_reader(spec, 0).list() if not isinstance(item, Ignored)}
    return found | ({item.uri for item in open_media_reader(spec, 0).list()} if spec.media else set())


def folder_of(spec: IndexSpec) -> WatchedFolder:
    (folder,) = watched_folders(spec)
    return folder


def named(spec: IndexSpec) -> set[str]:
    source = folder_of(spec)
    everything = [f"{place}/{name}" for place, _, names in os.walk(source.root) for name in names]
    assert set(source.below(source.root)) == set(filter(None, map(source.uri, everything)))
    return {source.uri(path) for path in everything} - {""}


@given(st.lists(paths, max_size=25), ignore_files, sections, st.booleans())
def test_a_path_has_a_uri_exactly_when_the_source_lists_it(tree, ignored, section, media):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "docs").mkdir()
        for path, text in [*((path, "x") for path in tree), *(("/".join(k), "\n".join(v)) for k, v in ignored.items())]:
            place = Path(folder, "docs", path)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
            except OSError:
                continue  # a folder is called like a file
        spec = declare(Path(folder), media, **section)
        assert named(spec) == listed(spec)


@pytest.mark.parametrize("root", [".", "docs", "./docs/../docs", "../outside"])
def test_uris_are_relative_to_the_folder_of_the_spec(tmp_path, root):
    home = tmp_path / "home"
    for place in (home / "docs", tmp_path / "outside"):
        place.mkdir(parents=True)
        (place / "a.md").write_text("x")
    spec = declare(home, root=root)
    assert named(spec) == listed(spec) != set()


def test_a_link_is_a_document_only_where_links_are_followed(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("x")
    (docs / "link.md").symlink_to("a.md")
    (docs / "folder").mkdir()
    (docs / "other").symlink_to("folder")
    (docs / "folder" / "b.md").write_text("x")
    assert named(declare(tmp_path)) == listed(declare(tmp_path)) == {"docs/a.md", "docs/folder/b.md"}
    assert folder_of(declare(tmp_path)).uri(str(docs / "other" / "b.md")) == ""
    # What else a file is called, nobody knows: all have to be looked at.
    assert folder_of(declare(tmp_path, follow_symlinks=True)).is_vague(str(docs / "a.md"))


def test_the_root_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.md").write_text("x")
    (tmp_path / "docs").symlink_to("real")
    source = folder_of(declare(tmp_path))
    assert source.uri(str(tmp_path / "real" / "a.md")) == "docs/a.md"


def test_a_name_that_is_no_unicode_is_called_as_the_source_calls_it(tmp_path):
    (tmp_path / "docs").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/docs/\xff.md")).write_text("x")
    spec = declare(tmp_path)
    assert named(spec) == listed(spec) == {"docs/\\xff.md"}


@pytest.mark.parametrize(
    ("path", "section", "media", "vague"),
    [
        ("a.md", {}, True, False),
        ("p.png", {}, False, False),
        ("p.png", {}, True, True),  # documents may show it
        (".git/p.png", {}, True, False),
        (".gitignore", {}, False, True),
        (".gitignore", {"ignore_files": []}, False, False),
        ("sub/.relanceignore", {}, False, True),
        ("drafts/.gitignore", {"exclude": ["drafts/"]}, False, False),
        (".git/config", {"follow_symlinks": True}, False, False),
        ("..data", {"follow_symlinks": True}, False, True),
    ],
)
def test_what_may_concern_other_documents_is_told(tmp_path, path, section, media, vague):
    (tmp_path / "docs").mkdir()
    source = folder_of(declare(tmp_path, media, **section))
    assert source.is_vague(str(tmp_path / "docs" / path)) is vague


def test_rules_are_read_again_after_a_refresh(tmp_path):
    (tmp_path / "docs").mkdir()
    source = folder_of(declare(tmp_path))
    path = str(tmp_path / "docs" / "a.md")
    assert source.uri(path) == "docs/a.md"
    (tmp_path / "docs" / ".gitignore").write_text("a.md")
    source.refresh()
    assert source.uri(path) == ""
