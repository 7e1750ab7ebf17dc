"""`relance evaluate`: several indexes, modes and models in one table, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Run

from relance.errors import ConfigurationError
from relance.evaluation.ephemeral_index import spec_for
from relance.index import Index

DOCUMENTS = ["The ferry crosses the river.", "A lock lifts boats.", "The weir holds water back.", "Herring are salted."]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four documents and four questions in BEIR format."""
    folder = tmp_path / "boats"
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", DOCUMENTS), ("queries", [text.split(" ", 1)[1] for text in DOCUMENTS])):
        lines = [json.dumps({"_id": str(n), "title": "", "text": text}) for n, text in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = [f"{n}\t{n}\t1" for n in range(len(DOCUMENTS))]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]), encoding="utf-8")
    return folder


@pytest.fixture
def declare(declare: Callable[..., Path], tmp_path: Path, dataset: Path) -> Callable[..., Path]:
    """Write a spec over the dataset's documents; returns its folder."""
    rows = {"id": "_id", "text": ["title", "text"]}
    source = {"type": "files", "root": str(dataset), "include": ["corpus.jsonl"], "rows": rows}

    def declared(name: str, model: str = "fake/hash", **sections: Any) -> Path:
        sections = {"sources": [source], "embedding": {"model": model}} | sections
        return declare(name, folder=tmp_path / name, **sections).parent

    return declared


def test_indexes_and_modes_are_compared(run: Run, declare: Callable[..., Path], dataset: Path, tmp_path: Path) -> None:
    specs = declare("one"), declare("two", "local/wordllama")
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    code, out, err = run("evaluate", *specs, "--dataset", dataset, "--mode", "full-text,dense", "--ingest", "--dimensions", "64", "--json",
                         "--html", page, "--png", picture)  # fmt: skip
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [each["label"] for each in found["systems"]] == ["one dense", "one full-text", "two dense", "two full-text"]
    assert (len(found["differences"]), found["k"], found["measure"]) == (6, 10, "ndcg")
    assert [curve["steps"][-1]["dimension"] for curve in found["dimensions"]] == [64, 64]
    assert len(found["systems"][0]["answers"]) == 4
    assert "Shorter vectors: two" in page.read_text(encoding="utf-8")
    drawn = sorted(path.name for path in tmp_path.glob("*.png"))
    assert drawn == ["picture-one.png", "picture-two.png", "picture.png"]


def test_a_person_reads_tables_and_sentences(run: Run, declare: Callable[..., Path], dataset: Path) -> None:
    code, out, _ = run("evaluate", declare("one"), "--dataset", dataset, "--mode", "all", "--ingest")
    assert code == 0
    assert "All have the same nDCG@10." in out, "one that is level with the others is not the best"
    assert "4 questions; in brackets 95 % bootstrap intervals" in out
    assert out.count("hybrid") > 2
    code, out, _ = run("evaluate", declare("two"), "--dataset", dataset, "--ingest", "-k", "5")
    assert "nDCG@5" in out
    assert "highest" not in out, "one system alone is not compared"


def test_models_are_tried_on_a_dataset_alone(run: Run, dataset: Path, tmp_path: Path) -> None:
    ask = ["--dataset", dataset, "--model", "fake/hash", "--model", "local/wordllama@64", "--mode", "dense", "--json"]
    code, out, _ = run("evaluate", *ask)
    found = json.loads(out)
    assert (code, [each["label"] for each in found["systems"]]) == (0, ["hash", "wordllama"])
    assert [each["footprint"]["dimension"] for each in found["systems"]][1] == 64
    assert [each["missing"] for each in found["systems"]] == [0, 0]
    assert not list(tmp_path.rglob("*.lance")), "nothing is left where no folder was named"
    kept = tmp_path / "kept"
    assert run("evaluate", *ask, "--keep", kept)[0] == 0
    assert list(kept.glob("boats-wordllama-*.lance"))


def test_a_spec_is_tried_on_the_corpus_of_the_dataset(run: Run, declare: Callable[..., Path], dataset: Path) -> None:
    spec = declare("one", chunking={"strategy": "text", "max_tokens": 16})
    code, out, _ = run("evaluate", spec, "--corpus", "--dataset", dataset, "--json")
    found = json.loads(out)
    assert (code, found["index"].startswith("boats-one-"), found["footprint"]["chunking"]) == (0, True, "text 16")
    assert not (spec / "db").exists(), "the spec's own index is not touched"


def test_a_missing_index_is_told_with_what_to_do(run: Run, declare: Callable[..., Path], dataset: Path) -> None:
    code, out, err = run("evaluate", declare("one"), declare("two"), "--dataset", dataset)
    assert (code, out) == (2, "")
    assert "index 'one' is not in" in err
    assert "index 'two' is not in" in err
    assert "--ingest" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "holds no index.yaml"),
        (["--model", "nonsense"], "--model nonsense: .*write provider/model"),
        (["--model", "local/wordllama@many"], "write provider/model"),
        (["--model", "local/wordllame"], "did you mean local/wordllama"),
        (["--model", "fake/hash", "--mode", "smell"], "mode smell: there is no such mode"),
        (["--model", "fake/hash", "--mode", "hybrid,vector"], "mode vector: it is called dense now"),
        (["--model", "fake/hash", "--dimensions", "64,x"], "--dimensions 64,x: write lengths"),
        (
            ["--model", "fake/hash", "--mode", "hybrid,sparse"],
            "mode sparse: index '.*' has no such vectors; it can be searched by",
        ),
        (["--model", "fake/hash", "--mode", "dense,alll"], "mode alll: there is no such mode"),
        (["--model", "fake/hash", "--max-cost-usd", "-1"], "--max-cost-usd -1: must be at least 0"),
        (["--model", "fake/hash", "-k", "0"], 'Invalid value "0" for -k'),
        (["--model", "fake/hash", "--split", "dev"], r"dev\.tsv: there is no such file; .* the splits test"),
        (["spec", "--keep", "kept"], "--keep: there is nothing to keep"),
        (["spec", "--corpus", "--max-cost-usd", "1"], "--max-cost-usd: it is for --model"),
        (["--model", "fake/hash", "--html", "/nonexistent/x.html"], "its folder is not there"),
        (["--model", "fake/hash", "--png", "/"], "/: is a folder; name a file in it"),
        (["--model", "fake/hash", "--html", "index.yaml"], r"index\.yaml: is written as \.html"),
        (["--model", "fake/hash", "--png", "notes.txt"], r"notes\.txt: is written as \.png"),
        (["--model", "fake/hash", "--baseline", "best"], "no system is called 'best'; there are: boats-hash"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    run: Run, dataset: Path, arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "search", lambda *_, **__: pytest.fail("a question was asked"))
    code, out, err = run("evaluate", "--dataset", dataset, *arguments)
    assert (code, out) == (2, "")
    assert re.search(says, " ".join(err.split())), err


def test_what_is_wrong_is_told_before_anything_is_built(
    run: Run, declare: Callable[..., Path], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "ingest", lambda *_, **__: pytest.fail("an index was built"))
    ask = ["--dataset", dataset, "--model", "local/wordllama"]
    code, _, err = run("evaluate", *ask, "--model", "local/wordllama@7")
    assert (code, "local/wordllama has 64, 128 or 256, not 7" in err) == (2, True)
    spec = declare("one") / "index.yaml"
    before = spec.read_text(encoding="utf-8")
    assert run("evaluate", spec, "--dataset", dataset, "--ingest", "--html", spec)[0] == 2
    assert spec.read_text(encoding="utf-8") == before
    monkeypatch.setattr("relance.evaluation.files.find_spec", lambda _: None)
    code, _, err = run("evaluate", *ask, "--png", tmp_path / "picture.png")
    assert (code, "relance[analysis]" in err) == (2, True)


def test_an_interrupted_trial_says_what_is_left(run: Run, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Index, "ingest", interrupt)
    code, _, err = run("evaluate", "--dataset", dataset, "--model", "fake/hash")
    assert (code, "what was built is thrown away" in err, "--keep" in err) == (1, True, True)


def test_pictures_of_indexes_of_one_name_do_not_overwrite_each_other(
    run: Run, declare: Callable[..., Path], dataset: Path, tmp_path: Path
) -> None:
    one = declare("one")
    other = tmp_path / "other"
    shutil.copytree(one, other)
    run(
        "evaluate",
        one,
        other,
        "--dataset",
        dataset,
        "--ingest",
        "--mode",
        "dense",
        "--dimensions",
        "64",
        "--png",
        tmp_path / "p.png",
    )
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["p-one-2.png", "p-one.png", "p.png"]


def test_all_modes_are_all_whatever_else_is_named(run: Run, declare: Callable[..., Path], dataset: Path) -> None:
    code, out, _ = run("evaluate", declare("one"), "--dataset", dataset, "--ingest", "--mode", "dense,all", "--json")
    assert (code, sorted(each["mode"] for each in json.loads(out)["systems"])) == (0, ["dense", "full-text", "hybrid"])


def test_building_a_trial_is_bounded(dataset: Path, tmp_path: Path) -> None:
    spec = spec_for("dashscope/text-embedding-v4", dataset, tmp_path, max_cost_usd=0.5)
    assert spec.limits.max_cost_usd == 0.5
    with pytest.raises(ConfigurationError, match=r"corpus\.jsonl: there is no such file"):
        spec_for("local/wordllama", tmp_path, tmp_path, max_cost_usd=1)
    names = {spec_for(model, dataset, tmp_path, max_cost_usd=1).name for model in ("fake/hash", "fake/hash@64")}
    assert len(names) == 2
    with pytest.raises(ConfigurationError, match="--max-cost-usd -1"):
        spec_for("fake/hash", dataset, tmp_path, max_cost_usd=-1)
