"""Mistakes on the command line: one message, the right exit code, no traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Run, one_message
from notes import SPEC

from relance.index import Index
from relance.store import open_store
from relance.store.lock import hold


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "Unknown command"),
        (["nonsense"], "see: relance --help"),
        (["plan", "--nope"], "see: relance plan --help"),
        (["plan", "--ful"], "Did you mean --full?"),
        (["ingst", "index.yaml"], '"ingest"'),
        (["ingest", "index.yaml", "--nope"], "--nope"),
        (["plan", "index.yaml", "surplus"], "surplus"),
        (["search", "index.yaml", "how", "do", "I"], "there is nothing that do I could be"),
        (["search", "index.yaml"], "query"),
        (["search", "docs"], "docs is a folder without an index.yaml; to search for the word: relance search . docs"),
        (["search", "nowhere.yaml"], "there is no such file or folder"),
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
    assert run("cache", str(ingested), "--json").json["spaces"][0]["vectors"] == 2, "and nothing happened"


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

    monkeypatch.setattr("relance.pipeline.run.Run.execute", interrupt)
    ran = run("ingest", str(ingested), "--direct")
    assert ran.code == 1
    assert "run again to continue" in one_message(ran)
