"""`--as` and `--as-owner`, on each command that has them: what is hidden is not printed, and the owner is shown it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, one_message

import relance.explore
import relance.serve
from relance.cli import COMMANDS
from relance.cli.options import DONE, USAGE
from relance.index import Index

SECRET = "Xanthippe"
# Each command with what makes it name all documents that it finds. A new command with these options belongs here.
ASKED: dict[str, list[str]] = {
    "search": ["{spec}", "ferry", "-k", "20", "--json"],
    "cluster": ["{spec}", "-k", "2", "--projection", "pca", "--html", "page.html", "--json"],
    "map": ["{spec}", "--html", "page.html", "--json"],
    "classify": ["{spec}", "--label", "night", "--label", "day", "--json"],
    "anomalies": ["{spec}", "--tolerance", "0.01", "--json"],
    "duplicates": ["{spec}", "--similarity", "0.01", "--json"],
    "recommend": ["{spec}", "--interest", "a ferry", "-k", "20", "--json"],
    "evaluate": ["{spec}", "--dataset", "golden.yaml", "--mode", "full-text", "--json"],
    "explore": ["{spec}"],
    "serve": ["{spec}"],
}
COUNTED = {"classify", "evaluate"}  # print counts instead of names: those differ
HIDDEN, SHOWN = 4, 5


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("options")
    for name in ("open", "shut"):
        (folder / name).mkdir()
    for n in range(SHOWN):
        (folder / f"open/{n}.md").write_text(f"# Note {n}\n\nThe ferry leaves at {n}, by day.\n")
    for n in range(HIDDEN):
        text = f"# {SECRET} {n}\n\nThe ferry of {SECRET} leaves at night, {n}.\n"
        (folder / f"shut/{SECRET}{n}.md").write_text(f"---\nreaders: [ada]\n---\n{text}")
    (folder / "golden.yaml").write_text(f"- {{query: ferry {SECRET}, documents: [shut/{SECRET}1.md]}}\n")
    (folder / "index.yaml").write_text(
        "name: ferry\nsources:\n  - {type: files, root: open}\n"
        "  - {type: files, root: shut, access: {field: readers}}\nembedding: {model: fake/hash}\nstore: {uri: db}\n"
    )
    Index(folder / "index.yaml").ingest()
    return folder


@pytest.fixture
def ask(built: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command for somebody, and return all that it tells."""
    pytest.importorskip("sklearn")
    monkeypatch.chdir(built)
    served: list[str] = []

    def serve(index: Index | list[Index], *_: Any, **__: Any) -> None:
        indexes = index if isinstance(index, list) else [index]
        served.extend(" ".join(hit.text for hit in each.search("ferry", k=20)) for each in indexes)

    monkeypatch.setattr(relance.explore, "serve", serve)
    monkeypatch.setattr(relance.serve, "serve", serve)

    def ask(command: str, *who: str) -> str:
        Path("page.html").unlink(missing_ok=True)
        served.clear()
        ran = run(command, *(each.format(spec=built) for each in ASKED[command]), *who)
        assert ran.code == DONE, ran.err
        page = Path("page.html").read_text() if Path("page.html").exists() else ""
        return f"{ran.out}{ran.err}{page}{' '.join(served)}"

    return ask


def test_each_command_with_these_options_is_tried() -> None:
    commands = [command for group in COMMANDS.values() for command, _ in group]
    found = {each.__name__: inspect.signature(each).parameters for each in commands if inspect.isfunction(each)}
    having = {name for name, parameters in found.items() if {"principals", "as_owner"} & parameters.keys()}
    assert having == {*ASKED}
    for name in having:
        assert {"principals", "as_owner"} <= found[name].keys(), f"{name} has one of them without the other"


@pytest.mark.parametrize("command", ASKED)
def test_what_is_hidden_is_not_told_and_the_owner_is(ask: Callable[..., str], command: str) -> None:
    hidden = [ask(command, *who) for who in ([], ["--as", "bob"], ["--as", "bob", "--as", "group:ada"])]
    assert command != "search" or all("open/0.md" in each for each in hidden)
    if command not in COUNTED:
        for told in hidden:
            assert SECRET not in told
    for who in (["--as-owner"], ["--as", "ada"], ["--as", "bob", "--as", "ada"]):
        if command == "map":  # it shows what was clustered last, by whoever sees no more
            ask("cluster", *who)
        told = ask(command, *who)
        assert told not in hidden
        assert command in COUNTED or SECRET in told
    assert command in COUNTED or SECRET not in ask(command), "what somebody else was shown is not shown again"


@pytest.mark.parametrize("command", ASKED)
def test_both_at_once_are_refused(built: Path, run: Run, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    ran = run(command, *(each.format(spec=built) for each in ASKED[command]), "--as", "ada", "--as-owner")
    assert ran.code == USAGE
    assert "leave --as out" in one_message(ran)


@pytest.mark.parametrize("command", ASKED)
def test_an_empty_name_is_refused(built: Path, run: Run, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    ran = run(command, *(each.format(spec=built) for each in ASKED[command]), "--as", "")
    assert ran.code == USAGE
    assert "a principal is a text of 1 to 500 characters" in one_message(ran)
