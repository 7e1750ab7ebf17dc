"""The list of commands: groups, examples, the folder they work in, and completion."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import Run, one_message

from relance.cli import COMMANDS
from relance.cli.main import app

EXAMPLES = [example for commands in COMMANDS.values() for _, example in commands]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_of_a_command_is_one_that_it_takes(example: str) -> None:
    words = shlex.split(example)
    function, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
    assert bound is not None
    assert app[words[1]].default_command is function


def test_help_lists_the_groups_and_what_exit_codes_mean(run: Run) -> None:
    listed = run("--help").out
    places = [listed.index(f" {group} ") for group in COMMANDS]
    assert places == sorted(places)
    assert listed.index("init ") < listed.index("search ") < listed.index("rollback ")
    assert "Exit codes: 0 done, 1 failed or stopped, 2 wrong usage or spec, 3 done with failures" in listed


def test_help_of_a_command_ends_with_its_example_and_says_where_it_looks(run: Run) -> None:
    shown = run("search", "--help").out
    assert shown.rstrip().endswith('Example: relance search "how do I reset a sensor?"')
    assert "[default: .]" in shown


@pytest.mark.parametrize("command", ["plan", "status", "failures", "runs", "cache", "ingest", "doctor"])
def test_without_a_spec_it_is_this_folder(run: Run, ingested: Path, command: str) -> None:
    assert ingested.parent == Path.cwd()
    extra = ["--direct"] if command == "ingest" else []
    ran = run(command, *extra)
    assert (ran.code, ran.err) == (0, "")


def test_a_search_with_words_only_asks_the_index_of_this_folder(run: Run, ingested: Path) -> None:
    del ingested
    question = "how high / is the https://river gauge? " + "really " * 60  # longer than any path
    for words in (question, "river"):
        assert run("search", words, "--json").json == run("search", ".", words, "--json").json


def test_a_search_with_words_only_says_what_they_were_taken_for(run: Run) -> None:
    ran = run("search", "a question")
    assert ran.code == 2
    assert "'a question' is no index file or folder, so it was taken for the question" in one_message(ran)
    assert "relance search SPEC 'a question'" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_the_shell_reads(run: Run, tmp_path: Path, shell: str) -> None:
    script = tmp_path / "folder" / "completion"
    ran = run("completion", shell, "--output", str(script), "--json")
    assert (ran.code, ran.json["script"]) == (0, str(script))
    option = "-l explain" if shell == "fish" else "--explain"
    assert option in script.read_text(encoding="utf-8")
    if found := shutil.which(shell):
        done = subprocess.run([found, "-n", str(script)], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_completion_goes_where_bash_looks(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / ".bashrc").write_text("# mine\n", encoding="utf-8")
    ran = run("completion", "bash")
    assert ran.code == 0
    startup = (tmp_path / ".bashrc").read_text(encoding="utf-8")
    assert startup.startswith("# mine\n")
    assert ran.out.split()[-1] in startup
    assert "source ~/.bashrc" in ran.err
