"""An index of a repository, from push to search: what changed is embedded, and nothing else."""

import json

import pytest
from git_repositories import Repo, daemon, http_backend, needs_git

from relance.errors import ConfigurationError, RelanceError
from relance.sources.git.blobs import Blobs

pytestmark = needs_git


@pytest.fixture
def repo(tmp_path, monkeypatch) -> Repo:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Repo(tmp_path / "notes", tmp_path / "srv/org/repo.git")
    for name in ("river", "ferry", "bridge"):
        made.write(f"docs/{name}.md", f"# {name.title()}\n\nThe {name} is described here.\n")
    made.commit()
    return made


@pytest.fixture
def served(tmp_path):
    (tmp_path / "srv").mkdir(exist_ok=True)
    with daemon(tmp_path / "srv") as url:
        yield f"{url}/org/repo.git"


def of(make_index, url, **options):
    return make_index(sources=[{"type": "git", "url": str(url), **options}])


def names(index):
    return {hit.uri.rpartition("/")[2] for hit in index.search("described here", k=50)}


def test_add_change_touch_rename_remove(repo, served, make_index, log):
    index = of(make_index, served)
    assert index.ingest().added == 3
    assert len(log()) == 3
    bought = len(log())

    repo.path.joinpath("docs/ferry.md").chmod(0o755)
    repo.commit()
    report = index.ingest()
    assert (report.unchanged, report.changed, report.embedded) == (3, 0, 0)

    repo.git("mv", "docs/ferry.md", "docs/ship.md")
    repo.commit()
    report = index.ingest()
    assert (report.added, report.removed, report.embedded) == (1, 1, 0)
    assert len(log()) == bought
    assert names(index) == {"river.md", "ship.md", "bridge.md"}

    repo.write("docs/bridge.md", "# Bridge\n\nThe new bridge is described here.\n")
    repo.write("docs/dam.md", "# Dam\n\nThe dam is described here.\n")
    repo.git("rm", "-q", "docs/river.md")
    repo.commit()
    report = index.ingest()
    assert (report.added, report.changed, report.removed, report.embedded) == (1, 1, 1, 2)
    assert names(index) == {"ship.md", "bridge.md", "dam.md"}


def test_a_forced_push_and_a_renamed_branch_are_followed(repo, served, make_index, log):
    index = of(make_index, served)
    index.ingest()
    repo.git("checkout", "-q", "--orphan", "new")
    repo.git("rm", "-q", "-f", "docs/river.md")
    repo.git("commit", "-q", "-m", "again")
    repo.git("push", "-q", "-f", str(repo.bare), "HEAD:main")
    report = index.ingest()
    assert (report.unchanged, report.removed, report.embedded) == (2, 1, 0)
    repo.git("-C", str(repo.bare), "branch", "-m", "main", "trunk")
    report = index.ingest()
    assert (report.unchanged, report.removed, report.added) == (2, 0, 0)


def test_nothing_is_removed_where_the_repository_cannot_be_listed(repo, tmp_path, make_index):
    with daemon(tmp_path / "srv") as url:
        index = of(make_index, f"{url}/org/repo.git")
        index.ingest()
        repo.git("-C", str(repo.bare), "branch", "-m", "main", "trunk")
        gone = of(make_index, f"{url}/org/repo.git", ref="main")
        with pytest.raises(ConfigurationError, match="no branch or tag 'main'"):
            gone.ingest()
    with pytest.raises(RelanceError, match=r"cannot be reached|could not be listed"):
        index.ingest()
    assert names(index) == {"river.md", "ferry.md", "bridge.md"}


def test_one_damaged_file_stops_nothing_else(repo, make_index):
    oid = repo.git("rev-parse", "HEAD:docs/ferry.md")
    (repo.path / ".git/objects" / oid[:2] / oid[2:]).unlink()
    index = of(make_index, "notes")
    report = index.ingest()
    assert (report.added, report.failed) == (2, 1)
    assert "its content is not in the repository" in index.failures()[0].reason


@pytest.mark.long
def test_5000_files_without_a_change_read_no_blob(repo, tmp_path, make_index, monkeypatch):
    for number in range(5000):
        repo.write(f"many/d{number % 50}/f{number}.txt", f"Text {number % 20}.")
    repo.commit()
    read = []
    real = Blobs._asked
    monkeypatch.setattr(Blobs, "_asked", lambda self, oid: (read.append(oid), real(self, oid))[1])
    with http_backend(tmp_path / "srv") as (http, asked):
        index = of(make_index, f"{http}/org/repo")
        assert index.ingest().added == 5003
        assert len(read) == 5003
        fetches = sum(each.startswith("POST") for each in asked)
        assert fetches <= 2 + 12, "blobs come by the batch"
        read.clear()
        asked.clear()
        report = index.ingest()
        assert (report.unchanged, report.embedded, read) == (5003, 0, [])
        assert sum(each.startswith("POST") for each in asked) == 1
        repo.write("many/d7/f7.txt", "Changed.")
        repo.commit()
        report = index.ingest(only=[f"git+{http}/org/repo/many/d7/f7.txt"])
        assert (report.changed, report.embedded) == (1, 1)
        assert len(read) == 1


def test_hits_link_to_their_lines_at_the_commit(repo, make_index):
    commit = repo.git("rev-parse", "HEAD")
    index = of(make_index, "notes", web_url="https://git.example.com/{commit}/{path}#L{line}-L{line_end}")
    index.ingest()
    repo.write("other.md", "Something else.")
    repo.commit()
    index.ingest()
    (hit,) = [hit for hit in index.search("ferry") if hit.uri.endswith("ferry.md")]
    assert hit.link == f"https://git.example.com/{commit}/docs/ferry.md#L{hit.line}-L{hit.line_end}"
    assert (
        "\n".join((repo.path / "docs/ferry.md").read_text().split("\n")[hit.line - 1 : hit.line_end])
        == hit.text.strip()
    )
    assert json.loads(json.dumps(hit.as_dict()))["link"] == hit.link
    assert hit.metadata["commit"] == commit


def test_two_branches_of_a_repository_are_one_index(repo, make_index, log):
    repo.git("checkout", "-q", "-b", "next")
    repo.write("docs/ferry.md", "# Ferry\n\nThe next ferry is described here.\n")
    repo.commit(push=False)
    repo.git("checkout", "-q", "main")
    index = make_index(sources=[{"type": "git", "url": "notes", "ref": ref} for ref in ("main", "next")])
    assert index.ingest().added == 6
    assert len(log()) == 4
    index = make_index(sources=[{"type": "git", "url": "notes", "folder": "docs", "ref": "next"}])
    assert index.ingest().removed == 3


def test_pictures_and_tables_of_a_repository_are_read_as_those_of_folders(repo, make_index):
    repo.write("data/rows.csv", "id,text\n1,First row\n2,Second row\n")
    repo.commit()
    index = make_index(sources=[{"type": "git", "url": "notes", "include": ["data/**"], "rows": {}}])
    assert index.ingest().added == 2
    assert {hit.uri for hit in index.search("row")} == {f"git+file://./notes/data/rows.csv#{n}" for n in (1, 2)}


def test_hits_in_a_row_link_to_its_file(repo, make_index):
    repo.write("docs/t #1.jsonl", '{"id": 7, "text": "A row about ferries."}\n')
    repo.commit()
    index = of(make_index, "notes", web_url="https://git.example.com/{path}", rows={})
    index.ingest()
    (hit,) = [hit for hit in index.search("row") if hit.uri.endswith("#7")]
    assert hit.link == "https://git.example.com/docs/t%20%231.jsonl"
