"""What the `files` source lets through: patterns, ignore files, hidden files and links."""

import os

import pytest
from file_sources import deny, read, source, uris
from files import put

from relance.errors import ConfigurationError, DocumentError


def test_by_default_files_without_text_are_passed_over(root):
    for name in (
        "a.md",
        "b.png",
        "c.zip",
        "d.unheard-of",
        "README",
        "e.py",
        "f.pdf",
        "g.docx",
        "h.mp4",
        "i.bin",
        "j.doc",
    ):
        put(root / name)
    assert uris(root) == ["README", "a.md", "e.py", "f.pdf", "g.docx", "j.doc"]


def test_what_is_included_by_name_is_never_passed_over_in_silence(root):
    put(root / "b.png")
    assert uris(root, include=["*.png"]) == ["b.png"]
    with pytest.raises(DocumentError, match="no parser for image/png"):
        read(root, "b.png", include=["*.png"])


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (["*.md"], ["a.md", "docs/b.md", "docs/deep/c.md"]),
        (["**/*.md"], ["a.md", "docs/b.md", "docs/deep/c.md"]),
        (["docs/*.md"], ["docs/b.md"]),
        (["docs/**/*.md"], ["docs/b.md", "docs/deep/c.md"]),
        (["/*.md", "*.txt"], ["a.md", "docs/d.txt"]),
        (["docs/"], ["docs/b.md", "docs/d.txt", "docs/deep/c.md"]),
    ],
)
def test_include_patterns(root, include, expected):
    for name in ("a.md", "docs/b.md", "docs/deep/c.md", "docs/d.txt"):
        put(root / name)
    assert uris(root, include=include) == expected


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (["drafts/**"], ["a.md", "b.tmp.md"]),
        (["drafts"], ["a.md", "b.tmp.md"]),
        (["*.tmp.md"], ["a.md", "drafts/c.md", "drafts/x/d.md"]),
    ],
)
def test_exclude_patterns(root, exclude, expected):
    for name in ("a.md", "b.tmp.md", "drafts/c.md", "drafts/x/d.md"):
        put(root / name)
    assert uris(root, exclude=exclude) == expected


def test_an_excluded_folder_is_not_even_entered(root, monkeypatch):
    put(root / "node_modules/x/a.md")
    put(root / "a.md")
    deny(monkeypatch, root / "node_modules")
    assert uris(root, exclude=["node_modules"]) == ["a.md"]


def test_a_pattern_without_meaning_is_a_mistake_in_the_spec(root):
    with pytest.raises(ConfigurationError, match=r"'\[z-a\]' is no valid pattern"):
        source(root, exclude=["[z-a]"])


def test_ignore_files_hold_for_their_folder_and_below_and_the_deepest_has_the_last_word(root):
    for name in ("a.md", "a.log", "sub/b.log", "sub/keep.log", "sub/only.md", "other/only.md", "build/x.md"):
        put(root / name)
    put(root / ".gitignore", "*.log\nbuild/\n[z-a]\n")
    put(root / "sub/.gitignore", "!keep.log\n/only.md\n")
    assert uris(root) == ["a.md", "other/only.md", "sub/keep.log"]
    assert len(uris(root, ignore_files=[])) == 7


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("drafts/**\n!drafts/c.md", ["a.md", "drafts/c.md"]),
        ("drafts/*\n!drafts/c.md", ["a.md", "drafts/c.md"]),
        ("drafts/\n!drafts/c.md", ["a.md"]),  # as in git: nothing comes back from a folder that is out
        ("*\n!a.md", ["a.md"]),
        ("# a comment\n\n\\#odd.md", ["a.md", "drafts/c.md", "drafts/x/d.md"]),
    ],
)
def test_what_is_ignored_can_be_taken_back_as_git_does(root, rules, expected):
    for name in ("a.md", "drafts/c.md", "drafts/x/d.md", "#odd.md"):
        put(root / name)
    put(root / ".gitignore", rules)
    assert [name for name in uris(root) if name != "#odd.md"] == expected
    assert ("#odd.md" in uris(root)) == (rules[0] == "d")


def test_our_own_ignore_file_is_read_as_well(root):
    put(root / "a.md")
    put(root / "b.md")
    put(root / ".relanceignore", "b.md")
    assert uris(root) == ["a.md"]


def test_rules_that_cannot_be_read_keep_their_folder_out(root, monkeypatch):
    put(root / "secret/a.md")
    (root / "secret/.gitignore").mkdir()  # reading it fails for every user
    put(root / "b.md")
    item, failure = sorted(source(root).list(), key=lambda found: found.uri)
    assert item.uri == "docs/b.md"
    assert failure.uri == "docs/secret/"
    assert "its .gitignore cannot be read" in failure.reason


def test_hidden_files_are_read_only_if_asked_for_and_version_control_never(root):
    for name in (".a.md", ".dir/b.md", "c.md", ".git/d.md"):
        put(root / name)
    assert uris(root) == ["c.md"]
    assert uris(root, hidden=True) == [".a.md", ".dir/b.md", "c.md"]


def test_links_are_followed_only_if_asked_for(root):
    put(root / "real/a.md")
    (root / "alias.md").symlink_to(root / "real/a.md")
    (root / "link").symlink_to(root / "real")
    assert uris(root) == ["real/a.md"]
    assert uris(root, follow_symlinks=True) == ["alias.md", "link/a.md", "real/a.md"]


def test_a_followed_link_never_leads_out_of_the_root(root, tmp_path):
    put(tmp_path / "outside/secret.md")
    put(tmp_path / "docs-too/secret.md")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "beside").symlink_to(tmp_path / "docs-too")  # a name that only begins like the root
    (root / "file.md").symlink_to(tmp_path / "outside/secret.md")
    put(root / "a.md")
    assert uris(root, follow_symlinks=True) == ["a.md"]


def test_links_in_a_circle_end(root):
    for name in ("a", "b", "c"):
        put(root / name / "x.md")
        for other in "abc":
            (root / name / f"to-{other}").symlink_to(root / other)
    (root / "self").symlink_to("self")
    listed = [uri for uri in uris(root, follow_symlinks=True) if uri != "self"]
    assert {"a/x.md", "b/x.md", "c/x.md"} <= set(listed)
    assert len(listed) <= 6  # every folder by itself and at most once by link


def test_a_link_to_nowhere_is_a_failure_where_links_are_followed(root):
    (root / "gone.md").symlink_to(root / "nothing.md")
    assert uris(root) == []
    (failure,) = source(root, follow_symlinks=True).list()
    assert failure.reason == "this link leads nowhere"


def test_pipes_are_passed_over(root):
    os.mkfifo(root / "pipe.md")
    assert uris(root) == []
