"""Mistakes on the command line: one message, the right exit code, no traceback."""

from __future__ import annotations

import contextlib
import os
import socket
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
        (["search", ".", "x", "--filter", "year >"], "expected a value"),
        (["search", ".", "--like", "nowhere.md"], "there is no document 'nowhere.md'"),
        (["search", ".", "x", "--as", "ann", "--as-owner"], "leave --as out"),
        (["evaluate", "--dataset", "nowhere.yaml"], "name a YAML file of golden queries"),
        (["evaluate", "--dataset", "broken.jsonl"], "broken.jsonl:"),
        (["classify"], "at least two labels"),
        (["rollback", "--run", "000000000000"], "relance runs"),
        (["serve", "--tokens", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["serve", "--tokens", "broken.tokens"], "broken.tokens:"),
        (["sources", "sqll"], "did you mean 'sql'?"),
        (["completion", "tcsh"], '"bash"'),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence_and_exit_two(run: Run, ingested: Path, arguments: list[str], says: str) -> None:
    (ingested.parent / "broken.tokens").write_text("tokens: [unclosed", encoding="utf-8")
    (ingested.parent / "broken.jsonl").write_text('{"_id": ', encoding="utf-8")
    ran = run(*arguments)
    assert ran.code == 2
    assert says in one_message(ran)
    assert len(ran.err.splitlines()) <= 3
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
        (SPEC.format(price="") + "schedule: {cron: every day}\n", "schedule"),
        (SPEC.format(price="").replace("type: files", "type: filez"), "files"),
        (SPEC.format(price="").replace("root: ./docs", "root: ./docs, include: '*.md'"), "include"),
    ],
    ids=["yaml", "type", "key", "empty", "model", "folder", "cron", "kind", "glob"],
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="nothing is full here")
@pytest.mark.parametrize("arguments", [["sources"], ["sources", "--json"]], ids=" ".join)
def test_output_that_does_not_fit_on_the_disk_is_exit_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr("sys.stdout", full)
        ran = run(*arguments)
        with contextlib.suppress(OSError):
            full.close()
    assert ran.code == 1
    assert "No space left on device; free some" in one_message(ran)


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


def test_a_model_without_its_key_is_one_message(run: Run, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    spec.write_text(SPEC.format(price="").replace("fake/hash", "dashscope/text-embedding-v4"), encoding="utf-8")
    ran = run("ingest", "--direct")
    assert ran.code == 2
    assert "DASHSCOPE_API_KEY" in one_message(ran)


def test_a_store_that_is_a_file_is_one_message(run: Run, spec: Path) -> None:
    (spec.parent / "db").write_text("no folder", encoding="utf-8")
    ran = run("ingest", "--direct")
    assert (ran.code, ran.out) == (1, "")
    assert "Not a directory; let this user write there, or set `store.uri` to another folder" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_port_that_is_taken_is_one_message(run: Run, ingested: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("explore", "--port", str(taken.getsockname()[1]))
    assert ran.code == 2
    assert "choose another port" in one_message(ran)
    ran = run("up", "--port", "99999")
    assert ran.code == 2
    assert "Must be <= 65535" in ran.err
