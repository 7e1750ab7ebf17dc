"""What the `git` source says when a repository cannot be read, what it never runs, and what it never shows."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from git_repositories import Repo, daemon, http_backend, needs_git

from relance.documents import Item
from relance.errors import ConfigurationError, DocumentError, SourceError
from relance.sources import SourceContext
from relance.sources.git import Git
from relance.sources.git import program as program_module
from relance.sources.git.program import Failed
from relance.sources.git.program import Git as Program
from relance.sources.git.spec import GitSpec

pytestmark = needs_git
SECRET = "s3cret-token-0123456789"


@pytest.fixture
def repo(tmp_path) -> Repo:
    made = Repo(tmp_path / "work", tmp_path / "srv/org/repo.git")
    made.put(a_md="one", b_md="two")
    made.commit()
    return made


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch) -> Generator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    import stamina

    stamina.set_testing(True, attempts=2)
    yield tmp_path / "state"
    stamina.set_testing(False)


def source(folder, url, **options):
    return Git(GitSpec(type="git", url=str(url), **options), SourceContext(Path(folder)))


def items(found):
    return [each for each in found.list() if isinstance(each, Item)]


def test_a_token_opens_what_it_should_and_is_seen_nowhere(repo, tmp_path, own_state, caplog):
    seen = set()
    real = program_module.GitProcess.__init__

    def spy(self, command, environment, stdin):
        seen.update(command)
        real(self, command, environment, stdin)

    with (
        pytest.MonkeyPatch.context() as patch,
        http_backend(tmp_path / "srv", user="ada", password=SECRET) as (http, _),
    ):
        patch.setattr(program_module.GitProcess, "__init__", spy)
        found = source(tmp_path, f"{http}/org/repo", username="ada", token=SECRET)
        listed = items(found)
        assert [found.read(item).data for item in listed] == [b"one", b"two"]
        errors = []
        for options in ({}, {"username": "ada", "token": f"{SECRET}-wrong"}, {"username": "eve", "token": SECRET}):
            with pytest.raises(SourceError, match="refuses these credentials; check username and token") as caught:
                items(source(tmp_path, f"{http}/org/repo", **options))
            errors.append(str(caught.value))
        with pytest.raises(ConfigurationError, match="is no repository") as missing:
            items(source(tmp_path, f"{http}/org/none", username="ada", token=SECRET))
    shown = [*errors, str(missing.value), caplog.text, repr(found.spec), *seen, *(item.uri for item in listed)]
    assert not [text for text in shown if SECRET in text]
    assert SECRET not in json.dumps([found.read(item).metadata for item in listed])
    assert not [path for path in own_state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_password_in_the_address_is_refused_and_not_shown():
    with pytest.raises(ValueError, match="put it under token") as caught:
        GitSpec(type="git", url=f"https://ada:{SECRET}@example.com/r")
    assert "url" in str(caught.value)


@pytest.mark.parametrize("scheme", ["git", "http", "ssh"])
def test_a_server_that_is_away_is_said(tmp_path, scheme):
    with pytest.raises(SourceError, match="cannot be reached now"):
        items(source(tmp_path, f"{scheme}://127.0.0.1:9/org/repo"))


def test_a_server_that_is_busy_once_is_asked_again(repo, tmp_path):
    answers = [503]
    with http_backend(tmp_path / "srv", hook=lambda _: answers.pop() if answers else 0) as (http, _):
        assert len(items(source(tmp_path, f"{http}/org/repo"))) == 2
    assert not answers


def test_a_repository_that_is_not_there_is_said(repo, tmp_path):
    for url in ("nowhere", "srv"):
        with pytest.raises(ConfigurationError, match=r"does not exist|no git repository"):
            items(source(tmp_path, url))
    (repo.path / "below").mkdir()
    with pytest.raises(ConfigurationError, match="no git repository"):  # its parent is one, which nobody named
        items(source(repo.path, "below"))
    Repo(tmp_path / "unborn", tmp_path / "srv/unborn.git")
    with daemon(tmp_path / "srv") as git:
        for url in ("unborn", f"{git}/unborn.git"):
            with pytest.raises(ConfigurationError, match="no commits"):
                items(source(tmp_path, url))
        with pytest.raises(ConfigurationError, match="is no repository"):
            items(source(tmp_path, f"{git}/nowhere.git"))


def test_a_machine_without_git_is_told_what_is_missing(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ConfigurationError, match=r"git program is missing.*apt-get install git"):
        items(source(tmp_path, "work"))


def test_a_listing_that_breaks_off_is_an_error_and_no_shorter_listing(repo, tmp_path):
    for number in range(50):
        repo.write(f"d{number:02}/f.md", f"of {number}")
    repo.commit()
    tree = repo.git("rev-parse", "HEAD:d30")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    found: list = []
    with pytest.raises(SourceError, match="could not be read"):
        found.extend(source(tmp_path, "work", ignore_files=[]).list())
    assert len(found) < 52


def test_a_damaged_file_is_one_failure(repo, tmp_path):
    found = source(tmp_path, "work")
    first, second = items(found)
    loose = repo.path / ".git/objects" / first.version[:2] / first.version[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"no zlib stream at all")
    with pytest.raises(DocumentError, match=r"its content is not in the repository, or damaged") as caught:
        found.read(first)
    assert "\n" not in caught.value.reason
    assert found.read(second).data == b"two"


def test_a_damaged_copy_is_fetched_anew(repo, tmp_path, own_state):
    with daemon(tmp_path / "srv") as git:
        found = source(tmp_path, f"{git}/org/repo.git")
        expected = items(found)
        for pack in (own_state / "relance/git").rglob("*"):
            if pack.is_file() and "objects" in pack.parts:
                pack.chmod(0o644)
                pack.write_bytes(b"")
        with pytest.raises(SourceError, match="fetched anew by the next run"):
            items(source(tmp_path, f"{git}/org/repo.git"))
        assert items(source(tmp_path, f"{git}/org/repo.git")) == expected


def test_a_lock_that_a_killed_process_left_is_no_obstacle(repo, tmp_path, own_state):
    with daemon(tmp_path / "srv") as git:
        items(source(tmp_path, f"{git}/org/repo.git"))
        (cache,) = (own_state / "relance/git").glob("*/")
        (cache / "shallow.lock").touch()
        repo.put(c_md="three")
        repo.commit()
        assert len(items(source(tmp_path, f"{git}/org/repo.git"))) == 3


def test_a_server_that_goes_while_files_are_read_costs_only_those_files(repo, tmp_path):
    with daemon(tmp_path / "srv") as git:
        found = source(tmp_path, f"{git}/org/repo.git")
        first, second = items(found)
        found.read(first)
    found.prefetch([first, second])
    assert found.read(first).data == b"one"
    with pytest.raises(DocumentError, match="cannot be reached now"):
        found.read(second)


def test_what_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 1000 & echo $! > {tmp_path}/child\nwait\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(Failed, match=r"more than 0\.3 seconds"):
        Program(timeout_s=0.3).run("ls-remote")
    child = int((tmp_path / "child").read_text())
    assert _is_gone(child)
    stream = Program(timeout_s=60).stream("ls-tree")
    said: list = []

    def read():
        try:
            said.extend(stream)
        except Failed as failed:
            said.append(failed)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    while not (now := (tmp_path / "child").read_text().strip()).isdigit() or int(now) == child:
        time.sleep(0.02)
    for process in list(program_module._running):
        program_module._kill(process)
    thread.join(10)
    assert _is_gone(int(now))
    assert [type(each) for each in said] == [Failed]


def _is_gone(pid):
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
            return True  # ended; its parent is gone, and nobody has asked for its status yet
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


def test_nothing_that_a_repository_brings_along_is_run(repo, tmp_path, monkeypatch):
    """Every way known to make git run a program out of a repository's own configuration."""
    mark = tmp_path / "run"
    evil = f"touch {mark}; false"
    repo.write(".gitattributes", "*.md filter=evil diff=evil text eol=crlf\n")
    repo.commit()
    hooks = repo.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\n{evil}\n")
        (hooks / name).chmod(0o755)
    for name, value in {
        "core.fsmonitor": evil, "core.sshCommand": evil, "core.pager": evil, "core.editor": evil, "core.askPass": evil,
        "core.gitProxy": evil, "core.hooksPath": str(hooks), "core.alternateRefsCommand": evil, "diff.external": evil,
        "filter.evil.smudge": evil, "filter.evil.clean": evil, "filter.evil.process": evil, "diff.evil.textconv": evil,
        "credential.helper": f"!{evil}", "uploadpack.packObjectsHook": evil, "gpg.program": evil,
        "remote.origin.promisor": "true", "remote.origin.url": f"ext::touch {mark}",
        "remote.origin.uploadpack": evil, "protocol.ext.allow": "always", "protocol.allow": "always",
        "extensions.partialClone": "origin", "pager.ls-tree": evil, "alias.ls-tree": f"!{evil}",
    }.items():  # fmt: skip
        repo.git("config", name, value)
    found = source(tmp_path, "work")
    listed = items(found)
    assert [found.read(item).data for item in listed] == [b"one", b"two"]  # no filter, no line ends of another system
    blob = repo.path / ".git/objects" / listed[0].version[:2] / listed[0].version[2:]
    blob.unlink()  # now git would fetch it from the promisor
    with pytest.raises(DocumentError):
        source(tmp_path, "work").read(listed[0])
    assert not mark.exists()
    # The configuration is as dangerous as it looks: without our defence the same command runs it.
    subprocess.run(["git", "cat-file", "-p", listed[0].version], cwd=repo.path, check=False, capture_output=True,
                   env={**os.environ, "GIT_ALLOW_PROTOCOL": "ext"})  # fmt: skip
    assert mark.exists()


def test_the_environment_of_a_hook_does_not_lead_elsewhere(repo, tmp_path, monkeypatch):
    other = Repo(tmp_path / "other")
    other.put(secret_md="secret")
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.path / ".git/objects"))
    monkeypatch.chdir(other.path)
    assert [item.uri.rpartition("/")[2] for item in items(source(tmp_path, "work"))] == ["a.md", "b.md"]
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("ref", ["--upload-pack=touch x", "-x", "a..b", "HEAD:a.md", "a b", "a~1", "@{1}", "x.lock"])
def test_what_can_be_no_ref_is_refused(ref):
    with pytest.raises(ValueError, match="can be no branch, tag or commit"):
        GitSpec(type="git", url="work", ref=ref)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("folder", "../x"), ("folder", "a/../../b"), ("folder", ".git"), ("include", ["../x"]), ("exclude", ["!a"]),
        ("ignore_files", ["a/b"]), ("web_url", "ftp://x"), ("web_url", "https://x/{0}"), ("web_url", "https://x/{a.b}"),
        ("url", "ext::sh -c x"), ("timeout_s", 0),
    ],
)  # fmt: skip
def test_a_section_that_cannot_work_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        GitSpec.model_validate({"type": "git", "url": "work", field: value})


def test_a_redirect_to_another_host_takes_no_token_along(repo, tmp_path):
    """The helper answers for the address of the section alone."""
    with http_backend(tmp_path / "srv", user="ada", password=SECRET) as (http, _):
        found = source(tmp_path, "http://other.example/org/repo", username="ada", token=SECRET)
        server = found._repository._server
        asked = f"url={http}/org/repo\n\n".encode()
        with pytest.raises(Failed) as caught:
            server.run("credential", "fill", data=asked)
        assert SECRET not in caught.value.text
        mine = server.run("credential", "fill", data=b"url=http://other.example/org/repo\n\n")
        assert SECRET.encode() in mine


def test_a_commit_in_use_by_two_processes_is_fetched_once(repo, tmp_path):
    with http_backend(tmp_path / "srv") as (http, asked):
        found = [source(tmp_path, f"{http}/org/repo") for _ in range(3)]
        results = []
        threads = [threading.Thread(target=lambda each=each: results.append(items(each))) for each in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 3
        assert results[0] == results[1] == results[2]
        fetches = sum(each.startswith("POST") for each in asked)
        assert fetches <= 3 + 2  # each asks for the ref, one fetches


def test_the_cache_is_for_this_user_alone(repo, tmp_path, own_state):
    with daemon(tmp_path / "srv") as git:
        items(source(tmp_path, f"{git}/org/repo.git"))
    (cache,) = (own_state / "relance/git").glob("*/")
    assert cache.stat().st_mode & 0o077 == 0
    assert shutil.which("git")
