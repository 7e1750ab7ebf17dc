"""`relance serve` as a user starts it: what it prints, refuses, answers to the examples of docs/serve.md, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from command_line import Run, one_message

from relance.serve.tokens import Tokens

DOCS = (Path(__file__).parents[2] / "docs/serve.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks in a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", DOCS, flags=re.DOTALL)


@pytest.fixture(scope="module")
def command(handbook: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the first command of the docs, on a free port."""
    _, specs = blocks("sh")[0].strip().split("relance serve ")
    assert specs == "examples/handbook"
    started = subprocess.Popen(
        [sys.executable, "-m", "relance", "serve", specs, "--port", "0"], cwd=handbook.parents[1], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )  # fmt: skip
    assert started.stdout is not None
    try:
        yield started, [started.stdout.readline().rstrip() for _ in range(3)]
    finally:
        started.kill()
        started.communicate()


def test_it_prints_what_the_docs_say(command: tuple[subprocess.Popen[str], list[str]]) -> None:
    shown = [re.sub(r":\d+", ":PORT", line) for line in blocks("text")[0].splitlines()]
    assert [re.sub(r":\d+", ":PORT", line) for line in command[1]] == shown[:3]


def test_the_examples_of_the_docs_answer(command: tuple[subprocess.Popen[str], list[str]]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    address = command[1][0].split()[1].partition("/v1")[0]
    examples = blocks("sh")[1].strip().splitlines()
    assert len(examples) == 7
    for example in examples:
        words = shlex.split(example.replace("http://127.0.0.1:8790", address))
        done = subprocess.run(
            [*words, "--noproxy", "*", "--fail-with-body"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (example, done.stdout)
        answer = json.loads(done.stdout)
        found = next(answer[name] for name in ("hits", "documents", "chunks", "items", "indexes") if name in answer)
        assert found, example


def test_sigterm_ends_it_quietly(command: tuple[subprocess.Popen[str], list[str]]) -> None:
    started, (first, *_) = command
    httpx.get(first.split()[1].partition("/v1")[0] + "/health/live", trust_env=False).raise_for_status()
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=30)
    assert "Traceback" not in out + err
    assert "no tokens: for this machine only" in out + err
    assert started.returncode == 0


def test_the_file_of_the_docs_is_understood() -> None:
    callers = {caller.name: caller for caller in Tokens.parse(blocks("yaml")[0])}
    assert callers["support"].principals == ["ada", "group:staff"]
    assert callers["support"].per_minute == 120
    assert callers["support"].indexes == {"handbook"}


def test_a_new_token_is_one_that_the_file_lets_in(run: Run) -> None:
    ran = run("serve", "--new-token", "support")
    assert ran.code == 0
    token, _, entry = ran.out.partition("\n")
    caller = Tokens.parse(yaml.safe_dump(yaml.safe_load(entry))).find(token.split()[1])
    assert caller is not None
    assert caller.name == "support"


def test_what_is_wrong_is_one_message(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    spec = tmp_path / "index.yaml"
    spec.write_text("name: a\nsources: [{type: files, root: docs}]\nembedding: {model: fake/hash}\nstore: {uri: db}\n")
    (tmp_path / "t.yaml").write_text("tokens: [{name: a, sha256: '" + "0" * 64 + "', indexes: [b]}]")
    for arguments, said in [
        ([tmp_path / "docs"], "index.yaml"),
        ([spec, "--host", "0.0.0.0"], "--tokens"),
        ([spec, "--tokens", tmp_path / "none.yaml"], "none.yaml"),
        ([spec, "--tokens", tmp_path / "t.yaml"], "not served here"),
        ([spec, "--tokens", tmp_path / "t.yaml", "--as", "ada"], "--as"),
        ([spec, "--cors", "*"], "origin"),
        ([spec, "--audit-queries"], "--audit"),
        ([spec, "--audit", tmp_path], "audit log"),
        ([spec, spec], "same name"),
        ([spec, "--mcp", "--tokens", tmp_path / "t.yaml"], "--mcp"),
        (["--new-token", "a b"], "name"),
    ]:
        ran = run("serve", *arguments)
        assert said in one_message(ran), arguments
        assert ran.code == 2
    monkeypatch.setenv("RELANCE_SERVE_TOKENS", "tokens: []")
    assert "RELANCE_SERVE_TOKENS" in one_message(run("serve", spec))
