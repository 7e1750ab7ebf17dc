"""The `git` source lists one commit as folders are listed, reads its blobs, and fetches no more than it has to."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from git_repositories import Repo, daemon, http_backend, needs_git

from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError
from relance.parsers import installed_parsers
from relance.sources import SourceContext
from relance.sources.git import Git
from relance.sources.git.spec import GitSpec

pytestmark = needs_git


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo(tmp_path / "notes", tmp_path / "srv/org/repo.git")


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def source(repo, url="notes", **options):
    context = SourceContext(repo.path.parent, wanted=installed_parsers().knows)
    return Git(GitSpec(type="git", url=str(url), **options), context)


def items(found):
    return {each.uri: each for each in found.list() if isinstance(each, Item)}


def paths(found):
    return [uri.removeprefix("git+file://./notes").lstrip("/") for uri in items(found)]


def ignored(found):
    return {each.uri.removeprefix("git+file://./notes/"): (each.reason, each.kind)
            for each in found.list() if isinstance(each, Ignored)}  # fmt: skip


def test_what_was_committed_is_listed_and_not_what_lies_there(repo):
    repo.put(a_md="one", sub__b_md="two")
    repo.commit()
    repo.put(a_md="changed", new_md="new")
    found = source(repo)
    assert [(uri, found.read(item).data) for uri, item in items(found).items()] == [
        ("git+file://./notes/a.md", b"one"), ("git+file://./notes/sub/b.md", b"two"),
    ]  # fmt: skip


def test_a_version_is_the_content_and_nothing_else(repo):
    path = repo.write("a.md", "one")
    repo.commit()
    first = items(source(repo))
    path.chmod(0o755)
    os.utime(path, (1, 1))
    repo.commit()
    assert items(source(repo)) == first
    repo.write("a.md", "two")
    repo.commit()
    assert items(source(repo)) != first


@pytest.mark.parametrize("made", ["path", "bare", "file", "daemon", "http"])
def test_every_way_to_a_repository_gives_the_same_files(repo, made, tmp_path):
    repo.put(a_md="one", docs__b_md="two", docs__deep__c_md="three")
    commit = repo.commit()
    with daemon(tmp_path / "srv") as git, http_backend(tmp_path / "srv") as (http, _):
        url = {"path": repo.path, "bare": repo.bare, "file": f"file://{repo.bare}", "daemon": f"{git}/org/repo.git",
               "http": f"{http}/org/repo"}[made]  # fmt: skip
        found = source(repo, url)
        listed = items(found)
        assert [uri.removeprefix(f"{found.address.uri}/") for uri in listed] == ["a.md", "docs/b.md", "docs/deep/c.md"]
        contents = [found.read(item) for item in listed.values()]
    assert [each.data for each in contents] == [b"one", b"two", b"three"]
    assert contents[1].metadata == {
        "repository": found.address.uri.removeprefix("git+"), "path": "docs/b.md", "commit": commit, "branch": "main",
    }  # fmt: skip


def test_rules_are_those_of_folders(repo):
    names = ["a.md", ".hidden.md", ".github/x.md", "drafts/d.md", "out/kept.md", "out/gone.md", "t.lance/data.md",
             "x.zip", "weird.xyzzy", "empty.md"]  # fmt: skip
    for name in names:
        repo.write(name, "" if name == "empty.md" else f"of {name}")
    repo.write("out/.relanceignore", "gone.md\n")
    repo.write(".relanceignore", "!out/gone.md\n")
    repo.write(".gitignore", "*.md\n")
    (repo.path / "link.md").symlink_to("a.md")
    repo.git("add", "-A", "-f")
    repo.commit()
    found = source(repo, exclude=["drafts/"])
    assert paths(found) == ["a.md", "out/kept.md"]
    assert ignored(found) == {
        ".github/": ("hidden", ""), ".gitignore": ("hidden", ""), ".hidden.md": ("hidden", ""),
        ".relanceignore": ("hidden", ""), "drafts/": ("in exclude", ""), "empty.md": ("empty", ""),
        "link.md": ("symbolic link", ""), "out/.relanceignore": ("hidden", ""),
        "out/gone.md": ("by .relanceignore", ""), "t.lance/": ("LanceDB table", ""),
        "weird.xyzzy": ("type that is not read", ".xyzzy"), "x.zip": ("type that is not read", ".zip"),
    }  # fmt: skip
    assert paths(source(repo, include=["out/**"], ignore_files=[], hidden=True)) == [
        "out/.relanceignore", "out/gone.md", "out/kept.md",
    ]  # fmt: skip


def test_a_folder_of_the_repository_keeps_its_paths_in_uris(repo):
    repo.put(a_md="one", docs__b_md="two", docs__sub__c_md="three", docs2__d_md="four")
    repo.commit()
    found = source(repo, folder="docs/", include=["sub/**", "b.md"])
    assert paths(found) == ["docs/b.md", "docs/sub/c.md"]
    assert found.location("git+file://./notes/docs/zz.md") is not None
    assert found.location("git+file://./notes/docs2/d.md") is None
    assert found.location("git+file://./notes/docs/../a.md") is None
    with pytest.raises(ConfigurationError, match=r"no folder 'doc'.*did you mean 'docs'"):
        list(source(repo, folder="doc").list())


def test_branches_tags_and_commits(repo):
    repo.put(a_md="first")
    first = repo.commit()
    repo.git("tag", "-a", "v1", "-m", "one")
    repo.git("checkout", "-q", "-b", "feature/x")
    repo.put(a_md="second")
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.git("push", "-q", str(repo.bare), "--all")
    repo.git("push", "-q", str(repo.bare), "--tags")
    expected = {
        "": (b"first", ""),
        "v1": (b"first", "@v1"),
        "feature/x": (b"second", "@feature/x"),
        first: (b"first", ""),
    }
    with daemon(repo.path.parent / "srv") as git:
        for ref, (content, part) in expected.items():
            for url in ("notes", f"{git}/org/repo.git"):
                found = source(repo, url, ref=ref)
                ((uri, item),) = items(found).items()
                assert uri == f"{found.address.uri}{part}/a.md"
                assert found.read(item).data == content
        for url in ("notes", f"{git}/org/repo.git"):
            with pytest.raises(ConfigurationError, match=r"no branch or tag 'feature/y'.*did you mean 'feature/x'"):
                list(source(repo, url, ref="feature/y").list())
            with pytest.raises(ConfigurationError, match="all 40 digits"):
                list(source(repo, url, ref=first[:8]).list())
            with pytest.raises(ConfigurationError, match=r"no (commit|branch or tag)"):
                list(source(repo, url, ref="0" * 39 + "1").list())


def test_a_default_branch_that_is_renamed_changes_no_uri(repo):
    repo.put(a_md="one")
    repo.commit()
    with daemon(repo.path.parent / "srv") as git:
        found = source(repo, f"{git}/org/repo.git")
        first = items(found)
        repo.git("-C", str(repo.bare), "branch", "-m", "main", "trunk")
        assert items(found) == first
        assert found.read(next(iter(first.values()))).metadata["branch"] == "trunk"


def test_submodules_and_pointers_of_lfs_are_said(repo, tmp_path):
    other = Repo(tmp_path / "other")
    other.put(x_md="x")
    other.commit()
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "libs/other")
    repo.put(a_md=f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12000000\n")
    repo.put(b_md="version https://git-lfs.github.com/spec/v1\nis how a pointer begins.\n")
    repo.commit()
    found = source(repo)
    assert ignored(found)["libs/other"] == ("submodule", "other")
    with pytest.raises(DocumentError, match=r"Git LFS pointer.*11\.4MiB.*git lfs pull"):
        found.read(items(found)["git+file://./notes/a.md"])
    with pytest.raises(DocumentError, match="LFS pointer"), found.open(items(found)["git+file://./notes/a.md"]):
        pass
    assert found.read(items(found)["git+file://./notes/b.md"]).data.startswith(b"version")
    with pytest.raises(DocumentError, match="submodule"):
        found.read(Item("git+file://./notes/libs/other", "", "text/plain"))


def test_odd_names_are_read_or_named(repo):
    repo.write("sub/文 档#1?.md", "odd")
    repo.write("new\nline.md", "broken")
    Path(os.fsdecode(os.fsencode(repo.path) + b"/caf\xe9.md")).write_text("latin")
    repo.commit()
    found = source(repo)
    assert paths(found) == ["new\nline.md", "sub/文 档#1?.md"]
    for uri in list(items(found)):
        assert found.read(Item(uri, "", "text/markdown")).data
    (error,) = [each for each in found.list() if isinstance(each, DocumentError)]
    assert "not valid UTF-8" in error.reason
    assert error.uri == "git+file://./notes/caf\\xe9.md"


def test_a_listing_is_in_order_of_uri(repo):
    for name in ("a.md", "a/b.md", "a-b.md", "a/b/c.md", "a0.md", "B.md"):
        repo.write(name, name)
    repo.commit()
    listed = list(items(source(repo)))
    assert listed == sorted(listed)
    assert len(listed) == 6


def test_only_trees_are_fetched_then_the_blobs_of_a_batch_at_once(repo, own_state):
    for number in range(300):
        repo.write(f"d{number % 10}/f{number}.md", f"text {number}")
    repo.commit()
    with http_backend(repo.path.parent / "srv") as (http, asked):
        found = source(repo, f"{http}/org/repo", ignore_files=[])
        listed = list(items(found).values())
        assert len(listed) == 300
        assert _blobs(own_state) == 0
        asked.clear()
        found.prefetch(listed[:200])
        assert Counter(each.split()[0] for each in asked) == {"GET": 1, "POST": 1}
        assert _blobs(own_state) == 200
        asked.clear()
        assert {found.read(item).data[:5] for item in listed[:200]} == {b"text "}
        assert asked == []
        repo.write("d1/f1.md", "changed")
        repo.commit()
        again = source(repo, f"{http}/org/repo", ignore_files=[])
        assert len(set(items(again).values()) - set(listed)) == 1
        assert _blobs(own_state) == 200
        asked.clear()
        assert items(again)
        assert Counter(each.split()[0] for each in asked) == {"GET": 1, "POST": 1}  # ls-remote alone


def _blobs(state):
    (cache,) = (state / "relance/git").glob("*/")
    command = ["git", f"--git-dir={cache}", "cat-file", "--batch-check", "--batch-all-objects"]
    return subprocess.run(command, check=True, capture_output=True).stdout.count(b" blob ")


def test_another_process_reads_by_the_items_alone(repo):
    repo.put(a_md="one", b_md="two")
    repo.commit()
    with daemon(repo.path.parent / "srv") as git:
        listed = list(items(source(repo, f"{git}/org/repo.git")).values())
        worker = source(repo, f"{git}/org/repo.git")
        worker.prefetch(listed)
        assert [worker.read(item).data for item in listed] == [b"one", b"two"]
        assert worker.read(listed[0]).metadata["branch"] == "main"


def test_a_server_that_cannot_leave_blobs_out_is_read_all_the_same(repo):
    repo.put(a_md="one")
    repo.commit()
    repo.git("-C", str(repo.bare), "config", "uploadpack.allowFilter", "false")
    with daemon(repo.path.parent / "srv") as git:
        found = source(repo, f"{git}/org/repo.git")
        assert [found.read(item).data for item in items(found).values()] == [b"one"]


def test_what_is_too_large_is_not_read_and_the_next_is(repo):
    repo.put(a_md="x" * 5_000_000, b_md="small")
    repo.commit()
    found = source(repo, max_size="1MB")
    large, small = items(found).values()
    with pytest.raises(DocumentError, match=r"4\.8MiB is more than max_size"):
        found.read(large)
    assert found.read(small).data == b"small"
    with found.open(large) as (stream, size):
        assert size == 5_000_000
        assert len(stream.read()) == size


def test_a_forced_push_and_a_commit_that_is_gone(repo):
    repo.put(a_md="one", b_md="two")
    repo.commit()
    with daemon(repo.path.parent / "srv") as git:
        found = source(repo, f"{git}/org/repo.git")
        old = items(found)
        repo.git("checkout", "-q", "--orphan", "other")
        repo.git("rm", "-q", "-f", "b.md")
        repo.put(a_md="rewritten")
        repo.git("commit", "-q", "-a", "-m", "x")
        repo.git("push", "-q", "-f", str(repo.bare), "HEAD:main")
        repo.git("-C", str(repo.bare), "-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now")
        new = items(found)
        assert len(old) == 2
        assert [uri.rpartition("/")[2] for uri in new] == ["a.md"]
        found.prefetch([*old.values(), *new.values()])  # blobs that are gone do not keep others from coming
        assert [found.read(item).data for item in new.values()] == [b"rewritten"]
        with pytest.raises(DocumentError, match="its content is not in the repository"):
            found.read(next(iter(old.values())))
