"""`relance search`: what a person types and sees; and what docs/search.md says about it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Run

from relance.index import Index
from relance.search import PRESETS

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/search.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index with documents and rows."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "docs").mkdir()
    for name in ("weir", "bridge"):
        parts = [f"# Part {i}\n\nThe ferry at the {name} leaves at {i}.\n" for i in range(6)]
        (folder / f"docs/{name}.md").write_text("\n".join(parts), encoding="utf-8")
    rows = [{"id": i, "text": f"Reading {i} of the gauge.", "year": 2000 + i} for i in range(12)]
    (folder / "docs/rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    spec = folder / "index.yaml"
    spec.write_text(
        "name: notes\nsources:\n  - {type: files, root: docs, rows: {metadata: [year]}}\n"
        "chunking: {max_tokens: 16}\nembedding: {model: fake/hash}\n",
        encoding="utf-8",
    )
    Index(spec).ingest()
    return folder


def test_a_filter_limits_the_hits(run: Run, folder: Path) -> None:
    ran = run("search", folder, "gauge reading", "--filter", "year >= 2010", "--json")
    assert sorted(hit["metadata"]["year"] for hit in json.loads(ran.out)["hits"]) == [2010, 2011]


def test_a_wrong_filter_ends_with_a_caret_and_code_2(run: Run, folder: Path) -> None:
    ran = run("search", folder, "gauge", "--filter", "year > 1 and media_tpye = 'x'")
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err in DOCS, "as documented"


def test_pages_go_on_where_the_last_one_ended(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("search", folder, "reading of the gauge", "-k", "4", "--filter", "exists year")
    assert re.findall(r"^(\d+)\. ", first.out, flags=re.MULTILINE) == ["1", "2", "3", "4"]
    assert first.err == "", "the hint is for who watches"
    with monkeypatch.context() as watched:
        watched.setenv("TTY_COMPATIBLE", "1")  # as if a person did
        again = run("search", folder, "reading of the gauge", "-k", "4", "--filter", "exists year")
    assert "there are more: --page 2" in again.err
    third = run("search", folder, "reading of the gauge", "-k", "4", "--page", "3", "--filter", "exists year")
    assert re.findall(r"^(\d+)\. ", third.out, flags=re.MULTILINE) == ["9", "10", "11", "12"]
    assert third.err == ""
    shown = re.findall(r"docs/rows\.jsonl#\d+", first.out + third.out)
    assert len(set(shown)) == len(shown) == 8
    assert run("search", folder, "gauge", "--page", "0").code == 2
    assert run("search", folder, "gauge", "-k", "50000", "--page", "3").code == 2


def test_a_document_is_shown_once_with_its_other_chunks(run: Run, folder: Path) -> None:
    ran = run("search", folder, "ferry at the weir", "--group", "-k", "1")
    assert ran.out.count("docs/weir.md") == 1
    assert len(re.findall(r"^   \+ \d\.\d+  Part \d$", ran.out, flags=re.MULTILINE)) == 3
    assert "… and 2 more of this document" in ran.out


def test_like_and_explain_are_shown(run: Run, folder: Path) -> None:
    ran = run("search", folder, "--like", "docs/weir.md", "-k", "2", "--explain", "--group")
    assert ran.out.startswith("1. docs/bridge.md")
    assert "dense 1. (0." in ran.out
    assert re.search(r"vector +│ docs/weir\.md +│", ran.out)
    assert re.search(r"table +│ notes__\w{8} version \d+", ran.out)
    told = run("search", folder, "ferry", "--explain", "--json", "-k", "1").json
    assert told.keys() == {"schema_version", "hits", "explanations", "more"}
    assert told["hits"][0]["explained"]["ranks"].keys() == {"dense", "full-text"}
    assert told["explanations"][0]["indexes"] == {"full-text": "FTS", "dense": "exact"}


def test_words_of_the_question_are_bold_where_there_are_colours(folder: Path) -> None:
    command = [sys.executable, "-m", "relance.cli.main", "search", str(folder), "FERRY weir", "-k", "1"]
    environment = {"FORCE_COLOR": "1", "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert "\x1b[1mferry\x1b[0m at the \x1b[1mweir\x1b[0m" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ferry", "--like", "docs/weir.md"], "one of them"),
        (["--like", "docs/wier.md"], "did you mean 'docs/weir.md'"),
        (["ferry", "--instruct", "retrieval"], "takes no instruction"),
        (["ferry", "--instruct", "retreival"], "did you mean retrieval"),
        (["ferry", "--rerank", "qwen3-rerank"], "did you mean dashscope/qwen3-rerank"),
        (["ferry", "--rerank", "dashscope/qwen3-rerank"], "needs a key"),
        (["ferry", "--rerank", "lancedb/mrr", "--mode", "full-text"], "merges the lists"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(run: Run, folder: Path, arguments: list[str], words: str) -> None:
    ran = run("search", folder, *arguments)
    assert ran.code in {1, 2}
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_without_its_model_a_search_proposes_one_that_needs_none(run: Run, folder: Path) -> None:
    keyless = folder / "keyless.yaml"
    keyless.write_text((folder / "index.yaml").read_text("utf-8").replace("fake/hash", "openai/text-embedding-3-small"))
    ran = run("search", keyless, "ferry")
    assert ran.code == 2
    assert ran.err.strip().endswith("A search with --mode full-text needs no model.")
    assert run("search", keyless, "ferry", "--mode", "full-text").code == 0


# ── the documentation ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_documented_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(
        ROOT / "examples/handbook", tmp_path / "examples/handbook", ignore=shutil.ignore_patterns("lancedb")
    )
    index = Index(tmp_path / "examples/handbook")
    index.ingest(only=["docs/engineering/incident-saone-2023.md", "docs/engineering/alarms.md"])
    monkeypatch.chdir(tmp_path)
    codes = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)
    assert len(codes) == 3
    for code in codes:
        exec(compile(code, "docs/search.md", "exec"), {})  # ours
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("1.000 docs/engineering/incident-saone-2023.md") for line in lines) == (
            "import lancedb" in code
        )
        assert len(lines) >= 1


def test_what_the_documentation_lists_is_what_there_is() -> None:
    from relance.search.rerankers.models import MODELS

    assert set(PRESETS) <= set(re.findall(r"`([a-z-]+)`", DOCS))
    assert all(f"`dashscope/{name}`" in DOCS for name in MODELS)
    example = re.search(r"```text\n(year .*)\n```", DOCS)
    assert example is not None
    from relance.search import parse_filter

    parse_filter(example[1])


def test_a_search_of_texts_and_pictures_pages_and_explains_both(
    gallery: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, colour in {"a": "red", "b": "green", "c": "blue", "d": "yellow", "e": "white", "f": "black"}.items():
        gallery.paint(f"pics/{name}.png", colour)
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe old barn at the lake.\n")
    index = gallery.index()
    index.ingest()
    monkeypatch.setattr("relance.index.load_spec", lambda *_: index.spec)
    ran = run("search", "spec", "old barn", "-k", "1", "--explain")
    assert ran.out.index("docs/j.md") < ran.out.index("pics/a.png")
    assert ran.out.count("hybrid search") == 2
    with monkeypatch.context() as watched:
        watched.setenv("TTY_COMPATIBLE", "1")
        assert "--page 2" in run("search", "spec", "old barn", "-k", "1").err
    ran = run("search", "spec", "--like", "pics/a.png", "-k", "1")
    assert "no hits" not in ran.out
    assert ran.out.startswith("1. pics/")
    told = run("search", "spec", "old barn", "--explain", "--json").json
    assert told.keys() == {"schema_version", "hits", "media", "explanations", "more"}
