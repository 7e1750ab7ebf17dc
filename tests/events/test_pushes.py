"""A push reaches the sources that read its repository and branch, by the names that its documents have there."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from git_repositories import Repo, daemon, needs_git
from pydantic import SecretStr
from receivers import LIMITS, SECRET, github, token

from relance.config import IndexSpec
from relance.errors import InputError
from relance.events import Change
from relance.events.notifications import Placement
from relance.events.notifications import github as github_form
from relance.events.notifications import gitlab as gitlab_form
from relance.events.receiver import receiver
from relance.events.serve import running_receiver
from relance.events.signatures import Secrets

URL = "https://github.com/org/repo"
FILES = {"added": ["docs/new.md"], "modified": ["docs/a.md", "src/x.py"], "removed": ["docs/old.md"]}


def push(branch="main", url=URL, **more) -> dict[str, Any]:
    repository = {"default_branch": "main", "full_name": "org/repo", "clone_url": f"{url}.git",
                  "ssh_url": "git@github.com:org/repo.git"}  # fmt: skip
    return {"ref": f"refs/heads/{branch}", "repository": repository, "commits": [FILES]} | more


def of_gitlab(branch="main", **more) -> dict[str, Any]:
    project = {"default_branch": "main", "path_with_namespace": "org/repo", "git_http_url": f"{URL}.git",
               "git_ssh_url": "git@github.com:org/repo.git", "web_url": URL}  # fmt: skip
    return {"object_kind": "push", "ref": f"refs/heads/{branch}", "before": "1" * 40, "after": "2" * 40,
            "project": project, "commits": [FILES], "total_commits_count": 1} | more  # fmt: skip


def placed(tmp_path, sources, told):
    spec = IndexSpec.model_validate({"name": "code", "sources": sources, "folder": tmp_path})
    return Placement(spec).change(told)


def git(**options):
    return {"type": "git", "url": URL} | options


@pytest.mark.parametrize("form", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("sources", "branch", "changed", "removed"),
    [
        ([git()], "main", ["docs/new.md", "docs/a.md", "src/x.py"], ["docs/old.md"]),
        (
            [git(url="git@github.com:org/repo.git", folder="docs")],
            "main",
            ["docs/new.md", "docs/a.md"],
            ["docs/old.md"],
        ),
        ([git(ref="main", folder="src")], "main", ["src/x.py"], []),
        ([git(ref="next", folder="src")], "next", ["src/x.py"], []),
        ([git(), git(ref="next", folder="src")], "next", ["src/x.py"], []),
    ],
)
def test_paths_become_the_uris_of_the_source(tmp_path, form, sources, branch, changed, removed):
    told = github_form.read(push(branch), "push") if form == "github" else gitlab_form.read(of_gitlab(branch))
    change = placed(tmp_path, sources, told)
    scheme = "ssh" if "git@" in str(sources) else "https"
    ref = f"@{sources[-1]['ref']}" if sources[-1].get("ref") else ""
    base = f"git+{scheme}://github.com/org/repo{ref}/"
    assert change == Change(
        "code", "org/repo", tuple(base + each for each in changed), tuple(base + each for each in removed)
    )


@pytest.mark.parametrize(
    ("sources", "data"),
    [
        ([git()], push("topic")),
        ([git(ref="next")], push("main")),
        ([git(url="https://github.com/org/other")], push("main")),
        ([git(ref="0" * 40)], push("main")),
        ([git(folder="elsewhere")], push("main")),
        ([git()], push("main", deleted=True)),
    ],
)
def test_a_push_that_no_source_reads_is_no_change(tmp_path, sources, data):
    assert placed(tmp_path, sources, github_form.read(data, "push")) is None


def test_what_a_push_does_not_say_means_everything(tmp_path):
    everything = Change("code", "org/repo", everything=True)
    for data in (push(forced=True, commits=[]), push(created=True, commits=[]), push(commits=[], total_commits=30)):
        assert placed(tmp_path, [git()], github_form.read(data, "push")) == everything
    for data in (of_gitlab(before="0" * 40, commits=[]), of_gitlab(commits=[], total_commits_count=25)):
        assert placed(tmp_path, [git()], gitlab_form.read(data)) == everything
    # A copy on this machine: which repository it is of, nobody knows.
    assert placed(tmp_path, [git(url="copy.git")], github_form.read(push(), "push")) == everything


def test_codeup_names_no_files(tmp_path):
    data = {
        "object_kind": "push", "before": "1" * 40, "after": "2" * 40, "ref": "refs/heads/master",
        "repository": {"name": "Demo", "homepage": "https://codeup.aliyun.com/demo/demo",
                       "git_http_url": "https://codeup.aliyun.com/demo/demo.git"},
        "commits": [{"id": "2" * 40, "message": "Update"}], "total_commits_count": 1,
    }  # fmt: skip
    sources = [git(url="https://codeup.aliyun.com/demo/demo")]
    assert placed(tmp_path, sources, gitlab_form.read(data)) == Change("code", "Demo", everything=True)


def test_checkouts_are_found_as_before(tmp_path):
    sources = [{"type": "files", "root": "docs"}, git(ref="next")]
    assert placed(tmp_path, sources, github_form.read(push("topic"), "push")) is None
    change = placed(tmp_path, sources, github_form.read(push("main"), "push"))
    assert change == Change("code", "org/repo", ("docs/new.md", "docs/a.md"), ("docs/old.md",), everything=True)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "object_kind: missing"),
        ([], "object_kind: missing"),
        (of_gitlab(ref=3), "ref: of the wrong kind"),
        (of_gitlab(commits=3), "commits: of the wrong kind"),
        (of_gitlab(commits=[{"added": 3}]), r"commits\[0\]\.added"),
        (of_gitlab(commits=[{"added": [3], "removed": [], "modified": []}]), r"commits\[0\]\.added: expected paths"),
        (of_gitlab(project=None), "repository: missing"),
    ],
)
def test_what_is_malformed_is_named(data, says):
    with pytest.raises(InputError, match=says):
        gitlab_form.read(data)


def test_a_tag_or_a_deleted_branch_is_ignored():
    assert gitlab_form.read({"object_kind": "tag_push"}).ignored
    assert gitlab_form.read(of_gitlab(after="0" * 40)).ignored


@needs_git
@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_push_is_searchable_without_a_checkout(tmp_path, make_index, log, kind):
    """Push, webhook, event, run: exactly the file that changed is read and embedded."""
    repo = Repo(tmp_path / "work", tmp_path / "srv/org/repo.git")
    for name in ("a", "b", "c"):
        repo.write(f"docs/{name}.md", f"The text of {name}.")
    before = repo.commit()
    events: list[Change] = []
    with daemon(tmp_path / "srv") as url:
        index = make_index(sources=[{"type": "git", "url": f"{url}/org/repo.git"}])
        index.ingest()
        bought = len(log())
        repo.write("docs/b.md", "Changed: the text of b.")
        after = repo.commit()
        files = {"added": [], "modified": ["docs/b.md"], "removed": []}
        body = json.dumps(
            push(url=f"{url}/org/repo", commits=[files]) if kind == "github"
            else of_gitlab(before=before, after=after, commits=[files],
                           project={"default_branch": "main", "git_http_url": f"{url}/org/repo.git"})
        ).encode()  # fmt: skip
        app = receiver({"notes": index.spec}, Secrets(SecretStr(SECRET)), events.append, limits=LIMITS)
        with running_receiver(app) as base, httpx.Client(trust_env=False) as client:
            headers = github(body, index="notes")
            if kind == "gitlab":
                headers = {"content-type": "application/json", "x-gitlab-token": token("/gitlab/notes")}
                assert client.post(f"{base}/gitlab/notes", content=body,
                                   headers=headers | {"x-gitlab-token": "wrong"}).status_code == 401  # fmt: skip
            reply = client.post(f"{base}/{kind}/notes", content=body, headers=headers)
            assert (reply.status_code, reply.json()["changed"]) == (202, 1)
        (change,) = events
        event = change.as_event(own=False, id=uuid4(), occurred=datetime.now(UTC))
        report = index.ingest(only=Change.of_event(event).changed)
        assert (report.changed, report.unchanged, report.embedded) == (1, 2, 1)
        assert log()[bought:] == ["Changed: the text of b."]
